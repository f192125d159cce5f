"""How fast a config trains, predicts and loads on this machine.

    python scripts/benchmark/model.py --config experiments/cityscapes_pspnet.py
    python scripts/benchmark/model.py --config CONFIG --parts train,inference --size 512,512 \\
        --batch_size 2 --json result.json
    python scripts/benchmark/model.py --config CONFIG --parts train,inference \\
        --against mmseg --torch-python ENV/bin/python

CONFIG is one of jaxseg's, or an unmodified one of mmsegmentation; single values are
replaced by --config.PATH=VALUE, as for jaxseg.main. Where its data is not there, JPEG
images are made up, and the output says so.

A time is the median of the repeats. `programs` are those that XLA compiled before the
first step, with the starting values' small ones; `GFLOP` is XLA's count for one step,
`of peak` its share of the device's bfloat16 peak, `memory` what the compiled program
needs. Ratios to mmseg come from turns in alternation, in one process tree; on a GPU
give --dtype bfloat16, since the other side runs autocast there too. The comparison has
been run on CPUs; on a GPU it has not run yet.
"""

import argparse
import pathlib
import sys

from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.config_source import is_mmseg_config
from jaxseg.load_config import load_config

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.command_line import (
    add_against,
    count,
    other_side,
    size,
    some_of,
    write_result,
)
from scripts.benchmark.measuring.process import prepare_process
from scripts.benchmark.measuring.report import format_report
from scripts.benchmark.measuring.run import PARTS, run_benchmark
from scripts.benchmark.measuring.setup import Setup

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "model.py"


@command
def main(arguments: list[str]) -> int:
    """Measures and prints; returns the exit code."""
    parser = _parser()
    options, overrides = parse_arguments(parser, arguments)
    against = other_side(parser, options, _OTHER_SIDE)
    prepare_process()
    setup = Setup(options.batch_size, options.size, options.dtype, options.synthetic)
    result = run_benchmark(
        load_config(options.config, overrides=overrides),
        setup,
        parts=options.parts,
        steps=options.steps,
        repeats=options.repeats,
        against=against,
        mmseg_config=_mmseg_config(options.config, overrides),
    )
    print(format_report(result))
    if options.json:
        write_result(options.json, options.config, overrides, result)
    return 0


def _mmseg_config(source: str, overrides: list) -> str | None:
    """The mmseg file that a config is, where nothing of it is replaced."""
    path = source.partition(":")[2] or source
    return path if is_mmseg_config(path) and not overrides else None


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, help="config of jaxseg or mmseg")
    parser.add_argument(
        "--parts",
        type=some_of(PARTS),
        default=tuple(PARTS),
        metavar="PART,PART",
        help=f"what is measured: {', '.join(PARTS)}; default all",
    )
    parser.add_argument(
        "--batch_size", type=count, help="over all devices; default the config's"
    )
    parser.add_argument(
        "--size",
        type=size,
        metavar="H,W",
        help="of training crops and test images; default the config's",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        help="that training and inference compute in; default the config's",
    )
    parser.add_argument("--steps", type=count, default=5, help="of a repeat")
    parser.add_argument("--repeats", type=count, default=5, help="timed ones")
    parser.add_argument(
        "--synthetic",
        type=size,
        metavar="H,W",
        help="measure with made-up images of this size on disk; without it, only where "
        "the config's data is not there",
    )
    parser.add_argument("--json", metavar="FILE", help="write the result there too")
    add_against(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

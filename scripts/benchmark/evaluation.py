"""How fast a config evaluates images of many sizes, from files to scores.

    python scripts/benchmark/evaluation.py --config experiments/cityscapes_pspnet.py
    python scripts/benchmark/evaluation.py --config CONFIG --count 20 --short 256 --exact \\
        --against mmseg --torch-python ENV/bin/python

CONFIG is one of jaxseg's, or an unmodified one of mmsegmentation; single values are
replaced by --config.PATH=VALUE, as for jaxseg.main. The images are made up, in sizes as
those of ADE20K, and so are the weights.

The first evaluation compiles; the later ones are timed, alone or in turns with mmseg's:
its test pipeline, test_step with one image, and IoUMetric, with the same files and
weights. `network` is timed in passes of its own that wait for each of its calls; what is
neither network nor reading is padding, resizing, argmax and counting. With one CPU
(`taskset -c 1 python ...`) times are the processor's, so that other programs do not
count; with more, ours reads in threads beside the network, and mmseg's in between.
"""

import argparse
import pathlib
import sys

from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.load_config import load_config

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.command_line import (
    add_against,
    count,
    other_side,
    write_result,
)
from scripts.benchmark.measuring.evaluation import run_evaluation
from scripts.benchmark.measuring.evaluation_report import format_evaluation
from scripts.benchmark.measuring.process import prepare_process

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "evaluation.py"


@command
def main(arguments: list[str]) -> int:
    """Measures and prints; returns the exit code."""
    parser = _parser()
    options, overrides = parse_arguments(parser, arguments)
    against = other_side(parser, options, _OTHER_SIDE)
    prepare_process()
    result = run_evaluation(
        load_config(options.config, overrides=overrides),
        count=options.count,
        short=options.short,
        rounds=options.rounds,
        exact=options.exact,
        against=against,
    )
    print(format_evaluation(result))
    if options.json:
        write_result(options.json, options.config, overrides, result)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--config", required=True, help="config of jaxseg or mmseg")
    parser.add_argument("--count", type=count, default=20, help="of images")
    parser.add_argument(
        "--short",
        type=count,
        default=512,
        metavar="PIXELS",
        help="shorter side of the images that the network sees",
    )
    parser.add_argument("--rounds", type=count, default=3, help="timed evaluations")
    parser.add_argument(
        "--exact",
        action="store_true",
        help="evaluate at exact sizes as well, and compare the counts",
    )
    parser.add_argument("--json", metavar="FILE", help="write the result there too")
    add_against(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

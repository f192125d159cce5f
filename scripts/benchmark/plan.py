"""What a program asks of each chip, read from what the chip's compiler makes of it.

    python scripts/benchmark/plan.py --config CONFIG --topology v5e:4x4 \\
        --batch_size 16 --size 512,1024 --config.model.dtype=bfloat16
    python scripts/benchmark/plan.py --config CONFIG --topology v5e:2x2 \\
        --batch_size 4 --size 512,1024 --what inference --json plan.json
    python scripts/benchmark/plan.py --config CONFIG --topology local \\
        --batch_size 16 --size 512,1024

Memory by kind, arithmetic and bytes moved with the least time that both take, what the
devices exchange, the operations that move the most, and what tiles cost. The program is compiled and not
run: no data, no weights, and for a TPU no TPU, only its compiler
(pip install 'jax[tpu]'); it takes minutes. CONFIG is one of jaxseg's, or an unmodified
one of mmsegmentation; single values are replaced by --config.PATH=VALUE, as for
jaxseg.main, such as --config.mesh.fsdp=4.
"""

import argparse
import pathlib
import sys

from jaxseg.command_line import command
from jaxseg.config import parse_arguments
from jaxseg.load_config import load_config

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.command_line import count, size, write_result
from scripts.benchmark.measuring.plan import PROGRAMS, make_plan
from scripts.benchmark.measuring.plan_report import format_plan
from scripts.benchmark.measuring.topology import topology_devices


@command
def main(arguments: list[str]) -> int:
    """Compiles and prints; returns the exit code."""
    options, overrides = parse_arguments(_parser(), arguments)
    devices = topology_devices(options.topology)
    needs = ("model", "optim_wrapper") if options.what == "step" else ("model",)
    result = make_plan(
        load_config(options.config, needs, overrides),
        devices,
        options.what,
        options.batch_size,
        options.size,
        largest=options.largest_batch,
    )
    result = {"topology": options.topology, **result}
    print(format_plan(result))
    if options.json:
        write_result(options.json, options.config, overrides, result)
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", required=True, help="config of jaxseg or mmseg")
    add(
        "--topology",
        required=True,
        metavar="SLICE",
        help="of TPUs, such as v5e:4x4; or local, the devices of this machine",
    )
    add(
        "--batch_size",
        type=count,
        required=True,
        help="of a step over all devices; of inference on one",
    )
    add("--size", type=size, required=True, metavar="H,W", help="of the images")
    add("--what", choices=tuple(PROGRAMS), default="step", help="default: step")
    add("--json", metavar="FILE", help="write the result there too")
    add(
        "--largest_batch",
        action="store_true",
        help="plan the largest batch that fits the chip instead: --batch_size is "
        "where its search begins",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

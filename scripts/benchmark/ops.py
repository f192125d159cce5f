"""How fast the operations of the models are on this machine, one by one.

    python scripts/benchmark/ops.py
    python scripts/benchmark/ops.py --only depthwise --torch-python ENV/bin/python
    python scripts/benchmark/ops.py --torch-python ENV/bin/python --json ops.json

With --torch-python, that of an environment with torch, both take turns, and both
compute with as many threads. Times are in ms, the fastest of all rounds; a ratio is our
time over that of torch's better memory layout, so below 1 ours is faster.
"""

import argparse
import json
import pathlib
import sys

import jax

from jaxseg.command_line import command

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.op_cases import CASES
from scripts.benchmark.measuring.ops import format_table, measure_ops

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "ops.py"


@command
def main(arguments: list[str]) -> int:
    """Measures and prints; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", metavar="TEXT", help="cases with this in their name")
    parser.add_argument("--rounds", type=int, default=15, help="turns of everyone")
    parser.add_argument("--torch-python", metavar="PYTHON", help="compare in turns")
    parser.add_argument("--json", metavar="FILE", help="write the result there too")
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if (options.only or "") in case.name]
    if not cases:
        names = "\n  ".join(case.name for case in CASES)
        parser.error(f"no case has {options.only!r} in its name; there are\n  {names}")
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, it must be at least 1")
    other_side = None
    if options.torch_python is not None:
        if jax.default_backend() != "cpu":
            parser.error("--torch-python compares on a CPU: set JAX_PLATFORMS=cpu")
        other_side = [options.torch_python, str(_OTHER_SIDE)]
    result = measure_ops(cases, options.rounds, other_side)
    print(format_table(result))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

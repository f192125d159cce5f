"""The input pipeline beside mmsegmentation's own, in images/s a core.

    python scripts/benchmark/input.py --torch-python ENV/bin/python --images DIR

Pictures of the size of ADE20K's and of Cityscapes' are cut from those of DIR, and stored
as JPEG (quality 95), PNG and packed data sets; without --images some are made up. Both
sides then read them in turns, on the same core, with the transforms that mmseg's configs
have for training. ENV is an environment with torch and mmsegmentation 1.x.
"""

import argparse
import json
import os
import pathlib
import sys
import tempfile

import cv2

from jaxseg.command_line import command

# The measuring programs stand in this folder, not in an installed package.
sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from scripts.benchmark.measuring.input_rows import (
    KINDS,
    ROWS,
    compare,
    format_result,
    make_files,
)

_OTHER_SIDE = pathlib.Path(__file__).with_name("torch_side") / "input.py"


@command
def main(arguments: list[str]) -> int:
    """Measures and prints; returns the exit code."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):  # not everywhere; the other side inherits it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    other_side = [options.torch_python, str(_OTHER_SIDE)]
    results = {}
    for name in options.kinds:
        kind = KINDS[name]
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            make_files(folder, kind, options.images, options.count)
            results[name] = compare(
                folder, kind, ROWS, other_side, options.passes, options.rounds
            )
        print(format_result(results[name]), flush=True)
    peer = next(iter(results.values()))["peer"]
    versions = ", ".join(f"{k} {v}" for k, v in peer.items() if k != "variants")
    print(f"mmseg's side: {versions}; ours: cv2 {cv2.__version__}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--torch-python", required=True, metavar="PYTHON", help="of that environment")
    add("--images", type=pathlib.Path, metavar="DIR", help="a folder of images")
    add(
        "--kinds",
        nargs="+",
        choices=tuple(KINDS),
        default=tuple(KINDS),
        help="sizes that are measured; default: all",
    )
    add("--count", type=int, default=12, help="images of a size; default: 12")
    add("--passes", type=int, default=2, help="over them, in a turn; default: 2")
    add("--rounds", type=int, default=7, help="turns of everyone; default: 7")
    add("--json", type=pathlib.Path, metavar="FILE", help="write the result there too")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What the command lines of several benchmarks have in common."""

import argparse
import json
import os
import pathlib
from collections.abc import Callable, Collection, Mapping
from typing import Any


def add_against(parser: argparse.ArgumentParser) -> None:
    """Adds `--against mmseg --torch-python PYTHON`."""
    parser.add_argument("--against", choices=("mmseg",), help="compare in turns")
    parser.add_argument(
        "--torch-python",
        metavar="PYTHON",
        help="python of an environment with torch and mmsegmentation 1.x",
    )


def other_side(
    parser: argparse.ArgumentParser, options: argparse.Namespace, script: pathlib.Path
) -> list[str] | None:
    """The command of the other side, or None where nothing is compared.

    Ends the process where one of the two options is given alone.
    """
    if (options.against is None) != (options.torch_python is None):
        parser.error("--against mmseg and --torch-python PYTHON belong together")
    if options.against is None:
        return None
    # Of a GPU, jax would take three quarters for itself.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    return [options.torch_python, str(script)]


def count(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """(height, width) of HEIGHT,WIDTH."""
    height, _, width = text.partition(",")
    if not (height.isdecimal() and width.isdecimal()) or 0 in (int(height), int(width)):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no HEIGHT,WIDTH such as 512,1024"
        )
    return int(height), int(width)


def some_of(known: Collection[str]) -> Callable[[str], tuple[str, ...]]:
    """The type of an option that names some parts, PART,PART."""

    def read(text):
        parts = tuple(text.split(","))
        for part in parts:
            if part not in known:
                raise argparse.ArgumentTypeError(
                    f"no part {part!r}; there are {', '.join(known)}"
                )
        return parts

    return read


def write_result(
    path: str, config: str, overrides: list, result: Mapping[str, Any]
) -> None:
    """Writes what `--json` asks for: the result, and the config that it is of."""
    result = {"config": config, "overrides": dict(overrides), **result}
    pathlib.Path(path).write_text(json.dumps(result, indent=2) + "\n")

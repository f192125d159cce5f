"""Compares models with reference cases, numbers that PyTorch MMSegmentation computed.

    python scripts/check_reference.py tests/reference/*.npz tests/reference/losses/*.npz

A model is built from the config in the case, or with `--configs` from the file that the
case names, and gets the recipe's weights in the way of any checkpoint. The table has a
line for the logits and for the losses, gradients and statistics of one forward in
training, or for the value and the gradient of a loss alone: how many numbers there are, how many of them are over their bound, and of the
worst one, measured by its bound, the error, the bound and the name. A case that cannot
be compared, because jaxseg lacks a component of its model, say, is told with the reason,
and the others follow. The exit code is 0 where all numbers of all cases are within their
bounds, and otherwise 1.

--dtype float64, the default, is the strict comparison: everything has to agree to 1e-6,
but for a case that says that mmseg gave its numbers in float32 alone (`exact` False).

--dtype float32 has the bounds of tests/reference/README.md, four times what one run of
PyTorch lost in float32, and at least 1e-4 of the largest logit and of a loss, 1e-3 of
the norm of a gradient or a statistic. Logits, losses and statistics meet them. Single
gradients may not, in PyTorch itself as well when it runs on another number of threads:
where batch norms in training see few values, a gradient is a small difference of large
numbers, and the rounding of a sum is multiplied.

A case takes 10 to 60 seconds on two cores.
"""

import argparse
import pathlib
import sys
import time

import jax

from jaxseg.command_line import command
from jaxseg.config import ConfigError
from jaxseg.testing.loss_reference import check_loss, is_loss_case
from jaxseg.testing.reference import KINDS, Row, check
from jaxseg.weights.load import LoadError


@command
def main(arguments: list[str]) -> int:
    """Prints a table a case; returns the exit code."""
    summary, _, details = __doc__.partition("\n")
    parser = argparse.ArgumentParser(
        description=summary,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("cases", nargs="+", type=pathlib.Path, metavar="CASE.npz")
    parser.add_argument("--dtype", choices=("float64", "float32"), default="float64")
    parser.add_argument(
        "--configs",
        type=pathlib.Path,
        metavar="ROOT",
        help="mmsegmentation 1.2.2's folder of configs, in its wheel mmseg/.mim/configs",
    )
    options = parser.parse_args(arguments)
    over, refused = 0, 0
    for path in options.cases:
        start = time.monotonic()
        print(path.stem, flush=True)
        try:
            if is_loss_case(path):
                rows = check_loss(path, options.dtype)
            else:
                rows = check(path, options.dtype, options.configs)
        except (ConfigError, LoadError) as error:
            print(f"  not compared: {error}", flush=True)
            refused += 1
            continue
        print(table(rows))
        print(f"  {time.monotonic() - start:.0f} s", flush=True)
        over += not all(row.ok for row in rows)
        jax.clear_caches()  # no program serves two cases
    compared = len(options.cases) - refused
    print(
        f"{options.dtype}: {compared - over} of {len(options.cases)} cases within their "
        f"bounds, {over} over, {refused} not compared"
    )
    return 1 if over or refused else 0


def table(rows: list[Row]) -> str:
    """A line a kind of number: counts, and the one that is worst beside its bound."""
    lines = ["             count  over    error    bound  worst"]
    for kind in KINDS:
        found = [row for row in rows if row.kind == kind]
        if not found:
            lines.append(f"  {kind:9}      0")
            continue
        worst = max(found, key=lambda row: row.error / row.bound)
        over = sum(not row.ok for row in found)
        lines.append(
            f"  {kind:9} {len(found):6d} {over:5d}  {worst.error:.1e}  "
            f"{worst.bound:.1e}  {worst.name}".rstrip()
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

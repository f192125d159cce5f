"""One part of the hour, in a process of its own; gpu_hour.py starts and ends it.

Its rows go to the standard output, everything else to the standard error. The last row
is `end`, with a `status`: `done`, or `cut` at a safe point. A part that fails has none,
and its traceback is the last that it prints.
"""

import functools
import json
import os
import sys

from scripts.benchmark.measuring.hour.camvid import check_camvid, losses_on_cpu
from scripts.benchmark.measuring.hour.cases import CASES
from scripts.benchmark.measuring.hour.compare import compare
from scripts.benchmark.measuring.hour.context import Context, Cut
from scripts.benchmark.measuring.hour.flags import measure_flags
from scripts.benchmark.measuring.hour.profile import profile
from scripts.benchmark.measuring.process import prepare_process

PARTS = {
    **{name: functools.partial(compare, case) for name, case in CASES.items()},
    "profile": functools.partial(profile, CASES["pspnet_r50"]),
    "flags": functools.partial(measure_flags, CASES["pspnet_r50"]),
    "camvid": check_camvid,
    "camvid_on_cpu": losses_on_cpu,
}


def main(arguments: list[str]) -> int:
    """Runs the part of a job, which is JSON."""
    # Libraries print to the standard output, which belongs to the rows.
    rows = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    context = Context(json.loads(arguments[0]), rows)
    prepare_process()
    try:
        PARTS[context.part](context)
    except Cut as cut:
        context.row("end", status="cut", why=str(cut))
    else:
        context.row("end", status="done")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Writes tests/faults/format_1, a checkpoint that later versions have to read.

    python -m tests.faults.make_format_1

It was run once, with the first release's format. Do not run it again after the format
has changed: the stored files stand for the runs that are out there.
"""

from jaxseg.checkpoint.store import Checkpoints
from tests.faults.test_other_runs import STORED, stored_state


def main():
    with Checkpoints(STORED) as checkpoints:
        checkpoints.save(30, stored_state(), config={"model": {"type": "Stored"}})
        checkpoints.wait()


if __name__ == "__main__":
    main()

"""A log that cannot be written, a reader that has gone: the run goes on all the same."""

import os
import subprocess
import sys

import pytest

from tests.xla_flags import xla_flags

pytestmark = pytest.mark.faults


@pytest.mark.parametrize(
    "program",
    [
        '"$@" > /dev/full 2>&1',
        '"$@" >&- 2>&- <&-',
        'set -o pipefail; "$@" 2>&1 | head -n 3',
    ],
    ids=["full disk", "closed", "head"],
)
def test_output_that_cannot_be_written_costs_no_step(
    tiny, tmp_path, assert_same_result, program
):
    command = (sys.executable, "-W", "error", "-m", "jaxseg.main", *tiny)
    subprocess.run(
        ["bash", "-c", program, "bash", *command, "--workdir", tmp_path / "run"],
        env={**os.environ, "XLA_FLAGS": xla_flags(), "HOME": str(tmp_path)},
        check=True,
        timeout=300,
    )
    assert_same_result(tmp_path / "run")
    assert (tmp_path / "run" / "eval.json").exists()

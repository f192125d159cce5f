"""The file of the steps that were left out, through a resume."""

import json
import types

from jaxseg.train.skipped import FILE_NAME, SkippedSteps


def test_steps_that_will_be_done_again_are_dropped(tmp_path):
    path = tmp_path / FILE_NAME
    lines = [json.dumps({"step": step, "samples": [step]}) for step in (3, 7, 12)]
    path.write_text("\n".join(lines) + '\n{"step": 13, "sam')
    run = types.SimpleNamespace(workdir=tmp_path)
    SkippedSteps(run, 7)
    assert path.read_text().splitlines() == lines[:2]
    SkippedSteps(run, 0)
    assert path.read_text() == ""

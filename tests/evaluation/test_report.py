"""Scores on the screen and in files."""

import json

import numpy as np
import pytest

from jaxseg.evaluation.report import report
from jaxseg.metrics.metric import Scores
from jaxseg.runtime.workdir import WorkdirError


def test_report(tmp_path, capsys):
    scores = Scores(
        dict(aAcc=80.0, mIoU=75.125, mAcc=np.nan), dict(IoU=np.array([75.125, np.nan]))
    )
    report(scores, ("road", "car"), tmp_path / "new" / "eval.json")
    assert json.loads((tmp_path / "new" / "eval.json").read_text()) == dict(
        summary=dict(aAcc=80.0, mIoU=75.125, mAcc=None),
        per_class=dict(IoU=dict(road=75.125, car=None)),
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["road", "75.12"]
    assert lines[-2:] == ["aAcc 80.00  mAcc nan", "val mIoU 75.12"]
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match=r"file/eval.json: the scores cannot be wri"):
        report(scores, ("road", "car"), tmp_path / "file" / "eval.json")
    assert capsys.readouterr().out.splitlines() == lines

"""The comparison of input pipelines, with a stand-in for mmseg's side."""

import dataclasses
import json
import sys

import cv2
import numpy as np
import pytest

from jaxseg.errors import JaxsegError
from scripts.benchmark.measuring import input_rows
from scripts.benchmark.measuring.against import AgainstError
from scripts.benchmark.measuring.input_rows import (
    KINDS,
    ROWS,
    compare,
    format_result,
    make_files,
)

SMALL = dataclasses.replace(
    KINDS["ade"], size=(96, 128), scale=(256, 96), crop_size=(64, 64)
)
# Says what the real one says, and that a turn takes a second.
STAND_IN = """
import ast, json, sys
job = ast.literal_eval(sys.stdin.readline())
print(json.dumps({"variants": list(job["datasets"]), "mmseg": "1.2.2"}), flush=True)
for line in sys.stdin:
    assert json.loads(line)["variant"] in job["datasets"]
    print(json.dumps({"seconds": 1.0}), flush=True)
"""


def test_the_table(tmp_path, monkeypatch):
    make_files(tmp_path, SMALL, None, 3)
    # On a clock that goes on by a tenth of a second each time it is looked at.
    ticks = iter(np.arange(1000) / 10)
    monkeypatch.setattr(input_rows.time, "process_time", lambda: next(ticks))
    command = [sys.executable, "-c", STAND_IN]
    result = compare(tmp_path, SMALL, ROWS, command, passes=2, rounds=3)
    assert set(result["rows"]) == {row.title for row in ROWS}
    for row in result["rows"].values():
        assert row["ratio"]["median"] == pytest.approx(10)
        assert row["images_per_second"] == pytest.approx(6 / 0.1)
    assert result["theirs"] == {"jpg": 6.0, "png": 6.0}
    json.dumps(result)
    lines = format_result(result).splitlines()
    assert len(lines) == 2 + len(ROWS)
    assert lines[-1].split()[:5] == ["raw", "cache,", "both", "60.0", "6.0"]


def test_files_from_a_folder_of_images(tmp_path):
    (tmp_path / "images").mkdir()
    img = np.random.default_rng(0).integers(0, 256, (40, 90, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "images/a.png"), img)
    make_files(tmp_path / "out", SMALL, tmp_path / "images", 2)
    for name in ("jpg/001.jpg", "png/001.png", "labels/001.png"):
        read = cv2.imread(str(tmp_path / "out" / name), cv2.IMREAD_UNCHANGED)
        assert read.shape[:2] == (96, 128)
    (tmp_path / "images/a.png").unlink()
    with pytest.raises(JaxsegError, match="images: no image in it ends in"):
        make_files(tmp_path / "again", SMALL, tmp_path / "images", 2)


def test_a_side_that_fails_is_told(tmp_path):
    make_files(tmp_path, SMALL, None, 1)
    failing = """print('{"error": "ModuleNotFoundError: no mmseg"}')"""
    command = [sys.executable, "-c", failing]
    with pytest.raises(AgainstError, match="no mmseg"):
        compare(tmp_path, SMALL, ROWS[:1], command, passes=1, rounds=1)

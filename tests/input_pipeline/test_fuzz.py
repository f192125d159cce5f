"""Damaged files of every kind are read, or end in a DataError that names the file."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = pathlib.Path(__file__).with_name("fuzz.py")
KINDS = (
    *("png", "jpg", "bmp", "gif", "webp", "ppm", "tif", "npy"),
    *("index", "raw", "array_record"),
)


def run(kind, count, seed, folder):
    ran = subprocess.run(
        [sys.executable, PROGRAM, kind, str(count), str(seed), folder],
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout == "done\n"


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_mutants(kind, tmp_path):
    run(kind, 1000, 0, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_mutants(kind, tmp_path):
    run(kind, 5000, 1, tmp_path)

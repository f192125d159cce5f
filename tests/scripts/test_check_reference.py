"""scripts/check_reference.py as a user types it."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[2]
CASE = ROOT / "tests/reference/unet__unet-s5-d16_fcn_4xb4-40k_chase-db1-128x128.npz"


def check_reference(*arguments):
    return subprocess.run(
        [sys.executable, "scripts/check_reference.py", *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def quick(tmp_path):
    """The case without training, which takes a third of the time."""
    case = dict(np.load(CASE))
    for key in list(case):
        if key.startswith(("loss", "grad", "stat")):
            del case[key]
    return tmp_path / "quick.npz", case


def test_what_cannot_be_compared_stops_no_other_case(quick):
    path, case = quick
    np.savez(path, **case)
    result = check_reference(path.with_name("none.npz"), path)
    assert result.returncode == 1, result.stderr
    assert "none\n  not compared: " in result.stdout
    assert "none.npz: there is no such file" in result.stdout
    assert "float64: 1 of 2 cases within their bounds, 0 over, 1 not" in result.stdout


def test_one_number_over_its_bound(quick):
    path, case = quick
    np.savez(path, **case)
    worse = path.with_name("worse.npz")
    np.savez(worse, **case | dict(value=case["value"] + 2e-6 * case["absmax"]))
    result = check_reference(path, worse)
    assert result.returncode == 1, result.stderr
    tables = [line.split() for line in result.stdout.splitlines()]
    first, second = (line for line in tables if line[:1] == ["logits"])
    assert first[1:3] == ["1", "0"] and second[1:3] == ["1", "1"]
    assert second[3:] == ["2.0e-06", "1.0e-06"]
    assert tables[-1][:4] == ["float64:", "1", "of", "2"]


def test_the_config_file_that_a_case_names(quick):
    path, case = quick
    np.savez(path, **case)
    model = json.loads(str(case["model"]))
    config = path.parent / str(case["config"])
    config.parent.mkdir()
    config.write_text(f"model = {model}\n")
    arguments = ("--dtype", "float32", "--configs", path.parent, path)
    result = check_reference(*arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "float32: 1 of 1 cases within their bounds" in result.stdout
    model["backbone"]["type"] = "NoNet"
    config.write_text(f"model = {model}\n")
    result = check_reference(*arguments)
    assert result.returncode == 1
    assert "  not compared: " in result.stdout
    assert "model.backbone: NoNet is not in jaxseg yet" in result.stdout

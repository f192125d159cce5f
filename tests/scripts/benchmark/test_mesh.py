"""The table of memory by mesh, from the command line."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "benchmark" / "mesh.py"


def run(*arguments):
    command = [sys.executable, "-W", "error", SCRIPT, "--size", "64,64", *arguments]
    return subprocess.run(
        list(map(str, command)),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )


@pytest.mark.long
def test_fsdp_splits_the_state_that_data_copies(tiny_data):
    config = ROOT / "tests" / "tiny.py"
    done = run(
        *("--config", f"{config}:{tiny_data}", "--batch_size", 4, "--devices", 2),
        *("--config.model.decode_head.channels=384", "--mesh", "data=2"),
        *("--config.model.decode_head.num_convs=2", "--mesh", "fsdp=2"),
    )
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()[2:]]
    data, fsdp = ([int(cell.split()[0]) for cell in row[1:]] for row in rows)
    assert [row[0] for row in rows] == ["data=2", "fsdp=2"]
    for copied, split in zip(data[:2], fsdp[:2], strict=True):
        assert copied > 1 and abs(split - copied / 2) <= 1


def test_a_mesh_that_does_not_fit_gets_a_sentence(tiny_data):
    config = f"{ROOT / 'tests' / 'tiny.py'}:{tiny_data}"
    options = ("--config", config, "--batch_size", 4, "--devices", 2)
    done = run(*options, "--mesh", "fsdp=3")
    assert done.returncode == 1
    assert "does not multiply to the 2 devices" in done.stderr
    done = run(*options, "--mesh", "fsdp")
    assert done.returncode == 2
    assert "'fsdp' is no mesh such as data=2,fsdp=4" in done.stderr


def test_an_image_that_several_devices_split(tiny_data):
    config = f"{ROOT / 'tests' / 'tiny.py'}:{tiny_data}"
    done = run("--config", config, "--devices", 2, "--spatial", 1, "--spatial", 2)
    assert done.returncode == 0, done.stderr
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows[2:]] == ["spatial=1", "spatial=2"]
    assert rows[0] == ["one image", "parameters", "temporaries", "total"]
    done = run("--config", config)
    assert done.returncode == 2 and "give --mesh, --spatial or both" in done.stderr

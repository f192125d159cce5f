"""Files that attack: none runs anything, and all end in the one error.

`forged.py` makes them; one process reads them all, `read_watched.py`, under an audit
hook and with 2 GB of memory.
"""

import json
import pathlib
import pickle
import subprocess
import sys

import pytest

from jaxseg.weights.files.mapped_file import CheckpointFileError
from jaxseg.weights.files.pth import read_pth

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def results(folder):
    """{group: [(name, outcome, message, events, seconds)]}"""
    done = subprocess.run(
        [sys.executable, str(HERE / "read_watched.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    # Ended by itself: no crash, and no limit that it ran into.
    assert done.returncode == 0, done.stderr[-2000:]
    groups = {}
    for line in done.stdout.splitlines():
        group, *result = json.loads(line)
        groups.setdefault(group, []).append(result)
    return groups


def test_valid_files_are_read(results):
    assert len(results["valid"]) >= 9
    for name, outcome, message, events, _ in results["valid"]:
        assert (outcome, events) == ("read", []), f"{name}: {message}"


@pytest.mark.parametrize("group", ["payload", "damaged", "bomb"])
def test_all_end_in_the_one_error_that_names_the_file(group, results, folder):
    assert len(results[group]) >= 18
    for name, outcome, message, _, _ in results[group]:
        assert outcome == "refused", f"{name}: {message}"
        assert message.startswith(f"{folder}/x.pth: "), name
        assert len(message) < 1000, name


def test_nothing_leaves_a_trace(results, folder):
    for group, files in results.items():
        for name, _, _, events, _ in files:
            assert events == [], f"{group}: {name}"
    assert not (folder / "marker").exists()
    assert sorted(path.name for path in folder.iterdir()) == ["x.pth"]


def test_bombs_are_over_soon(results):
    for group, files in results.items():
        for name, *_, seconds in files:
            assert seconds < 30, f"{group}: {name}"


def test_mutations_give_arrays_or_the_one_error(results):
    outcomes = [outcome for _, outcome, *_ in results["mutation"]]
    assert len(outcomes) == 200 * len(results["valid"])
    assert set(outcomes) == {"read", "refused"}
    # Both happen: a change in the numbers is read, one in the structure is not.
    assert min(outcomes.count("read"), outcomes.count("refused")) > 50


def test_the_payloads_are_live(tmp_path):
    """What `pickle` would have done, so that the absence of a trace says something."""
    marker = tmp_path / "marker"
    path = tmp_path / "payload.pkl"

    class Payload:
        def __reduce__(self):
            return exec, (f"open({str(marker)!r}, 'w').close()",)

    path.write_bytes(pickle.dumps(Payload(), 2))
    with pytest.raises(CheckpointFileError, match="asks for builtins.exec, which is"):
        read_pth(path)
    assert not marker.exists()
    subprocess.run([sys.executable, "-m", "pickle", str(path)], timeout=60, check=True)
    assert marker.exists()

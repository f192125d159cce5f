"""Arrays of a run's checkpoint: compared with the model first, read afterwards."""

import json
import shutil
import zlib

import numpy as np
import pytest

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.errors import DamagedCheckpointError
from jaxseg.checkpoint.reader import SavedWeights
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.weights.load import LoadError, fill, read_checkpoint
from jaxseg.weights.part import Part
from jaxseg.weights.state_dict import to_state_dict

STEP = 3


def variables(rows=2):
    draw = np.random.default_rng(0).standard_normal
    tree = {"conv": {"kernel": draw((3, 3, rows, 5)), "bias": draw(5)}}
    return {"params": {"backbone": tree}}


@pytest.fixture
def saved(tmp_path):
    with Checkpoints(tmp_path / "run") as checkpoints:
        checkpoints.save(STEP, variables(), config={})
        checkpoints.wait()
    return tmp_path / "run" / str(STEP)


@pytest.fixture
def reads(monkeypatch):
    """The names of the arrays that are read, call by call."""
    calls = []
    read = SavedWeights.read

    def watched(self, names):
        calls.append(sorted(names))
        return read(self, names)

    monkeypatch.setattr(SavedWeights, "read", watched)
    return calls


def change(step, edit):
    """Edits the manifest, and makes its checksum right again."""
    path = step / manifest.ITEM / manifest.FILE_NAME
    body = json.loads(path.read_text())
    del body["crc32"]
    edit(body)
    body["crc32"] = zlib.crc32(json.dumps(body, sort_keys=True).encode())
    path.write_text(json.dumps(body))


def test_nothing_is_read_of_what_does_not_fit(saved, reads):
    weights = read_checkpoint(saved).weights
    assert weights["backbone.conv.weight"].shape == (5, 2, 3, 3)
    with pytest.raises(
        LoadError, match=r"conv.weight is \(5, 2, 3, 3\), the model has"
    ):
        fill(weights, variables(rows=4), "FILE", Part())
    assert reads == []


def test_what_fits_is_read_at_once(saved, reads):
    tree = fill(read_checkpoint(saved).weights, variables(), "FILE", Part())
    expected = to_state_dict(variables())
    for key, array in to_state_dict(tree).items():
        np.testing.assert_array_equal(array, expected[key])
    assert reads == [["params/backbone/conv/bias", "params/backbone/conv/kernel"]]


def test_one_alone_is_read_where_numpy_wants_it(saved, reads):
    bias = np.asarray(read_checkpoint(saved).weights["backbone.conv.bias"])
    assert bias.shape == (5,)
    assert reads == [["params/backbone/conv/bias"]]


def test_files_that_hold_more_than_the_manifest_says(saved):
    """As one whose few bytes become gigabytes."""

    def edit(body):
        body["arrays"]["params/backbone/conv/kernel"]["shape"] = [1, 1, 2, 5]

    change(saved, edit)
    with pytest.raises(
        DamagedCheckpointError, match=r"stored as \(3, 3, 2, 5\) in chun"
    ):
        _ = read_checkpoint(saved).state_dict


def test_two_arrays_of_one_key(saved):
    def edit(body):
        entry = body["arrays"]["params/backbone/conv/bias"]
        body["arrays"]["params/backbone.conv/bias"] = entry

    change(saved, edit)
    with pytest.raises(LoadError, match="two arrays are both backbone.conv.bias"):
        read_checkpoint(saved)


def test_a_step_that_its_run_removes_meanwhile(saved):
    checkpoint = read_checkpoint(saved)
    shutil.rmtree(saved)
    with pytest.raises(DamagedCheckpointError, match="was removed while it was read"):
        _ = checkpoint.state_dict

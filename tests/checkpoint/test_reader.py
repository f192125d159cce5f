"""Weights for evaluation, read while a trainer may be writing and pruning."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint import reader as checkpoint_reader
from jaxseg.checkpoint.errors import CheckpointError
from jaxseg.checkpoint.reader import load_weights
from jaxseg.checkpoint.store import Checkpoints

CONFIG = {"model": {"type": "EncoderDecoder"}}


def make_state(step):
    return {
        "params": {"layer1.0": {"kernel": jnp.full((3, 5), step, jnp.float32)}},
        "batch_stats": {"bn": {"mean": jnp.full(4, step, jnp.bfloat16)}},
        "opt_state": ({"trace": jnp.ones((3, 5))},),
        "ema": {"params": {"kernel": jnp.full(2, step + 1.0)}},
    }


def write(directory, steps):
    with Checkpoints(directory) as checkpoints:
        for step in steps:
            checkpoints.save(step, make_state(step), config=CONFIG)
        checkpoints.wait()


@pytest.mark.parametrize("where", ["", "checkpoints", "checkpoints/20"])
def test_weights_from_a_workdir_a_directory_or_a_step(tmp_path, where):
    write(tmp_path / "checkpoints", [10, 20])
    weights = load_weights(tmp_path / where)
    state = make_state(20)
    assert weights["config"] == CONFIG
    assert weights["path"] == tmp_path / "checkpoints/20"
    said = {"config", "source", "step", "path"}
    assert set(weights) == {"params", "batch_stats", "ema"} | said
    assert weights["source"] is None
    for name in ("params", "batch_stats", "ema"):
        jax.tree.map(np.testing.assert_array_equal, weights[name], state[name])
    mean = weights["batch_stats"]["bn"]["mean"]
    assert isinstance(mean, np.ndarray)
    assert mean.dtype == jnp.bfloat16


def test_only_the_collections_asked_for_are_read(tmp_path):
    write(tmp_path, [10])
    weights = load_weights(tmp_path, collections=("batch_stats",))
    assert set(weights) == {"batch_stats", "config", "source", "step", "path"}
    with pytest.raises(CheckpointError, match="holds none of teacher"):
        load_weights(tmp_path, collections=("teacher",))
    with pytest.raises(ValueError, match="which is 'newest'; allowed: 'latest'"):
        load_weights(tmp_path, "newest")


def test_a_step_that_is_pruned_under_the_reader_is_chosen_again(tmp_path, monkeypatch):
    write(tmp_path, [10, 20])
    read = manifest.read

    def prune_then_read(step_dir):
        if step_dir.name == "20" and step_dir.exists():
            shutil.rmtree(step_dir)
            write(tmp_path, [30])
        return read(step_dir)

    monkeypatch.setattr(manifest, "read", prune_then_read)
    assert load_weights(tmp_path)["step"] == 30


def test_a_damaged_step_is_an_error_after_a_second_look(tmp_path, monkeypatch):
    write(tmp_path, [10, 20])
    (tmp_path / "20/manifest/manifest.json").unlink()
    monkeypatch.setattr(checkpoint_reader, "_PRUNING_SECONDS", 0)
    with pytest.raises(CheckpointError, match=str(tmp_path / "20")):
        load_weights(tmp_path)
    assert load_weights(tmp_path / "10")["step"] == 10

"""Weights of one run in the model of another."""

import logging

import jax
import numpy as np
import pytest

from jaxseg.train.checkpoint import Checkpoints
from jaxseg.train.load import LoadError, fit_weights, load_from, read_checkpoint


def variables(classes=4, width=3, value=0.0):
    return {
        "params": {
            "backbone": {"conv1": {"kernel": np.full((3, 3, 3, width), value)}},
            "decode_head": {
                "conv_seg": {
                    "kernel": np.full((1, 1, width, classes), value),
                    "bias": np.full(classes, value),
                }
            },
        },
        "batch_stats": {"backbone": {"bn1": {"mean": np.full(width, value)}}},
    }


@pytest.fixture
def workdir(tmp_path):
    """A checkpoint of ones, whose moving average is 2."""
    state = variables(value=1.0) | {"ema": variables(value=2.0)["params"]}
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        checkpoints.save(7, state, config={})
        checkpoints.wait()
    return tmp_path


def test_the_moving_average_comes_before_the_parameters(workdir):
    saved = read_checkpoint(workdir)
    assert saved["step"] == 7
    assert {float(leaf.max()) for leaf in jax.tree.leaves(saved["params"])} == {2.0}
    assert saved["batch_stats"]["backbone"]["bn1"]["mean"].max() == 1.0


def test_without_a_moving_average_the_parameters_are_read(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"params": variables(value=1.0)["params"]}, config={})
        checkpoints.wait()
    saved = read_checkpoint(tmp_path)
    assert {float(leaf.max()) for leaf in jax.tree.leaves(saved["params"])} == {1.0}
    assert saved["batch_stats"] == {}


def test_another_number_of_classes_starts_fresh_and_says_so(workdir, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    loaded = load_from(str(workdir), variables(classes=6, value=9.0))
    fresh = loaded["params"]["decode_head"]["conv_seg"]
    assert fresh["kernel"].shape == (1, 1, 3, 6)
    assert fresh["kernel"].max() == fresh["bias"].max() == 9.0
    assert loaded["params"]["backbone"]["conv1"]["kernel"].max() == 2.0
    said = "\n".join(caplog.messages)
    assert "step 7" in said
    assert "starts fresh: decode_head.conv_seg.weight (4 -> 6)" in said
    assert "starts fresh: decode_head.conv_seg.bias (4 -> 6)" in said


def test_all_differences_are_in_one_error(workdir):
    wanted = variables(width=5)
    wanted["params"]["backbone"]["conv2"] = {"kernel": np.zeros((1, 1, 5, 5))}
    del wanted["batch_stats"]["backbone"]["bn1"]
    with pytest.raises(LoadError) as error:
        load_from(str(workdir), wanted)
    lines = str(error.value).splitlines()
    assert lines[0] == f"{workdir} does not fit the model in 4 weights:"
    assert sorted(line.split(" is ")[0] for line in lines[1:]) == [
        "  misshapen: backbone.conv1.weight",
        "  misshapen: decode_head.conv_seg.weight",  # not for its classes
        "  missing: backbone.conv2.weight",
        "  unexpected: backbone.bn1.running_mean",
    ]
    assert "conv1.weight is (3, 3, 3, 3), the model has (3, 3, 3, 5)" in str(
        error.value
    )


def test_a_model_in_use_takes_no_other_classifier(workdir):
    with pytest.raises(LoadError, match=r"conv_seg\.bias is \(4,\), the model has"):
        fit_weights(read_checkpoint(workdir), variables(classes=6), "the checkpoint")

"""Checkpoints of every kind, as one form."""

from typing import Any

import jax
import numpy as np
import pytest

from jaxseg.checkpoint.errors import CheckpointError
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.load import (
    LoadError,
    as_variables,
    fill,
    in_order,
    read_checkpoint,
)
from jaxseg.weights.part import Part
from jaxseg.weights.state_dict import to_state_dict

KEYS = [
    "backbone.conv1.weight",
    "decode_head.conv_seg.weight",
    "decode_head.conv_seg.bias",
    "backbone.bn1.running_mean",
]
META = {"classes": ["a", "b"], "palette": [[1, 2, 3], [4, 5, 6]]}


class Model(Part):
    backbone: Any = None


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
    """A run's checkpoint of ones, whose moving average is 2."""
    state = variables(value=1.0) | {"ema": variables(value=2.0)["params"]}
    with Checkpoints(tmp_path / "run" / "checkpoints", best_metric="mIoU") as saved:
        saved.save(3, variables(), config={})
        saved.add_metrics(3, {"mIoU": 50.0})
        saved.save(7, state, config={"dataset_meta": META})
        saved.add_metrics(7, {"mIoU": 40.0})
    return tmp_path / "run"


def values(checkpoint):
    return {key: set(np.unique(a)) for key, a in checkpoint.state_dict.items()}


def test_the_moving_average_comes_before_the_parameters(workdir):
    checkpoint = read_checkpoint(workdir)
    assert values(checkpoint) == {key: {2.0} for key in KEYS[:3]} | {KEYS[3]: {1.0}}
    assert checkpoint.step == 7
    assert checkpoint.path == workdir / "checkpoints" / "7"
    assert checkpoint.config == {"dataset_meta": META}
    assert checkpoint.meta == META | {"iter": 7}


@pytest.mark.parametrize(
    ("where", "step"),
    [("", 7), ("/checkpoints", 7), ("/checkpoints/3", 3), (":best", 3)],
)
def test_a_folder_is_read_at_any_depth(workdir, where, step):
    checkpoint = read_checkpoint(f"{workdir}{where}")
    assert checkpoint.step == step
    assert checkpoint.state_dict["decode_head.conv_seg.weight"].shape == (4, 3, 1, 1)


def test_without_a_moving_average_the_parameters_are_read(tmp_path):
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, {"params": variables(value=1.0)["params"]}, config={})
        checkpoints.wait()
    assert values(read_checkpoint(tmp_path)) == {key: {1.0} for key in KEYS[:3]}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".npz"])
def test_a_file_says_the_same_as_a_folder(tmp_path, monkeypatch, suffix):
    state_dict = to_state_dict(variables(value=1.5))
    write_weights(tmp_path / f"a{suffix}", state_dict, META | {"iter": 40})
    monkeypatch.setenv("HOME", str(tmp_path))
    checkpoint = read_checkpoint(f"~/a{suffix}")
    assert checkpoint.state_dict.keys() == state_dict.keys()
    for key, array in state_dict.items():
        np.testing.assert_array_equal(checkpoint.state_dict[key], array)
    assert checkpoint.config is None
    assert checkpoint.step == 40
    assert checkpoint.meta.items() >= META.items()


def test_a_file_that_does_not_say_its_step(tmp_path):
    write_weights(tmp_path / "a.npz", to_state_dict(variables()), {"iter": "x"})
    assert read_checkpoint(tmp_path / "a.npz").step == 0


def test_what_cannot_be_read_is_named(tmp_path):
    (tmp_path / "a.pth").write_bytes(b"<html>not found</html>")
    with pytest.raises(LoadError, match=r"a\.pth: .*a web page"):
        read_checkpoint(tmp_path / "a.pth")
    with pytest.raises(LoadError, match="its SHA-256 is not known"):
        read_checkpoint("https://example.org/a.pth")
    with pytest.raises(LoadError, match=r"b\.pth: there is no such file"):
        read_checkpoint(tmp_path / "b.pth")
    (tmp_path / "7").mkdir()
    with pytest.raises((FileNotFoundError, CheckpointError), match="no finished"):
        read_checkpoint(tmp_path)


def test_all_differences_are_in_one_error():
    state_dict = to_state_dict(variables())
    wanted = variables(width=5)
    wanted["params"]["backbone"]["conv2"] = {"kernel": np.zeros((1, 1, 5, 5))}
    del wanted["batch_stats"]["backbone"]["bn1"]
    with pytest.raises(LoadError) as error:
        fill(state_dict, wanted, "FILE", Model())
    assert str(error.value).splitlines() == [
        "FILE does not fit the model in 4 keys:",
        "  missing: backbone.conv2.weight",
        "  unexpected: backbone.bn1.running_mean",
        (
            "  misshapen: backbone.conv1.weight is (3, 3, 3, 3), the model has "
            "(5, 3, 3, 3)"
        ),
        (
            "  misshapen: decode_head.conv_seg.weight is (4, 3, 1, 1), the model has "
            "(4, 5, 1, 1)"
        ),
    ]


def test_an_error_says_what_to_change():
    class Backbone(Part):
        key_table = KeyTable(fields={"patch_bias": "patch_embed.bias"})

    model = Model(Backbone())
    state_dict = to_state_dict(variables())
    with_bias = {**state_dict, "backbone.patch_embed.bias": np.zeros(3)}
    with pytest.raises(
        LoadError,
        match="belongs to model.backbone.patch_bias=True, and the model has "
        "patch_bias=False",
    ):
        fill(with_bias, variables(), "FILE", model)
    wanted = variables()
    wanted["params"]["backbone"]["patch_embed"] = {"bias": np.zeros(3)}
    with pytest.raises(LoadError, match="patch_bias=False, and the model has .*=True"):
        fill(state_dict, wanted, "FILE", model)

    wanted = variables()
    wanted["params"]["backbone"]["conv1"]["kernel"] = np.zeros((3, 3, 5, 3))
    with pytest.raises(LoadError, match="images of 3 channels.*adapt_in_channels=True"):
        fill(state_dict, wanted, "FILE", model)


def test_filling_changes_no_bits_and_copies_nothing():
    tree = jax.tree.map(lambda a: a.astype(np.float16), variables(value=1.5))
    state_dict = to_state_dict(tree)
    filled = fill(state_dict, variables(), "FILE", Model())
    for new, old in zip(jax.tree.leaves(filled), jax.tree.leaves(tree), strict=True):
        assert new.dtype == np.float16
        assert np.shares_memory(new, old)


def test_a_model_gets_its_own_types_and_finite_values():
    target = jax.eval_shape(
        lambda: jax.tree.map(lambda a: a.astype("float32"), variables())
    )
    tree = as_variables(variables(value=1.5), target, "FILE")
    assert {leaf.dtype for leaf in jax.tree.leaves(tree)} == {np.dtype("float32")}
    assert {leaf.max() for leaf in jax.tree.leaves(tree)} == {1.5}

    broken = variables()
    broken["params"]["decode_head"]["conv_seg"]["bias"][1] = np.nan
    broken["batch_stats"]["backbone"]["bn1"]["mean"][0] = 1e300  # not in float32
    with pytest.raises(
        LoadError,
        match="FILE: 2 weights hold values that are not finite: "
        "backbone.bn1.running_mean, decode_head.conv_seg.bias$",
    ):
        as_variables(broken, target, "FILE")


def test_the_order_of_entries():
    assert list(in_order({"a": 1, "b": 2, "c": 3}, ["c", "x", "a"])) == ["c", "a", "b"]

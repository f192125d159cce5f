"""A training that starts from the weights of another segmentor."""

import logging

import numpy as np
import pytest

from jaxseg.checkpoint.store import Checkpoints
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.load import LoadError
from jaxseg.weights.part import Part
from jaxseg.weights.starting_weights import load_from
from jaxseg.weights.state_dict import to_state_dict


def variables(classes=4, width=3, value=0.0):
    def full(*shape):
        return np.full(shape, value, np.float32)

    return {
        "params": {
            "backbone": {"conv1": {"kernel": full(3, 3, 3, width)}},
            "decode_head": {
                "conv_seg": {
                    "kernel": full(1, 1, width, classes),
                    "bias": full(classes),
                }
            },
        },
        "batch_stats": {"backbone": {"bn1": {"mean": full(width)}}},
    }


@pytest.fixture(params=["folder", ".pth", ".safetensors"])
def source(tmp_path, request):
    """A checkpoint of ones."""
    if request.param == "folder":
        with Checkpoints(tmp_path / "checkpoints") as checkpoints:
            checkpoints.save(7, variables(value=1.0), config={})
            checkpoints.wait()
        return str(tmp_path)
    path = tmp_path / f"a{request.param}"
    write_weights(path, to_state_dict(variables(value=1.0)), {"iter": 7})
    return str(path)


def test_another_number_of_classes_starts_fresh_and_says_so(source, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    loaded = load_from(source, variables(classes=6, value=9.0), Part())
    fresh = loaded["params"]["decode_head"]["conv_seg"]
    assert fresh["kernel"].shape == (1, 1, 3, 6)
    assert fresh["kernel"].max() == fresh["bias"].max() == 9.0
    assert loaded["params"]["backbone"]["conv1"]["kernel"].max() == 1.0
    assert loaded["batch_stats"]["backbone"]["bn1"]["mean"].max() == 1.0
    said = "\n".join(caplog.messages)
    assert "step 7" in said
    assert "starts fresh: decode_head.conv_seg.weight (4 -> 6)" in said
    assert "starts fresh: decode_head.conv_seg.bias (4 -> 6)" in said


def test_a_classifier_that_differs_in_more_than_its_classes_is_an_error(tmp_path):
    state_dict = to_state_dict(variables(value=1.0))
    del state_dict["decode_head.conv_seg.bias"]
    path = tmp_path / "a.npz"
    write_weights(path, state_dict, {})
    with pytest.raises(LoadError) as error:
        load_from(str(path), variables(classes=6, width=5), Part())
    lines = str(error.value).splitlines()
    assert lines[0] == f"{path} does not fit the model in 4 keys:"
    assert [line.split(" is ")[0] for line in lines[1:]] == [
        "  missing: decode_head.conv_seg.bias",
        "  misshapen: backbone.bn1.running_mean",
        "  misshapen: backbone.conv1.weight",
        "  misshapen: decode_head.conv_seg.weight",
    ]

"""`pretrained` and `load_from`: where a training starts."""

import pathlib

import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.load_config import load_config
from jaxseg.resolve import resolve_model
from jaxseg.segmentors import EncoderDecoder
from jaxseg.train.run import Run
from jaxseg.weights.load import LoadError
from jaxseg.weights.starting_weights import find_starting_weights, starting_weights
from jaxseg.weights.state_dict import to_state_dict
from tests.weights.pretrained_files import Vit, shapes_of, write

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"


def test_load_from_comes_on_top_and_only_what_is_named_is_adapted():
    model = EncoderDecoder(Vit(), None, pretrained="no_such_file.pth")
    with pytest.raises(LoadError, match="no_such_file"):
        starting_weights({}, model, {})
    with pytest.raises(FileNotFoundError, match="no_such_run"):
        starting_weights({"load_from": "no_such_run"}, model, {})
    model = EncoderDecoder(Vit(), None)
    assert starting_weights({}, model, {"params": 1}) == {"params": 1}
    with pytest.raises(ConfigError, match="neither load_from nor model.pretrained"):
        starting_weights({"adapt_in_channels": True}, model, {})


def test_they_are_looked_for_before_the_run_begins_anything(tmp_path):
    for pretrained in ("none.pth", {"checkpoint": "none.pth"}):
        model = EncoderDecoder(Vit(), None, pretrained=pretrained)
        with pytest.raises(LoadError, match="none.pth: there is no such file"):
            find_starting_weights({}, model)
    with pytest.raises(FileNotFoundError, match="no_such_run"):
        find_starting_weights({"load_from": "no_such_run"}, model)
    find_starting_weights({"load_from": str(tmp_path)}, model)
    find_starting_weights({}, EncoderDecoder(Vit(), None))


@pytest.mark.parametrize(
    "pretrained", [3, {"prefix": "a."}, {"checkpoint": "a.pth", "prefx": "a."}]
)
def test_what_pretrained_may_be(pretrained):
    with pytest.raises(ValueError, match="pretrained is .* allowed: a name, URL or"):
        EncoderDecoder(None, None, pretrained=pretrained)


def test_a_training_starts_with_them_and_a_resumed_one_needs_no_file(
    tiny_data, tmp_path
):
    config = load_config(f"{TINY}:{tiny_data}")
    config["train_dataloader"]["batch_size"] = 8  # one for each device
    backbone = resolve_model(config["model"]).backbone
    given = write(tmp_path / "a.pth", shapes_of(backbone))
    config["model"]["pretrained"] = str(tmp_path / "a.pth")
    run = Run(config, tmp_path)
    with run.batches(0) as batches:
        batch = next(batches)
    _, state = run.fresh_state(batch)
    for params in (state.params, state.ema):
        found = to_state_dict({"params": params["backbone"]})
        for key, value in found.items():
            np.testing.assert_array_equal(value, given[key])
    (tmp_path / "a.pth").unlink()
    run.abstract_state(batch)
    with pytest.raises(LoadError):
        run.fresh_state(batch)

"""Prefixes that other programs put before a model's keys."""

import logging
import pathlib

import numpy as np
import pytest

from jaxseg.weights.load import Checkpoint, LoadError
from jaxseg.weights.part import Part
from jaxseg.weights.prefix import find_prefix, for_model

KNOWN = {"backbone.conv1.weight", "backbone.bn1.bias", "decode_head.bias"}


@pytest.mark.parametrize("prefix", ["", "model.", "net.model.", "a.b.c.d."])
def test_the_one_prefix_is_found(prefix):
    keys = [prefix + key for key in KNOWN] + ["criterion.weight", "n_averaged"]
    assert find_prefix(keys, KNOWN, "FILE") == prefix


def test_it_comes_off_even_where_a_key_is_missing():
    assert find_prefix(["model.decode_head.bias"], KNOWN, "FILE") == "model."


def test_no_prefix_makes_the_keys_of_another_model_fit():
    assert find_prefix(["model.fc.weight", "model.fc.bias"], KNOWN, "FILE") == ""
    # What fits without one comes first.
    twice = [*KNOWN, *(f"ema.{key}" for key in KNOWN)]
    assert find_prefix(twice, KNOWN, "FILE") == ""


def test_of_two_that_fit_none_is_guessed():
    keys = [f"{start}.{key}" for start in ("encoder_q", "encoder_k") for key in KNOWN]
    with pytest.raises(LoadError, match=r"FILE .* encoder_k\., encoder_q\.: say which"):
        find_prefix(keys, KNOWN, "FILE")
    assert find_prefix(keys, KNOWN, "FILE", usual="encoder_q.") == "encoder_q."


def test_a_key_of_many_dots_takes_no_time():
    assert find_prefix(["." * 1_000_000], KNOWN, "FILE") == ""


def test_a_whole_model_loses_its_prefix_and_that_is_said(caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    variables = {"params": {"backbone": {"conv1": {"bias": np.zeros(2)}}}}
    weights = {"model.backbone.conv1.bias": np.ones(2), "optimiser": np.ones(1)}
    given = Checkpoint(pathlib.Path("FILE"), weights, {}, list(weights))
    found = for_model(given, variables, Part())
    assert list(found.state_dict) == ["backbone.conv1.bias", "optimiser"] == found.keys
    assert caplog.messages == ["FILE: its keys begin with 'model.', which is taken off"]


def test_a_key_with_and_without_the_prefix():
    tree = {"conv1": {"bias": np.zeros(2), "kernel": np.zeros((2, 2))}}
    keys = ["m.conv1.bias", "m.conv1.weight", "conv1.bias"]
    weights = dict.fromkeys(keys, np.zeros(2))
    given = Checkpoint(pathlib.Path("FILE"), weights, {}, keys)
    with pytest.raises(LoadError, match="FILE has conv1.bias with and without 'm.'"):
        for_model(given, {"params": tree}, Part())

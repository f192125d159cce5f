"""Renaming of another repository's keys, on a made-up family."""

import pytest

from jaxseg.weights.key_table import KeyTable, key_table_of
from jaxseg.weights.state_dict import StateDictError

TABLE = KeyTable(
    renames=((r"^blocks\.", "layers."), (r"\.norm\.", ".ln."), (r"^norm\.", "ln.")),
    unused=("head.", "ln."),
)
MODEL = {"layers.0.ln.weight", "norm.weight"}


def test_rules_apply_one_after_the_other():
    assert TABLE.rename("blocks.0.norm.weight", MODEL) == "layers.0.ln.weight"


def test_a_key_of_the_model_is_left_as_it_is():
    assert TABLE.rename("norm.weight", MODEL) == "norm.weight"


def test_unused_parts_are_left_out_under_the_names_they_came_with():
    given = {"blocks.0.norm.weight": 1, "norm.bias": 2, "head.weight": 3, "more": 4}
    kept, left_out = TABLE.select(given, MODEL)
    assert kept == {"layers.0.ln.weight": 1, "more": 4}
    assert left_out == ["norm.bias", "head.weight"]


def test_a_part_that_the_model_has_is_never_unused():
    kept, left_out = TABLE.select({"norm.bias": 1, "ln.more": 2}, {"ln.bias"})
    assert kept == {"ln.bias": 1, "ln.more": 2} and left_out == []


def test_two_weights_of_one_name_are_refused():
    given = {"blocks.0.w": 1, "layers.0.w": 2}
    with pytest.raises(StateDictError, match=r"layers\.0\.w and blocks\.0\.w are both"):
        TABLE.select(given, MODEL)


def test_a_backbone_without_a_table_renames_nothing():
    kept, left_out = key_table_of(object()).select({"head.weight": 1}, MODEL)
    assert kept == {"head.weight": 1} and left_out == []

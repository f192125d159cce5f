"""Whole models of other repositories under our names, on made-up keys."""

import pathlib

import flax.linen as nn
import numpy as np
import pytest

from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.load import LoadError, read_checkpoint
from jaxseg.weights.other_names import names_in_model
from jaxseg.weights.part import Part


class Inner(Part):
    key_table = KeyTable(
        renames=((r"^theirs\.", "ours."),),
        layouts={"flat.weight": ((r"^(flat|theirs)\.", "ours."),)},
        twins=("twice.",),
    )


class Outer(Part, kw_only=True):
    decode_head: nn.Module

    key_table = KeyTable(renames=((r"^(theirs|flat|twice)\.", r"decode_head.\1."),))


MODEL = Outer(decode_head=Inner())
KNOWN = {"decode_head.ours.weight", "decode_head.ours.running_var", "norm.weight"}


def names(*keys):
    return names_in_model(keys, KNOWN, MODEL, "FILE")


def test_the_tables_of_the_parts_follow_that_of_the_whole():
    assert names("theirs.weight") == {"theirs.weight": "decode_head.ours.weight"}


def test_what_no_table_knows_keeps_the_name_that_the_file_has():
    assert names("theirs.scale", "fc.weight", "norm.weight") == {
        "theirs.scale": "theirs.scale",
        "fc.weight": "fc.weight",
        "norm.weight": "norm.weight",
    }


def test_a_count_goes_with_the_statistics_of_its_norm():
    found = names("theirs.num_batches_tracked", "fc.num_batches_tracked")
    assert list(found.values()) == [
        "decode_head.ours.num_batches_tracked",
        "fc.num_batches_tracked",
    ]


def test_a_key_tells_the_layout_of_the_file():
    assert names("flat.weight") == {"flat.weight": "decode_head.ours.weight"}
    # As of another model's file, it is not known.
    assert names("flat.bias") == {"flat.bias": "flat.bias"}


def test_a_module_that_hangs_at_two_places_counts_once():
    assert names("theirs.weight", "twice.weight").keys() == {"theirs.weight"}
    table = Inner.key_table
    kept, left_out = table.select({"theirs.weight": 1, "twice.weight": 1}, {"ours"})
    assert kept == {"ours.weight": 1} and left_out == ["twice.weight"]


def test_two_weights_of_one_name_are_refused():
    message = "FILE: decode_head.theirs.weight and theirs.weight are both decode_head.o"
    with pytest.raises(LoadError, match=message):
        names("theirs.weight", "decode_head.theirs.weight")


def test_a_checkpoint_of_several_files(tmp_path):
    for name, keys in {"a": ("x", "y"), "b": ("z",), "c": ("y",)}.items():
        np.savez(tmp_path / f"{name}.npz", **{key: np.ones(1) for key in keys})
    a, b, c = (str(tmp_path / f"{name}.npz") for name in "abc")
    found = read_checkpoint(f"{a},{b}")
    assert found.path == pathlib.Path(a)
    assert list(found.state_dict) == ["x", "y", "z"] == found.keys
    with pytest.raises(LoadError, match=r"c\.npz and a file before it .* both have y:"):
        read_checkpoint(f"{a},{b},{c}")

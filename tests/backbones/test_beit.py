import logging

import numpy as np
import pytest

from jaxseg.backbones import BEiT
from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.layers.relative_position import resize_geometric
from jaxseg.ops.relative_position import relative_position_bias_with_token
from tests.models.cases import BACKBONES, build
from tests.weights.pretrained_files import load, shapes_of, write

TABLE = "layers.0.attn.relative_position_bias_table"


def originals(name):
    """Names and shapes in the files of BEiT's and MAE's authors, with a classifier."""
    for key, shape in shapes_of(build(name)).items():
        lacks = name == "MAE" and key.rpartition(".")[2] in build(name).fresh_modules
        if lacks or key.startswith("ln1."):
            continue
        for ours, theirs in (
            ("patch_embed.projection", "patch_embed.proj"),
            ("layers.0.ln", "layers.0.norm"),
            ("layers.1.ln", "layers.1.norm"),
            (".ffn.layers.0.0.", ".mlp.fc1."),
            (".ffn.layers.1.", ".mlp.fc2."),
        ):
            key = key.replace(ours, theirs)
        yield key.replace("layers.", "blocks.", 1), shape
    yield from (("norm.weight", (8,)), ("norm.bias", (8,)))
    yield "head.weight", (3, 8)
    yield "mask_token", (1, 1, 8)


@pytest.mark.parametrize("name", ["BEiT", "MAE"])
def test_weights_of_the_authors_load(name, tmp_path):
    given = write(tmp_path / "a.pth", dict(originals(name)))
    loaded = load(tmp_path / "a.pth", build(name))
    for theirs, ours in (
        ("blocks.1.norm2.weight", "layers.1.ln2.weight"),
        ("blocks.0.mlp.fc2.bias", "layers.0.ffn.layers.1.bias"),
        ("blocks.0.attn.qkv.weight", "layers.0.attn.qkv.weight"),
    ):
        np.testing.assert_array_equal(loaded[ours], given[theirs])


def test_what_maes_weights_lack_starts_fresh(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    write(tmp_path / "a.pth", dict(originals("MAE")))
    load(tmp_path / "a.pth", build("MAE"))
    assert "not there, so fresh: layers.0.attn.relative_position_bias" in caplog.text


def test_one_table_of_all_layers_is_every_layers(tmp_path):
    shapes = dict(originals("BEiT"))
    tables = [key for key in shapes if key.endswith("relative_position_bias_table")]
    shared = {shapes.pop(key) for key in tables}.pop()
    shapes["rel_pos_bias.relative_position_bias_table"] = shared
    given = write(tmp_path / "a.pth", shapes)
    loaded = load(tmp_path / "a.pth", build("BEiT"))
    for key in (TABLE, TABLE.replace("0", "1")):
        np.testing.assert_array_equal(
            loaded[key], given["rel_pos_bias.relative_position_bias_table"]
        )


def test_a_token_has_three_rows_of_the_table_to_itself():
    """The biases are the rows that mmseg's buffer says."""
    beit = build("BEiT")
    index = beit.key_table.buffers(beit)["layers.1.attn.relative_position_index"]
    rows = 5 * 3 + 3  # of a grid of 3x2
    assert index.shape == (7, 7) and index.max() == rows - 1
    assert index[0].tolist() == [rows - 1] + [rows - 3] * 6
    assert index[1:, 0].tolist() == [rows - 2] * 6
    table = np.random.default_rng(0).standard_normal((rows, 2), np.float32)
    biases = relative_position_bias_with_token(table, beit.grid)
    np.testing.assert_array_equal(biases, table[index].transpose(2, 0, 1))


def test_tables_are_resized_by_beits_rule():
    """A cubic spline gives cubic polynomials as they are, from its places to others.

    From 7 offsets to 9 these are at 1, 1 + q and 1 + q + q^2 = 4 from the middle.
    """
    q = (np.sqrt(13) - 1) / 2
    old, new = np.array([-4, -1 - q, -1, 0, 1, 1 + q, 4]), np.arange(-4, 5)

    def table(places):
        down, right = places[:, None], places[None]
        heads = (down**3 - 2 * right**2 + 1, right**3 * down - down)
        return np.stack([head.ravel() for head in heads], axis=1)

    resized = resize_geometric(table(old).astype(np.float32), 7, 9)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, table(new), rtol=0, atol=1e-3)


def test_a_file_for_smaller_images_loads(tmp_path):
    small = build("BEiT", img_size=24)  # a grid of 3x3
    given = write(tmp_path / "a.pth", shapes_of(small))
    loaded = load(tmp_path / "a.pth", build("BEiT", img_size=40))
    assert loaded[TABLE].shape == (9 * 9 + 3, 2)
    np.testing.assert_array_equal(loaded[TABLE][-3:], given[TABLE][-3:])
    same = build("BEiT")  # whose grid is no square: it stays as it is
    assert same.resize_weight(TABLE, given[TABLE]) is given[TABLE]
    mae = build("MAE", img_size=40)
    assert mae.resize_weight("pos_embed", np.zeros((1, 10, 8))).shape == (1, 26, 8)


def test_images_of_another_size_are_refused():
    beit = build("BEiT")
    beit.check_size((31, 16))  # in whole patches of 8
    with pytest.raises(ModelSizeError, match="BEiT: an image of 32x16 has 4x2 whole"):
        beit.check_size((32, 16))


def test_without_biases_of_q_and_v_there_are_none():
    keys = shapes_of(build("BEiT", qv_bias=False))
    assert not [key for key in keys if "attn" in key and "q_bias" in key]
    assert "layers.0.attn.qkv.bias" not in keys
    assert "layers.0.attn.qkv.bias" in shapes_of(build("MAE"))


def test_heads_divide_the_channels():
    with pytest.raises(FieldError, match="embed_dims is 8, which num_heads=3 must"):
        BEiT(**BACKBONES["BEiT"].config | {"num_heads": 3})

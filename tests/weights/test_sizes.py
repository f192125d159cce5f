"""Weights for other images: position tables and first layers."""

import functools
import logging

import numpy as np
import pytest

from jaxseg.backbones import ResNet, ResNetV1c, UNet
from jaxseg.weights.load import LoadError
from tests.weights.pretrained_files import ORIGINS, STORED, Vit, load, shapes_of, write


@pytest.mark.parametrize("mode", ["bicubic", "bilinear"])
@pytest.mark.parametrize("grid", [(5, 7), (2, 2), (4, 3)])
def test_position_tables_are_resized_as_in_mmseg(mode, grid):
    size = (grid[0] * 8, grid[1] * 8)
    backbone = Vit(img_size=size, embed_dims=4, interpolate_mode=mode)
    resized = backbone.resize_weight("pos_embed", STORED["table"])
    expected = STORED[f"{mode}_{grid[0]}x{grid[1]}"]
    # Five units in the last place of the largest value: torch adds the taps in
    # another order.
    np.testing.assert_allclose(resized, expected, rtol=0, atol=1.3e-6)


def test_a_position_table_is_resized_on_load(tmp_path, caplog):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", ORIGINS["timm vit"])
    loaded = load(tmp_path / "a.pth", Vit(img_size=(48, 40)))
    assert loaded["pos_embed"].shape == (1, 31, 16)
    np.testing.assert_array_equal(loaded["pos_embed"][:, 0], given["pos_embed"][:, 0])
    assert "pos_embed: resized from (1, 17, 16) to (1, 31, 16)" in caplog.text


@pytest.mark.parametrize(
    "make, key",
    [
        (functools.partial(ResNet, 18), "conv1.weight"),
        (functools.partial(ResNetV1c, 18), "stem.0.weight"),
        (Vit, "patch_embed.projection.weight"),
        (functools.partial(UNet, base_channels=4), "encoder.0.0.convs.0.conv.weight"),
    ],
)
def test_first_layers_for_other_channels(tmp_path, caplog, make, key):
    caplog.set_level(logging.INFO, "jaxseg")
    given = write(tmp_path / "a.pth", shapes_of(make()))
    with pytest.raises(LoadError, match="adapt_in_channels=True in the config"):
        load(tmp_path / "a.pth", make(in_channels=6))
    loaded = load(tmp_path / "a.pth", make(in_channels=6), adapt=True)
    np.testing.assert_array_equal(
        loaded[key], np.concatenate([given[key]] * 2, axis=1) * np.float32(0.5)
    )
    assert f"backbone.{key}: adapted from 3 to 6 channels" in caplog.text


def test_there_must_be_something_to_adapt(tmp_path):
    write(tmp_path / "a.pth", ORIGINS["timm vit"])
    with pytest.raises(LoadError, match="adapt_in_channels: .* leave it out"):
        load(tmp_path / "a.pth", Vit(), adapt=True)

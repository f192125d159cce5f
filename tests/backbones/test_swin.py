import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.backbones import SwinTransformer
from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.layers.norm import LN
from jaxseg.layers.patch_merging import PatchMerging
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.layout import to_mmseg
from jaxseg.weights.state_dict import from_state_dict, torch_shapes
from tests.models.cases import BACKBONES, build, maps
from tests.weights.pretrained_files import load, shapes_of, write

CONFIG = BACKBONES["SwinTransformer"].config


def originals(timm=False):
    """Names and shapes of the original's weights for `CONFIG`, with a classifier."""
    for key, shape in shapes_of(build("SwinTransformer")).items():
        if key.startswith("norm"):  # those of the stages
            continue
        for ours, theirs in (
            ("patch_embed.projection", "patch_embed.proj"),
            ("stages.", "layers."),
            (".w_msa", ""),
            (".ffn.layers.0.0.", ".mlp.fc1."),
            (".ffn.layers.1.", ".mlp.fc2."),
            ("layers.0.downsample", f"layers.{int(timm)}.downsample"),
        ):
            key = key.replace(ours, theirs)
        yield key, shape
    yield "norm.weight", (8,)
    yield "head.weight", (3, 8)
    if not timm:
        yield "layers.0.blocks.1.attn_mask", (6, 9, 9)


def merged(x, weights):
    """The original's PatchMerging, in NumPy; x (H, W, C) of even sides."""
    pixels = [x[i::2, j::2] for j in range(2) for i in range(2)]
    y = np.concatenate(pixels, axis=-1)
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-5)
    y = y * weights["norm.weight"] + weights["norm.bias"]
    return y @ weights["reduction.weight"].T


def test_weights_of_the_original_load_with_their_channels_in_unfolds_order(tmp_path):
    given = write(tmp_path / "a.pth", dict(originals()))
    loaded = load(tmp_path / "a.pth", build("SwinTransformer"))
    for key in ("qkv.weight", "relative_position_bias_table"):
        theirs = f"layers.1.blocks.0.attn.{key}"
        ours = f"stages.1.blocks.0.attn.w_msa.{key}"
        np.testing.assert_array_equal(loaded[ours], given[theirs])

    def below(weights, start):
        return {
            k.removeprefix(start): a for k, a in weights.items() if k.startswith(start)
        }

    x = np.random.default_rng(0).standard_normal((1, 6, 4, 4), np.float32)
    module = PatchMerging(8, norm_cfg=LN())
    init = functools.partial(module.init, train=False)
    target = jax.eval_shape(init, jax.random.key(0), x)
    variables = from_state_dict(below(loaded, "stages.0.downsample."), target)
    found = module.apply(variables, jnp.asarray(x), False)[0]
    expected = merged(x[0], below(given, "layers.0.downsample."))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_timm_merges_before_a_stage():
    """Of the three downsampling layers that timm's four stages begin with."""
    swin = SwinTransformer()
    keys = [f"layers.{i}.downsample.norm.weight" for i in (1, 2, 3)]
    table = swin.key_table.of_file(keys)
    assert [table.rename(key, ()) for key in keys] == [
        f"stages.{i}.downsample_by_columns.norm.weight" for i in range(3)
    ]
    assert swin.key_table.rename(keys[0], ()).startswith("stages.1.downsample_by")


def test_norms_of_the_stages_alone_start_fresh():
    shapes = shapes_of(build("SwinTransformer"))
    fresh = set(build("SwinTransformer").fresh_modules)
    assert {k for k in shapes if "." + k.partition(".")[0] in fresh} == {
        f"norm{i}.{leaf}" for i in (0, 1) for leaf in ("weight", "bias")
    }
    assert "stages.0.blocks.0.norm1.weight" in shapes


def test_tables_are_resized_to_another_window(tmp_path):
    """mmseg's numbers: torch's bicubic interpolation of the offsets 0 to 8."""
    swin = build("SwinTransformer", window_size=3)
    key = "stages.0.blocks.0.attn.w_msa.relative_position_bias_table"
    table = np.arange(9, dtype=np.float32)[:, None] * np.array([1, -2], np.float32)
    resized = swin.resize_weight(key, table)
    assert resized.shape == (25, 2)
    np.testing.assert_allclose(resized[:, 1], -2 * resized[:, 0], atol=1e-5)
    expected = [-0.384, 0.028, 0.712, 1.396, 1.808]
    np.testing.assert_allclose(resized[:5, 0], expected, atol=1e-5)
    assert swin.resize_weight("norm0.weight", table) is table

    small = build("SwinTransformer", window_size=2)
    given = {k: np.zeros(s, np.float32) for k, s in shapes_of(small).items()}
    given |= small.key_table.buffers(small)  # of another size than the model's
    write_weights(tmp_path / "a.pth", given, {})
    assert load(tmp_path / "a.pth", swin)[key].shape == (25, 2)


def test_mmsegs_files_have_the_tables_of_indices_behind_the_tables_of_biases():
    swin = build("SwinTransformer")
    weights = {k: np.zeros(s, np.float32) for k, s in shapes_of(swin).items()}
    keys = list(to_mmseg(weights, swin, {}, 0))
    for i, key in enumerate(keys):
        if key.endswith("relative_position_bias_table"):
            assert keys[i + 1] == key.replace("bias_table", "index")
    assert sum(key.endswith("relative_position_index") for key in keys) == 3


def test_frozen_stages():
    swin = build("SwinTransformer", frozen_stages=1)
    assert swin.frozen_modules == ("patch_embed", "norm0", "stages.0")
    inputs = maps("SwinTransformer")
    variables = jax.eval_shape(
        functools.partial(swin.init, train=False), jax.random.key(0), *inputs
    )
    for key in swin.frozen_modules:
        assert any(k.startswith(key) for k in torch_shapes(variables))
    assert build("SwinTransformer").frozen_modules == ()


def test_a_position_table_fits_one_size_of_images():
    swin = build("SwinTransformer", use_abs_pos_embed=True, pretrain_img_size=(16, 24))
    swin.check_size((13, 24))
    with pytest.raises(ModelSizeError, match="32x32 has 8x8 patches.* for 4x6, those"):
        swin.check_size((32, 32))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(depths=(2,)), "have 1, 2 and 2 entries; each has one a stage"),
        (dict(strides=(2, 2)), "strides begins with 2, allowed: the patch_size, 4"),
        (dict(num_heads=(2, 3)), "stage 1 is 3, which does not divide its 8 channels"),
    ],
)
def test_mistakes_in_a_config(changes, words):
    with pytest.raises(FieldError, match=words):
        SwinTransformer(**CONFIG | changes)

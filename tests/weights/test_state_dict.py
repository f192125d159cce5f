import jax
import numpy as np
import pytest

from jaxseg.resolve import resolve
from jaxseg.weights.names import torch_key
from jaxseg.weights.state_dict import (
    StateDictError,
    from_state_dict,
    to_state_dict,
    torch_shapes,
)
from tests.small_unet import small_unet

FCN = dict(type="FCNHead", in_channels=8, channels=4, num_classes=3, num_convs=1)
CONFIG = dict(
    type="EncoderDecoder",
    backbone=small_unet(8, upsample_cfg=dict(type="DeconvModule", kernel_size=2)),
    decode_head=dict(FCN, norm_cfg=dict(type="BN")),
    auxiliary_head=[FCN, dict(FCN, in_channels=16, in_index=0)],
)


@pytest.fixture(scope="module")
def variables():
    """Variables of a model with every kind of leaf, all values different."""
    model = resolve(CONFIG, "model")
    images = jax.ShapeDtypeStruct((1, 8, 8, 3), "float32")
    target = jax.eval_shape(model.init, jax.random.key(0), images)
    rng = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: rng.standard_normal(leaf.shape).astype(np.float32), target
    )


def test_names_and_layouts_are_torchs(variables):
    state_dict = to_state_dict(variables)
    # Of the same model built by mmseg 1.2.2.
    expected = {
        "backbone.encoder.1.1.convs.0.conv.weight": (16, 8, 3, 3),
        "backbone.encoder.1.1.convs.0.bn.weight": (16,),
        "backbone.encoder.1.1.convs.0.bn.running_mean": (16,),
        "backbone.encoder.1.1.convs.0.bn.running_var": (16,),
        # A transposed convolution keeps its inputs first.
        "backbone.decoder.0.upsample.deconv_upsamping.0.weight": (16, 8, 2, 2),
        "backbone.decoder.0.upsample.deconv_upsamping.0.bias": (8,),
        "decode_head.conv_seg.weight": (3, 4, 1, 1),
        "auxiliary_head.0.conv_cat.conv.weight": (4, 12, 3, 3),
        "auxiliary_head.1.convs.0.conv.weight": (4, 16, 3, 3),
    }
    assert {key: state_dict[key].shape for key in expected} == expected
    kernel = variables["params"]["decode_head"]["convs.0"]["conv"]["kernel"]
    weight = state_dict["decode_head.convs.0.conv.weight"]
    assert kernel[2, 1, 5, 3] == weight[3, 5, 2, 1]
    upsample = variables["params"]["backbone"]["decoder.0"]["upsample"]
    kernel = upsample["deconv_upsamping.0"]["transposed_kernel"]
    weight = state_dict["backbone.decoder.0.upsample.deconv_upsamping.0.weight"]
    assert kernel[1, 0, 5, 3] == weight[5, 3, 1, 0]


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("backbone", "layer1.0", "bn1", "scale"), "backbone.layer1.0.bn1.weight"),
        (("auxiliary_head.1", "conv_seg", "bias"), "auxiliary_head.1.conv_seg.bias"),
        # Only a list of the segmentor is renamed.
        (("backbone", "block_1", "mean"), "backbone.block_1.running_mean"),
        (("cls_token",), "cls_token"),
    ],
)
def test_key_of_a_path(path, key):
    assert torch_key(path) == key


def test_there_and_back_is_bit_identical(variables):
    target = jax.eval_shape(lambda: variables)
    back = from_state_dict(to_state_dict(variables), target)
    assert jax.tree.structure(back) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, back, variables)


def test_what_only_mmseg_has_is_passed_over(variables):
    state_dict = to_state_dict(variables)
    state_dict["backbone.encoder.0.0.convs.0.bn.num_batches_tracked"] = np.int64(7)
    # mmcv's EMAHook has a second copy of every weight under such a name.
    state_dict["ema_decode_head_conv_seg_bias"] = np.zeros(3)
    back = from_state_dict(state_dict, variables)
    jax.tree.map(np.testing.assert_array_equal, back, variables)
    state_dict["ema_backbone.encoder.bias"] = np.zeros(3)
    with pytest.raises(StateDictError, match="unexpected: ema_backbone.encoder.bias"):
        from_state_dict(state_dict, variables)


def test_neither_way_copies(variables):
    back = from_state_dict(to_state_dict(variables), variables)
    for new, old in zip(jax.tree.leaves(back), jax.tree.leaves(variables), strict=True):
        assert np.shares_memory(new, old)


def test_shapes_are_those_of_the_arrays(variables):
    shapes = {key: array.shape for key, array in to_state_dict(variables).items()}
    assert torch_shapes(variables) == shapes
    assert torch_shapes(jax.eval_shape(lambda: variables)) == shapes


def test_all_differences_are_in_one_error(variables):
    state_dict = to_state_dict(variables)
    del state_dict["decode_head.conv_seg.bias"]
    state_dict["decode_head.conv_seg.weight"] = np.zeros((7, 4, 1, 1))
    state_dict["backbone.encoder.0.0.convs.0.bn.weight"] = np.zeros((8, 1))
    state_dict["auxiliary_head.2.conv_seg.bias"] = np.zeros(3)
    state_dict["auxiliary_head.0.conv_seg.bias"] = np.zeros(3, np.int64)
    with pytest.raises(StateDictError) as error:
        from_state_dict(state_dict, variables)
    assert str(error.value).split("\n  ") == [
        "the state dict does not fit the model in 5 keys:",
        "missing: decode_head.conv_seg.bias",
        "unexpected: auxiliary_head.2.conv_seg.bias",
        "not a weight: auxiliary_head.0.conv_seg.bias is int64",
        "misshapen: backbone.encoder.0.0.convs.0.bn.weight is (8, 1), the model has (8,)",
        (
            "misshapen: decode_head.conv_seg.weight is (7, 4, 1, 1), the model has "
            "(3, 4, 1, 1)"
        ),
    ]

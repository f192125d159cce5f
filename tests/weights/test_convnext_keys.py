"""Key tables of ConvNeXt, PoolFormer, MSCAN and VAN: what other repositories' files have."""

import functools
import json
import pathlib
import re

import numpy as np
import pytest

from jaxseg.backbones import MSCAN, VAN, ConvNeXt, PoolFormer
from tests.weights import pretrained_files

# From make_timm_keys.py.
TIMM = json.loads(pathlib.Path(__file__).with_name("timm_keys.json").read_text())

EACH_STAGE = (0, 1, 2, 3)
V1 = dict(arch="atto", out_indices=EACH_STAGE, gap_before_final_norm=False)
V2 = V1 | dict(use_grn=True, layer_scale_init_value=0.0)
PLACES = dict(arch="s12", out_indices=(0, 2, 4, 6))


shapes_of = functools.cache(pretrained_files.shapes_of)


def select(net, shapes):
    """Our shapes of a file's weights, and the keys that are left out."""
    # No two weights are alike, and none takes memory.
    arrays = {
        key: np.broadcast_to(np.float32(i), shape)
        for i, (key, shape) in enumerate(shapes.items())
    }
    kept, left_out = net.key_table.select(arrays, shapes_of(net))
    if net.key_table.convert is not None:
        kept = net.key_table.convert(kept, net)
    return {key: array.shape for key, array in kept.items()}, left_out


def without_other_norms(net, last):
    """What the files of ImageNet models have: of the last norms, one."""
    norms = re.compile(rf"norm(?!{last})\d\.")
    return {k: s for k, s in shapes_of(net).items() if not norms.match(k)}


def authors_name(key):
    """The name that facebookresearch/ConvNeXt and ConvNeXt-V2 give one of our keys."""
    key = re.sub(r"\.depthwise_conv\.", ".dwconv.", key)
    key = re.sub(r"\.pointwise_conv(\d)\.", r".pwconv\1.", key)
    return re.sub(r"^norm3\.", "norm.", key)


@pytest.mark.parametrize(
    ("name", "net", "last"),
    [
        ("convnext_atto", ConvNeXt(**V1), 3),
        ("convnext_atto", ConvNeXt(**V1, linear_pw_conv=False), 3),
        ("convnextv2_atto", ConvNeXt(**V2), 3),
        ("poolformer_s12", PoolFormer(**PLACES), 6),
    ],
)
def test_timms_weights_have_their_places(name, net, last):
    found, left_out = select(net, TIMM[name])
    assert found == without_other_norms(net, last)
    assert set(left_out) == {"head.fc.weight", "head.fc.bias"}


@pytest.mark.parametrize("net", [ConvNeXt(**V1), ConvNeXt(**V2)])
def test_the_authors_weights_of_convnext_have_their_places(net):
    wanted = without_other_norms(net, 3)
    shapes = {authors_name(key): shape for key, shape in wanted.items()}
    for key, shape in shapes.items():
        if ".grn." in key:
            shapes[key] = (1, 1, 1, *shape)
    assert not shapes.keys() & {k for k in wanted if "conv1" in k or "conv2" in k}
    found, left_out = select(net, shapes | {"head.weight": (1000, 320)})
    assert found == wanted and left_out == ["head.weight"]


def test_the_authors_weights_of_poolformer_have_their_places():
    net = PoolFormer(**PLACES)
    wanted = without_other_norms(net, 6)
    shapes = {re.sub(r"^norm6\.", "norm.", key): s for key, s in wanted.items()}
    found, left_out = select(net, shapes | {"head.bias": (1000,)})
    assert found == wanted and left_out == ["head.bias"]


def test_the_last_norm_is_left_out_with_the_last_stage():
    net = ConvNeXt(**V1 | dict(out_indices=(0, 1)))
    _, left_out = select(net, {"norm.weight": (320,), "head.norm.bias": (320,)})
    assert set(left_out) == {"norm.weight", "head.norm.bias"}


@pytest.mark.parametrize("family", [MSCAN, VAN])
def test_the_authors_depthwise_convolution_is_a_module_in_a_module(family):
    net = family(embed_dims=(4, 6), depths=(1, 1), num_stages=2)
    wanted = shapes_of(net)
    shapes = {k.replace(".dwconv.", ".dwconv.dwconv."): s for k, s in wanted.items()}
    assert shapes.keys() != wanted.keys()
    found, left_out = select(net, shapes | {"head.weight": (1000, 6)})
    assert found == wanted and left_out == ["head.weight"]

import functools

import jax
import numpy as np
import pytest

from jaxseg.errors import FieldError
from jaxseg.weights.state_dict import torch_shapes
from tests.models.cases import build, maps

# Modules of lib/models/bisenetv2.py of https://github.com/CoinCheung/BiSeNet: a
# convolution with its norm is one name, of a Sequential the two items.
DETAIL = [f"S{s}.{k}" for s in (1, 2, 3) for k in range(2 if s == 1 else 3)]
STEM = ["S1S2.conv", "S1S2.left.0", "S1S2.left.1", "S1S2.fuse"]
CONTEXT = ["S5_5.conv_gap", "S5_5.conv_last"]
ROWS = {"S3": 2, "S4": 2, "S5_4": 4}


def pairs(name, items="01"):
    """(name of the convolution, name of the norm)"""
    return [(f"{name}.{c}", f"{name}.{n}") for c, n in zip(items[::2], items[1::2])]


def authors_keys():
    joined = [f"detail.{m}" for m in DETAIL]
    joined += [f"segment.{m}" for m in (*STEM, *CONTEXT)]
    items = []
    for row, count in ROWS.items():
        for k in range(count):
            block = f"segment.{row}.{k}"
            joined.append(f"{block}.conv1")
            items += pairs(f"{block}.conv2")
            if k:
                items += pairs(f"{block}.dwconv")
            else:
                items += pairs(f"{block}.dwconv1") + pairs(f"{block}.dwconv2")
                items += pairs(f"{block}.shortcut", "0123")
    for name in ("left1", "left2", "right1", "right2", "conv"):
        items += pairs(f"bga.{name}")
    items += [(f"{name}.conv", f"{name}.bn") for name in joined]
    items += [(None, "segment.S5_5.bn")]
    items += [("bga.left1.2", None), ("bga.right2.2", None)]
    norm = ("weight", "bias", "running_mean", "running_var")
    for conv, bn in items:
        yield from [f"{conv}.weight"] if conv else []
        yield from [f"{bn}.{leaf}" for leaf in norm] if bn else []


def test_the_weights_of_another_repository_load():
    net = build("BiSeNetV2")
    variables = jax.eval_shape(
        functools.partial(net.init, train=False), jax.random.key(0), *maps("BiSeNetV2")
    )
    known = torch_shapes(variables)
    heads = ["head.conv.conv.weight", "aux5_4.conv_out.1.bias"]
    given = {key: np.array([len(key)]) for key in (*authors_keys(), *heads)}
    kept, left_out = net.key_table.select(given, known)
    assert left_out == heads
    kept = net.key_table.convert(kept, net)
    assert kept.keys() == known.keys()
    assert kept["bga.detail_dwconv.0.pointwise_conv.conv.bias"].tolist() == [0]
    ours = "semantic.stage3.0.shortcut.0.pointwise_conv.bn.running_var"
    theirs = "segment.S4.0.shortcut.3.running_var"
    assert net.key_table.rename(theirs, known) == ours
    theirs = "segment.S5_4.2.dwconv.1.weight"
    ours = "semantic.stage4.2.dwconv.0.bn.weight"
    assert net.key_table.rename(theirs, known) == ours


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(detail_channels=(4, 8)), "needs 3 entries for 4 semantic_channels"),
        (dict(bga_channels=9), "detail_channels ends with 8, allowed: bga_channels, 9"),
        (dict(out_indices=(0, 5)), "out_indices is \\(0, 5\\), allowed: 0 to 4"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(FieldError, match=words):
        build("BiSeNetV2").clone(**changes)

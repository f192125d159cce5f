import functools

import jax
import pytest

from jaxseg.errors import FieldError
from jaxseg.weights.state_dict import torch_shapes
from tests.models.cases import build, maps

NORM = ("weight", "bias", "running_mean", "running_var")


def block(name, *convs):
    """Keys of the authors' blocks, (convolution, norm behind it) one after another."""
    for conv, norm in convs:
        yield from (f"{name}.{conv}.{leaf}" for leaf in ("weight", "bias"))
        yield from (f"{name}.{norm}.{leaf}" for leaf in NORM if norm)


def residual(name):
    pairs = (("conv3x1_1", ""), ("conv1x3_1", "bn1"))
    return block(name, *pairs, ("conv3x1_2", ""), ("conv1x3_2", "bn2"))


def test_the_authors_weights_load():
    """Of the names in train/erfnet.py of https://github.com/Eromera/erfnet_pytorch."""
    net = build("ERFNet")
    variables = jax.eval_shape(
        functools.partial(net.init, train=False), jax.random.key(0), *maps("ERFNet")
    )
    resampling, heads = ("conv", "bn"), [("output_conv", "")]
    theirs = [
        *block("encoder.initial_block", resampling),
        *block("encoder.layers.0", resampling),
        *residual("encoder.layers.1"),
        *block("encoder.layers.2", resampling),
        *residual("encoder.layers.3"),
        *residual("encoder.layers.4"),
        *block("decoder.layers.0", resampling),
        *residual("decoder.layers.1"),
        *block("decoder.layers.2", resampling),
        *residual("decoder.layers.3"),
    ]
    classifiers = [*block("encoder", *heads), *block("decoder", *heads)]
    known = torch_shapes(variables)
    kept, left_out = net.key_table.select(
        {key: key for key in (*theirs, *classifiers)}, known
    )
    assert kept.keys() == known.keys() and left_out == classifiers
    assert kept["encoder.1.bn.weight"] == "encoder.layers.0.bn.weight"
    assert kept["encoder.5.convs_layers.7.bias"] == "encoder.layers.4.conv1x3_2.bias"
    assert kept["decoder.1.convs_layers.3.bias"] == "decoder.layers.1.bn1.bias"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(enc_non_bottleneck_channels=(6, 9)), "is \\(6, 9\\), allowed: enc_down"),
        (dict(dec_upsample_channels=(6,)), "allowed: dec_non_bottleneck_channels"),
        (dict(enc_stage_non_bottlenecks=(1, 3)), "last entry 2 must divide"),
        (dict(dec_stages_non_bottleneck=(1,)), "needs 2 entries for 3 enc_down"),
        (dict(in_channels=5), "the first than in_channels, 5"),
    ],
)
def test_what_does_not_fit_together(changes, words):
    with pytest.raises(FieldError, match=words):
        build("ERFNet").clone(**changes)

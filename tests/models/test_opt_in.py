"""What opts into padding or bands computes what it computes of the image alone."""

import functools
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.norm import BN
from jaxseg.ops.bands.split_rows import SplitRows, rows_over
from jaxseg.ops.context import (
    global_mean,
    group_norm,
    pixel_attention,
    pixel_product,
    spatial_softmax,
)
from jaxseg.ops.padded.valid_size import ValidSizes
from jaxseg.ops.pool import max_pool
from jaxseg.resolve import resolve
from jaxseg.segmentors.opt_in import part_without
from tests.models.cases import (
    BACKBONES,
    HEADS,
    MODULES,
    PYRAMID,
    build,
    variants_long,
    weights,
)

FLAG = "takes_padding"


class Port(BaseDecodeHead, kw_only=True):
    """A head that looks at whole maps, as it is ported with `ops/context`."""

    in_channels: int = 4
    channels: int = 4
    num_classes: int = 3

    takes_padding = True
    takes_bands = True

    @nn.compact
    def __call__(self, inputs, train):
        x = self.transform_inputs(inputs)
        x = self.looks_at_all(self.conv_module(4, 3, "conv")(x, train), train)
        return self.cls_seg(self.conv_module(4, 3, "last")(x, train), train)


class GroupNormPort(Port):
    takes_padding = True
    takes_bands = True

    def looks_at_all(self, x, train):
        return group_norm(x, 2, 1e-5) * self.param("scale", nn.initializers.ones, (4,))


class SqueezePort(Port):
    takes_padding = True
    takes_bands = True

    def looks_at_all(self, x, train):
        squeezed = self.conv_module(2, 1, "conv1")(global_mean(x), train)
        return x * jax.nn.sigmoid(self.conv_module(4, 1, "conv2")(squeezed, train))


class NonLocalPort(Port):
    takes_padding = True
    takes_bands = True

    def looks_at_all(self, x, train):
        names = ("theta", "phi", "g")
        q, k, v = (self.conv_module(2, 1, name)(x, train) for name in names)
        y = pixel_attention(q, k, v)
        return x + self.conv_module(4, 1, "conv_out")(y, train)


class ContextPort(Port):
    """GCNet's block: a mean whose weights are a softmax over the pixels."""

    takes_padding = True
    takes_bands = True

    def looks_at_all(self, x, train):
        weights = spatial_softmax(self.conv_module(1, 1, "conv_mask")(x, train))
        context = pixel_product(weights, x)[:, None]
        return x + self.conv_module(4, 1, "add")(context, train)


class NaturalPort(Port):
    """What `SqueezePort` is without `ops/context`: it does not opt in."""

    def looks_at_all(self, x, train):
        return x * jax.nn.sigmoid(x.mean((1, 2), keepdims=True))


PORTS = {
    port.__name__: port()
    for port in (GroupNormPort, SqueezePort, NonLocalPort, ContextPort)
}


def module_of(name):
    return PORTS[name] if name in PORTS else build(name)


def shapes_of(name):
    """(H, W, C) of each map."""
    if name in PORTS:
        return PYRAMID[:1]
    shapes = MODULES[name].inputs
    return [shape[0] if has_tokens(name) else shape for shape in shapes]


def has_tokens(name):
    """Whether each map comes with a class token."""
    return name in MODULES and isinstance(MODULES[name].inputs[0][0], tuple)


def inputs_of(name, x):
    """The arguments, made of one image (N, H, W, C) as a backbone makes its maps."""
    shapes = shapes_of(name)
    height, levels = shapes[0][0], []
    for i, (rows, _, channels) in enumerate(shapes):
        while height > rows:
            height, x = -(-height // 2), max_pool(x, 3, 2, 1)
        levels.append(jnp.sin(i + x[..., :channels]))
    if name in BACKBONES:
        return levels
    if has_tokens(name):
        return [tuple((x, jnp.cos(x[:, 0, 0])) for x in levels)]
    previous = () if name in PORTS else MODULES[name].previous or ()
    # What a head before gives for the coarsest map.
    return tuple(levels), *(jnp.cos(x[..., :channels]) for channels in previous[2:])


def opted(flag):
    """The entries that opt in with all their parts."""
    names = (*MODULES, *PORTS)
    return [name for name in names if part_without(module_of(name), flag) is None]


@functools.cache
def model_of(name):
    """(variables, image) -> tuple of maps, and the variables."""
    module = module_of(name)
    shape = (1, *shapes_of(name)[0][:2], channels_of(name))
    with jax.enable_x64(False):
        variables = weights(module, *inputs_of(name, jnp.zeros(shape)))
    variables = jax.tree.map(np.float64, variables)

    def run(variables, x):
        return jax.tree.leaves(module.apply(variables, *inputs_of(name, x), False))

    return run, variables


def channels_of(name):
    return max(shape[2] for shape in shapes_of(name))


def reduction(name):
    """How many rows of the image one row of the coarsest map stands for."""
    if name in PORTS:
        return 1
    if "backbone_cfg" in MODULES[name].config:  # whose last map stays inside
        return 32
    rows = min(shape[0] for shape in MODULES[name].outputs if len(shape) == 3)
    return 2 ** math.ceil(math.log2(shapes_of(name)[0][0] / rows))


def image(name, size):
    rng = np.random.default_rng(size)
    return rng.standard_normal((1, *size, channels_of(name)))


def close(found, expected):
    assert found.shape == expected.shape
    assert expected.dtype == jnp.float64
    bound = 3e-12 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_who_opts_in():
    padding, bands = (set(opted(f"takes_{what}")) for what in ("padding", "bands"))
    # Attention and a class token need all pixels on every device, criss-cross attention
    # whole columns, and a map of 1/64 of the image has too few rows to be split, as have
    # the windows of an attention.
    assert padding - bands == {
        "CCHead",
        "DDRNet",
        "DPTHead",
        "PIDNet",
        "SegmenterMaskTransformerHead",
        "SVT",
        "SwinTransformer",
        "VisionTransformer",
    }
    assert bands < padding
    # These run at exact sizes, and on one device.
    assert {*MODULES, *PORTS} - padding == {
        "BEiT",
        "DINOv2",
        "DINOv3",
        "EoMTHead",
        "ISAHead",
        "ICNet",
        "IterativeDecodeHead",
        "LRASPPHead",
        "Mask2FormerHead",
        "MAE",
        "MaskFormerHead",
        "MobileNetV3",
        "PSAHead",
        "PointHead",
        "SideAdapterCLIPHead",
        "VPDDepthHead",
    }


def test_a_part_that_does_not_opt_in_is_named():
    segmentor = resolve(
        dict(
            type="EncoderDecoder",
            backbone={"type": "ResNetV1c"} | BACKBONES["ResNetV1c"].config,
            decode_head={"type": "FCNHead"} | HEADS["FCNHead"].config,
        ),
        "model",
    )
    # Auxiliary heads and losses do not run where a model predicts.
    assert part_without(segmentor.clone(auxiliary_head=NaturalPort()), FLAG) is None
    natural = segmentor.clone(decode_head=NaturalPort())
    assert part_without(natural, FLAG) == "model.decode_head (NaturalPort)"

    class Norm(BN):
        pass

    backbone = segmentor.backbone.clone(norm_cfg=Norm())
    found = part_without(segmentor.clone(backbone=backbone), FLAG)
    assert found == "model.backbone.norm_cfg (Norm)"


def sizes_for(name):
    """A bucket and two images in it, of odd sizes wherever they are legal."""
    if name == "FastSCNN":
        # A bucket takes no image where a map and a pooled one, 6 at most, have the same
        # length in it: here the map at 1/32 is larger.
        return (257, 225), (193, 127), (160, 225)
    if name in BACKBONES and "downsamples" in MODULES[name].config:
        return (64, 56), (48, 28), (40, 56)  # which downsampling must divide
    return (65, 57), (49, 31), (40, 57)


@pytest.fixture
def float64():
    """What two programs give differs by roundings alone, which are small in float64."""
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", variants_long(opted("takes_padding")))
def test_in_a_bucket(name):
    """Of two images in one program; the padding is NaN: what sees it shows it."""
    run, variables = model_of(name)
    bucket, *sizes = sizes_for(name)
    padded = np.full((2, *bucket, channels_of(name)), np.nan)
    for place, size in zip(padded, sizes, strict=True):
        place[: size[0], : size[1]] = image(name, size)[0]
    known = ValidSizes(bucket)
    with known.tracing(2):
        jax.eval_shape(run, variables, padded)
    assert all(map(known.takes, sizes))

    def masked(variables, x, arrays):
        with known.tracing(2, arrays):
            return run(variables, x)

    outputs = jax.jit(masked)(variables, padded, known.arrays(sizes))
    for i, size in enumerate(sizes):
        alone = jax.jit(run)(variables, image(name, size))
        for output, expected in zip(outputs, alone, strict=True):
            found = np.asarray(output)[i : i + 1]
            if found.ndim > 2:  # a map, and no vector of the whole image
                height, width = (
                    known.length_at(axis, output.shape[1 + axis], size[axis])
                    for axis in range(2)
                )
                found = found[:, :height, :width]
            close(found, expected)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    # Of four bands, two have a neighbour on either side.
    "count",
    [4, pytest.param(2, marks=pytest.mark.long)],
)
@pytest.mark.parametrize("name", variants_long(opted("takes_bands")))
def test_in_bands(name, count):
    run, variables = model_of(name)
    x = image(name, (max(4 * reduction(name), 64), 48))
    alone = jax.jit(run)(variables, x)
    bands = SplitRows("rows", count, x.shape[1:3])

    def run_band(variables, x):
        with rows_over(bands):
            return run(variables, x)

    mapped = jax.shard_map(
        run_band,
        mesh=Mesh(np.array(jax.devices()[:count]), ("rows",)),
        in_specs=(P(), P(None, "rows")),
        out_specs=[P(None, "rows") if y.ndim > 2 else P() for y in alone],
    )
    for found, expected in zip(jax.jit(mapped)(variables, x), alone, strict=True):
        close(np.asarray(found), expected)

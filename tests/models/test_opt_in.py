"""What opts into padding or bands computes what it computes of the image alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxseg.ops.bands.split_rows import SplitRows, rows_over
from jaxseg.ops.padded.valid_size import ValidSizes
from jaxseg.ops.pool import max_pool
from jaxseg.segmentors.opt_in import part_without
from tests.models.test_contracts import (
    BACKBONES,
    MODULES,
    QUICKLY,
    as_tuple,
    build,
    weights,
)

jit = functools.partial(jax.jit, compiler_options=QUICKLY)


def inputs_of(name, x):
    """The case's maps, made of one image (N, H, W, C) as a backbone makes them."""
    shapes = MODULES[name].inputs
    height, levels = shapes[0][0], []
    for i, (rows, _, channels) in enumerate(shapes):
        while height > rows:
            height, x = -(-height // 2), max_pool(x, 3, 2, 1)
        levels.append(jnp.sin(i + x[..., :channels]))
    return levels[0] if name in BACKBONES else tuple(levels)


def opted(flag):
    """The entries that opt in with all their parts."""
    return [name for name in MODULES if part_without(build(name), flag) is None]


@functools.cache
def model_of(name):
    """(variables, image) -> tuple of maps, and the variables."""
    module = build(name)
    shape = (1, *MODULES[name].inputs[0][:2], channels_of(name))
    variables = weights(module, inputs_of(name, jnp.zeros(shape)))

    def run(variables, x):
        return as_tuple(module.apply(variables, inputs_of(name, x), False))

    return run, variables


def channels_of(name):
    return max(shape[2] for shape in MODULES[name].inputs)


def image(name, size):
    rng = np.random.default_rng(size)
    return rng.standard_normal((1, *size, channels_of(name))).astype(np.float32)


def close(found, expected):
    assert found.shape == expected.shape
    bound = 3e-6 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=bound)


def test_who_opts_in():
    assert set(opted("takes_padding")) == set(MODULES)
    # Its attention and its class token need all pixels on every device.
    assert set(MODULES) - set(opted("takes_bands")) == {"VisionTransformer"}


@pytest.mark.parametrize("name", opted("takes_padding"))
def test_in_a_bucket(name):
    """Of two images in one program; the padding is NaN: what sees it shows it."""
    run, variables = model_of(name)
    is_unet = "downsamples" in MODULES[name].config
    # Of odd sizes, but where downsampling must divide them.
    bucket, *sizes = (
        ((64, 56), (48, 28), (40, 56)) if is_unet else ((65, 57), (49, 31), (40, 57))
    )
    padded = np.full((2, *bucket, channels_of(name)), np.nan, np.float32)
    for place, size in zip(padded, sizes, strict=True):
        place[: size[0], : size[1]] = image(name, size)[0]
    known = ValidSizes(bucket)
    with known.tracing(2):
        jax.eval_shape(run, variables, padded)
    assert all(map(known.takes, sizes))

    def masked(variables, x, arrays):
        with known.tracing(2, arrays):
            return run(variables, x)

    outputs = jit(masked)(variables, padded, known.arrays(sizes))
    for i, size in enumerate(sizes):
        alone = jit(run)(variables, image(name, size))
        for output, expected in zip(outputs, alone, strict=True):
            lengths = (
                known.length_at(axis, output.shape[1 + axis], size[axis])
                for axis in range(2)
            )
            height, width = lengths
            close(np.asarray(output)[i : i + 1, :height, :width], expected)


@pytest.mark.parametrize("name", opted("takes_bands"))
def test_in_bands(name):
    run, variables = model_of(name)
    x = image(name, (64, 48))
    alone = jit(run)(variables, x)
    for count in (2, 4):
        bands = SplitRows("rows", count, x.shape[1:3])

        def run_band(variables, x, bands=bands):
            with rows_over(bands):
                return run(variables, x)

        mapped = jax.shard_map(
            run_band,
            mesh=Mesh(np.array(jax.devices()[:count]), ("rows",)),
            in_specs=(P(), P(None, "rows")),
            out_specs=P(None, "rows"),
        )
        for found, expected in zip(jit(mapped)(variables, x), alone, strict=True):
            close(np.asarray(found), expected)

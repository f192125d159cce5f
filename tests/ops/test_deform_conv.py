"""Deformable convolution equals torchvision's deform_conv2d, and its gradients.

deform_conv.npz has what torchvision 0.28's compiled operation gave in float64. Its
offsets lead to whole pixels, to the border and beyond it, too; not to exactly one pixel
outside, where torchvision's gradient is that of one side, and mmcv's and ours is 0.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxseg.ops.bands.split_rows import CannotSplit, SplitRows, rows_over
from jaxseg.ops.conv import conv2d
from jaxseg.ops.deform_conv import deform_conv2d
from jaxseg.ops.padded.valid_size import ValidSizes

STORED = np.load(pathlib.Path(__file__).with_name("deform_conv.npz"))
CASES = sorted({key.split("/")[0] for key in STORED})


def case(name, dtype):
    """Its arrays, in a type, and what it is called with."""
    arrays = {
        key.split("/")[1]: STORED[key] for key in STORED if key.startswith(f"{name}/")
    }
    how = json.loads(str(arrays.pop("how")))
    return {key: jnp.asarray(a, dtype) for key, a in arrays.items()}, how


def value_and_gradients(arrays, how):
    names = [n for n in ("x", "kernel", "offset", "mask") if n in arrays]

    def run(given):
        return deform_conv2d(**given, **how)

    y, pull = jax.vjp(jax.jit(run), {n: arrays[n] for n in names})
    (gradients,) = pull(arrays["g"])
    return {"y": y} | {f"of_{n}": gradients[n] for n in names}


@pytest.mark.parametrize(
    ("bits", "name"), [*((64, name) for name in CASES), (32, "strided_groups")]
)
def test_equals_torchvision(bits, name):
    with jax.enable_x64(bits == 64):
        arrays, how = case(name, f"float{bits}")
        found = value_and_gradients(arrays, how)
        assert len(found) == (5 if "mask" in arrays else 4)
        for key, array in found.items():
            expected = STORED[f"{name}/{key}"]
            bound = (1e-12 if bits == 64 else 1e-5) * np.abs(expected).max()
            np.testing.assert_allclose(array, expected, rtol=0, atol=bound, err_msg=key)


def test_without_offsets_it_is_a_convolution_in_any_type():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((2, 7, 6, 4)), jnp.bfloat16)
    kernel = jnp.asarray(rng.standard_normal((3, 3, 2, 6)), jnp.bfloat16)
    found = deform_conv2d(x, kernel, jnp.zeros((2, 4, 3, 18)), None, 2, 1, 1, 2)
    assert found.dtype == jnp.bfloat16
    expected = conv2d(x, kernel, 2, 1, 1, 2)
    np.testing.assert_allclose(
        found.astype(float), expected.astype(float), rtol=0.01, atol=0.05
    )


def test_the_gradient_of_a_pixel_is_summed_in_float32():
    """In bfloat16 a sum of ones stops at 256."""
    side = 32
    rows, columns = jnp.meshgrid(jnp.arange(side), jnp.arange(side), indexing="ij")
    to_the_first = -jnp.stack([rows, columns], -1)[None].astype(jnp.float32)
    kernel = jnp.ones((1, 1, 1, 1), jnp.bfloat16)

    def total(x):
        return deform_conv2d(x, kernel, to_the_first).astype(jnp.float32).sum()

    gradient = jax.grad(total)(jnp.ones((1, side, side, 1), jnp.bfloat16))
    assert gradient.dtype == jnp.bfloat16
    assert gradient[0, 0, 0, 0] == side**2 and gradient.sum() == side**2


def test_no_pixel_is_seen_beyond_the_border():
    x, kernel = jnp.ones((1, 3, 3, 1)), jnp.ones((1, 1, 1, 1))
    for far, expected in (
        (-0.5, 0.5),
        (-1.0, 0.0),
        (-9.0, 0.0),
        (3.0, 0.0),
        (2.5, 0.5),
    ):
        offset = jnp.zeros((1, 3, 3, 2)).at[0, 0, 0].set(jnp.array([far, 0.0]))
        assert deform_conv2d(x, kernel, offset)[0, 0, 0, 0] == expected


def test_memory_is_that_of_one_tap():
    x, kernel = jnp.zeros((1, 32, 32, 64)), jnp.zeros((3, 3, 64, 64))
    run = jax.jit(functools.partial(deform_conv2d, padding=1))
    program = run.lower(x, kernel, jnp.zeros((1, 32, 32, 18))).compile()
    columns = 9 * x.nbytes  # mmcv's
    assert program.memory_analysis().temp_size_in_bytes < columns


def test_gradients_over_devices_are_those_of_one():
    arrays, how = case("modulated", "float32")
    g = arrays.pop("g")
    names = ("x", "kernel", "offset", "mask")
    given = [arrays[name] for name in names]

    def gradients(g, *given):
        def total(*given):
            return (
                deform_conv2d(**dict(zip(names, given, strict=True)), **how) * g
            ).sum()

        return jax.grad(total, (0, 1, 2, 3))(*given)

    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    images = P("data")
    specs = (images, P(), images, images)
    mapped = jax.shard_map(
        gradients, mesh=mesh, in_specs=(images, *specs), out_specs=specs
    )
    for found, name in zip(jax.jit(mapped)(g, *given), names, strict=True):
        expected = STORED[f"modulated/of_{name}"]
        bound = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=bound, err_msg=name)


def test_in_a_bucket():
    """What lies beyond the image is NaN: what sees it shows it."""
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(rng.standard_normal((3, 3, 2, 2)), jnp.float32)
    bucket, sizes = (9, 8), ((6, 8), (9, 5))
    x = np.full((2, *bucket, 2), np.nan, np.float32)
    offset = np.full((2, *bucket, 18), np.nan, np.float32)
    for i, (h, w) in enumerate(sizes):
        x[i, :h, :w] = rng.standard_normal((h, w, 2))
        offset[i, :h, :w] = 3 * rng.standard_normal((h, w, 18))
    run = functools.partial(deform_conv2d, padding=1)
    known = ValidSizes(bucket)
    with known.tracing(2):
        jax.eval_shape(run, x, kernel, offset)
    assert all(map(known.takes, sizes))

    def masked(x, offset, arrays):
        with known.tracing(2, arrays):
            return run(x, kernel, offset)

    found = jax.jit(masked)(x, offset, known.arrays(sizes))
    for i, (h, w) in enumerate(sizes):
        alone = run(x[i : i + 1, :h, :w], kernel, offset[i : i + 1, :h, :w])
        np.testing.assert_allclose(found[i, :h, :w], alone[0], rtol=0, atol=1e-5)


def test_a_band_of_rows_is_refused():
    bands = SplitRows("rows", 2, (8, 6))

    def run(x):
        with rows_over(bands):
            return deform_conv2d(x, jnp.ones((1, 1, 2, 2)), jnp.zeros((1, 4, 6, 2)))

    mesh = Mesh(np.array(jax.devices()[:2]), ("rows",))
    mapped = jax.shard_map(
        run, mesh=mesh, in_specs=P(None, "rows"), out_specs=P(None, "rows")
    )
    with pytest.raises(CannotSplit, match="deformable convolution"):
        jax.eval_shape(mapped, jnp.zeros((1, 8, 6, 2)))

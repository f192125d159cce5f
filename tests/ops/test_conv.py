import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

from jaxseg.ops.conv import conv2d, conv_transpose2d

# Sides of the kernel, stride, padding, dilation, groups, features; 6 channels in.
_BRANCHES = {
    "1x1": (1, 1, 0, 1, 1, 6),
    "1x1 strided": (1, 2, 0, 1, 1, 6),
    "1x1 padded": (1, 1, 1, 1, 1, 6),
    "dense": (3, 1, 1, 1, 1, 6),
    "dense strided": (3, 2, 1, 1, 1, 6),
    "dense 1x5": ((1, 5), 1, (0, 2), 1, 1, 4),
    "dense 3x1 dilated": ((3, 1), 1, (4, 0), 4, 1, 6),
    "dense 1x3 strided": ((1, 3), 2, (0, 1), 1, 1, 6),
    "dilated": (3, 1, 2, 2, 1, 6),
    "grouped": (3, 1, 1, 1, 2, 6),
    "grouped strided": (3, 2, 1, 1, 3, 6),
    "grouped, more features": (3, 1, 2, 2, 3, 12),
    "grouped 1x1": (1, 2, 0, 1, 2, 6),
    "depthwise": (3, 1, 1, 1, 6, 6),
    "depthwise 1x1": (1, 1, 0, 1, 6, 6),
    "depthwise dilated": (3, 1, 3, 3, 6, 6),
    "depthwise strided": (3, 2, 1, 1, 6, 6),
    "depthwise strided by 3": (5, 3, 2, 1, 6, 6),
    "depthwise strided past its kernel": (2, 3, 0, 1, 6, 6),
    "depthwise strided and dilated": (3, 2, 2, 2, 6, 6),
    "depthwise 5x5": (5, 1, 2, 1, 6, 6),
    "depthwise without padding": (4, 2, 0, 1, 6, 6),
    "depthwise with much padding": (3, 1, 4, 1, 6, 6),
    "depthwise 1x7": ((1, 7), 1, (0, 3), 1, 6, 6),
    "depthwise 7x1 strided": ((7, 1), 2, (3, 0), 1, 6, 6),
    "depthwise, three features a channel": (3, 2, 1, 1, 6, 18),
}


def _numbers(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def _pair(value):
    return value if isinstance(value, tuple) else (value, value)


def _taps(x, kernel, stride, padding, dilation):
    """The padded x, and for each tap of the kernel the part of x that it meets."""
    x = np.pad(x, ((0, 0), *((pad, pad) for pad in _pair(padding)), (0, 0)))
    rows, columns = kernel.shape[:2]
    height = (x.shape[1] - dilation * (rows - 1) - 1) // stride + 1
    width = (x.shape[2] - dilation * (columns - 1) - 1) // stride + 1
    parts = {}
    for i in range(rows):
        for j in range(columns):
            down = slice(i * dilation, i * dilation + stride * (height - 1) + 1, stride)
            right = slice(j * dilation, j * dilation + stride * (width - 1) + 1, stride)
            parts[i, j] = (slice(None), down, right)
    return x, parts


def _dense(kernel, groups):
    """The same kernel without groups: zeros between channels of different groups."""
    rows, columns, inputs, outputs = kernel.shape
    dense = np.zeros((rows, columns, inputs * groups, outputs))
    each = outputs // groups
    for g in range(groups):
        i, o = slice(g * inputs, (g + 1) * inputs), slice(g * each, (g + 1) * each)
        dense[:, :, i, o] = kernel[..., o]
    return dense


def _undense(gradient, groups):
    inputs, each = gradient.shape[2] // groups, gradient.shape[3] // groups
    parts = [
        gradient[:, :, g * inputs : (g + 1) * inputs, g * each : (g + 1) * each]
        for g in range(groups)
    ]
    return np.concatenate(parts, axis=3)


def _expected(x, kernel, stride, padding, dilation, groups):
    """In float64: the result, and its gradients for a cotangent."""
    dense = _dense(kernel.astype(np.float64), groups)
    padded, parts = _taps(x.astype(np.float64), kernel, stride, padding, dilation)
    result = sum(padded[part] @ dense[tap] for tap, part in parts.items())

    def gradients(g):
        dx, dkernel = np.zeros_like(padded), np.zeros_like(dense)
        for tap, part in parts.items():
            dx[part] += g @ dense[tap].T
            dkernel[tap] = np.tensordot(padded[part], g, ((0, 1, 2), (0, 1, 2)))
        (height, width), (top, left) = x.shape[1:3], _pair(padding)
        dx = dx[:, top : top + height, left : left + width]
        return dx, _undense(dkernel, groups)

    return result, gradients


def _error(actual, expected):
    """Norm of the difference over the norm."""
    assert actual.shape == expected.shape
    difference = np.asarray(actual, np.float64) - np.asarray(expected, np.float64)
    return np.linalg.norm(difference) / np.linalg.norm(expected)


def _errors(function, x, kernel, expected, gradients):
    """Errors of the result and of both gradients, under jit."""
    g = _numbers(*expected.shape, seed=2).astype(x.dtype)

    @jax.jit
    def run(x, kernel, g):
        result, vjp = jax.vjp(function, x, kernel)
        return result, *vjp(g)

    actual = run(x, kernel, g)
    assert all(array.dtype == x.dtype for array in actual)
    wanted = (expected, *gradients(np.asarray(g, np.float64)))
    return [_error(a, w) for a, w in zip(actual, wanted, strict=True)]


def _case(branch, dtype):
    sides, stride, padding, dilation, groups, features = _BRANCHES[branch]
    x = _numbers(2, 9, 12, 6).astype(dtype)
    kernel = _numbers(*_pair(sides), 6 // groups, features).astype(dtype)
    args = (stride, padding, dilation, groups)
    function = functools.partial(
        conv2d, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    return function, x, kernel, *_expected(x, kernel, *args)


@pytest.mark.parametrize("branch", _BRANCHES)
def test_conv2d_and_its_gradients_are_those_of_numpy(branch):
    with jax.enable_x64(True):
        errors = _errors(*_case(branch, np.float64))
    assert max(errors) < 2e-15, errors


@pytest.mark.parametrize(
    "branch", ["1x1", "dense", "dense 1x5", "grouped", "depthwise", "depthwise strided"]
)
def test_float32_is_summed_in_float32(branch):
    # The gradient of a kernel sums over all pixels.
    assert max(_errors(*_case(branch, np.float32))) < 6e-7


@pytest.mark.parametrize(
    "branch", ["1x1", "dense", "dense 1x5", "grouped", "depthwise"]
)
def test_bfloat16_stays_bfloat16(branch):
    # Half a unit in the last place of bfloat16 is 2e-3 of the value.
    assert max(_errors(*_case(branch, jnp.bfloat16))) < 4e-3


def test_groups_that_fill_a_dense_convolution_are_not_packed():
    # 40 features a group: every group is a convolution of its own, as is none of 4.
    kernel = _numbers(1, 1, 4, 80).astype(np.float32)
    x = _numbers(1, 3, 5, 8).astype(np.float32)
    expected, gradients = _expected(x, kernel, 1, 0, 1, 2)
    function = functools.partial(conv2d, groups=2)
    assert max(_errors(function, x, kernel, expected, gradients)) < 6e-7
    program = str(jax.make_jaxpr(function)(x, kernel))
    assert "f32[4,40]" in program and "f32[8,80]" not in program


def _transposed(x, kernel, stride, padding, more):
    """In float64: each input value stamps the kernel, and the margins are cut."""
    x, kernel = x.astype(np.float64), kernel.astype(np.float64)
    batch, height, width, _ = x.shape
    side = kernel.shape[0]
    rows = (height - 1) * stride + side + more
    columns = (width - 1) * stride + side + more
    parts = {}
    for i in range(side):
        for j in range(side):
            down = slice(i, i + stride * (height - 1) + 1, stride)
            right = slice(j, j + stride * (width - 1) + 1, stride)
            parts[i, j] = (slice(None), down, right)
    full = np.zeros((batch, rows, columns, kernel.shape[3]))
    for tap, part in parts.items():
        full[part] += x @ kernel[tap]
    inner = (
        slice(None),
        slice(padding, rows - padding),
        slice(padding, columns - padding),
    )

    def gradients(g):
        wide, dkernel = np.zeros_like(full), np.zeros_like(kernel)
        wide[inner] = g
        dx = sum(wide[part] @ kernel[tap].T for tap, part in parts.items())
        for tap, part in parts.items():
            dkernel[tap] = np.tensordot(x, wide[part], ((0, 1, 2), (0, 1, 2)))
        return dx, dkernel

    return full[inner], gradients


@pytest.mark.parametrize(
    "side, stride, padding, more",
    [
        (2, 2, 0, 0),
        (4, 2, 1, 0),
        (3, 2, 1, 0),
        (3, 2, 1, 1),
        (4, 4, 0, 0),
        (4, 4, 0, 3),
        (5, 3, 2, 0),
        (5, 3, 2, 2),
        (2, 3, 0, 0),
        (3, 1, 1, 0),
    ],
)
def test_conv_transpose2d_and_its_gradients_are_those_of_numpy(
    side, stride, padding, more
):
    with jax.enable_x64(True):
        x = _numbers(2, 5, 6, 6)
        kernel = _numbers(side, side, 6, 4)
        function = functools.partial(
            conv_transpose2d, stride=stride, padding=padding, output_padding=more
        )
        expected, gradients = _transposed(x, kernel, stride, padding, more)
        errors = _errors(function, x, kernel, expected, gradients)
    assert max(errors) < 2e-15, errors


_FORMS = {
    "1x1": lambda x, kernel: conv2d(x, kernel[:1, :1]),
    "1x3": lambda x, kernel: conv2d(x, kernel[:1], padding=(0, 1)),
    "grouped": lambda x, kernel: conv2d(x, kernel[:, :, :3], padding=1, groups=2),
    "depthwise": lambda x, kernel: conv2d(
        x, kernel[:, :, :1], stride=2, padding=1, groups=6
    ),
    "transposed": lambda x, kernel: conv_transpose2d(x, kernel, 2, 1),
}


@pytest.mark.parametrize("form", _FORMS)
def test_gradient_of_a_replicated_kernel_is_summed_over_the_devices(form):
    x = _numbers(8, 6, 7, 6).astype(np.float32)
    kernel = _numbers(3, 3, 6, 6).astype(np.float32)

    def mean_square(x, kernel):
        return jnp.mean(jnp.square(_FORMS[form](x, kernel)))

    mesh = jax.make_mesh((2,), ("data",), axis_types=(AxisType.Auto,))

    @jax.jit
    @functools.partial(
        jax.shard_map, mesh=mesh, in_specs=(P("data"), P()), out_specs=(P("data"), P())
    )
    def split(x, kernel):
        def loss(x, kernel):
            return jax.lax.pmean(mean_square(x, kernel), "data")

        return jax.grad(loss, argnums=(0, 1))(x, kernel)

    whole = jax.jit(jax.grad(mean_square, argnums=(0, 1)))(x, kernel)
    for ours, expected in zip(split(x, kernel), whole, strict=True):
        assert _error(ours, expected) < 6e-7


@pytest.mark.parametrize("form", _FORMS)
def test_vmap_and_remat_change_nothing(form):
    x = _numbers(3, 2, 6, 7, 6).astype(np.float32)
    kernel = _numbers(3, 3, 3, 6, 6).astype(np.float32)

    def loss(x, kernel):
        return jnp.sum(jnp.sin(_FORMS[form](x, kernel)))

    gradients = jax.jit(jax.grad(loss, argnums=(0, 1)))
    mapped = jax.jit(jax.vmap(jax.grad(jax.checkpoint(loss), argnums=(0, 1))))
    for i, (dx, dkernel) in enumerate(zip(*mapped(x, kernel), strict=True)):
        expected = gradients(x[i], kernel[i])
        assert _error(dx, expected[0]) < 1e-6
        assert _error(dkernel, expected[1]) < 1e-6


@pytest.mark.parametrize("form", _FORMS)
def test_elsewhere_than_on_a_cpu_xlas_own_form_gives_the_same(form, request):
    x = _numbers(2, 6, 7, 6).astype(np.float32)
    kernel = _numbers(3, 3, 6, 6).astype(np.float32)
    ours = jax.jit(_FORMS[form])(x, kernel)
    request.getfixturevalue("elsewhere")

    def run(x, kernel):  # of its own, since traces are kept by function
        return _FORMS[form](x, kernel)

    program = str(jax.make_jaxpr(run)(x, kernel))
    assert program.count("= conv_general_dilated") == (form != "1x1")
    assert _error(ours, jax.jit(run)(x, kernel)) < 6e-7

"""What looks at a whole map gives torch's numbers; tests/ops/padded and bands split it."""

import jax
import numpy as np

from jaxseg.ops.context import (
    count_of_pixels,
    global_max,
    global_mean,
    group_norm,
    pixel_attention,
    pixel_product,
    spatial_softmax,
)

X = np.random.default_rng(0).standard_normal((2, 5, 3, 4)).astype(np.float32)
PIXELS = X.reshape(2, 15, 4)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


def softmax(x, axis):
    exponentials = np.exp(x)
    return exponentials / exponentials.sum(axis, keepdims=True)


def test_mean_largest_value_and_count():
    close(global_mean(X)[:, 0, 0], PIXELS.mean(1))
    close(global_max(X)[:, 0, 0], PIXELS.max(1))
    assert count_of_pixels(X) == 15


def test_softmax_over_the_pixels():
    close(spatial_softmax(X), softmax(PIXELS, 1).reshape(X.shape))
    # Of large values no exponential overflows.
    close(spatial_softmax(X + 1e4).sum((1, 2)), 1)


def test_sums_with_weights():
    expected = np.einsum("npk,npc->nkc", PIXELS[..., :3], PIXELS)
    close(pixel_product(X[..., :3], X), expected)


def test_group_norm_is_torchs_formula():
    groups = X.reshape(2, 15, 2, 2)
    mean, var = groups.mean((1, 3)), groups.var((1, 3))
    normal = (groups - mean[:, None, :, None]) / np.sqrt(var + 1e-5)[:, None, :, None]
    close(group_norm(X, 2, 1e-5), normal.reshape(X.shape))


def test_attention_over_all_pixels_with_its_gradient():
    q, k, v = X, np.flip(X, 1)[:, :4], X[:, :4, :, :3]

    def ours(q, k, v):
        return pixel_attention(q, k, v, scale=0.7)

    def plain(q, k, v):
        q, k, v = (x.reshape(2, -1, x.shape[-1]) for x in (q, k, v))
        scores = jax.nn.softmax(0.7 * q @ k.swapaxes(1, 2), axis=-1)
        return (scores @ v).reshape(2, 5, 3, 3)

    for found, expected in zip(
        (
            ours(q, k, v),
            *jax.jit(jax.grad(lambda *x: (ours(*x) ** 2).sum(), (0, 1, 2)))(q, k, v),
        ),
        (
            plain(q, k, v),
            *jax.jit(jax.grad(lambda *x: (plain(*x) ** 2).sum(), (0, 1, 2)))(q, k, v),
        ),
        strict=True,
    ):
        close(found, expected)


def test_heads_have_the_channels_one_after_the_other():
    q, k, v = X, np.flip(X, 1)[:, :4], np.sin(X)[:, :4]
    parts = [
        pixel_attention(*(x[..., 2 * head : 2 * head + 2] for x in (q, k, v)))
        for head in range(2)
    ]
    close(pixel_attention(q, k, v, heads=2), np.concatenate(parts, -1))


def test_probabilities_are_dropped():
    seen = []

    def drop(probabilities):
        seen.append(probabilities.shape)
        return 0 * probabilities

    assert not np.any(pixel_attention(X, X[:, :2], X[:, :2], heads=2, drop=drop))
    assert seen == [(2, 2, 15, 6)]

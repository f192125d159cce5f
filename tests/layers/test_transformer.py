import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.layers.transformer import EfficientMultiheadAttention, MultiheadAttention

RNG = np.random.default_rng(0)
Q, K, V = (
    RNG.standard_normal((2, length, width)).astype(np.float32)
    for length, width in ((3, 4), (5, 6), (5, 7))
)


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def expected(params, q, k, v, weights, bias=0.0):
    """torch's MultiheadAttention with two heads, head by head."""
    biases = np.split(np.asarray(params["in_proj_bias"]), 3)
    q, k, v = (
        x @ np.asarray(w).T + b
        for x, w, b in zip((q, k, v), weights, biases, strict=True)
    )
    outs = []
    for head in range(2):
        part = slice(2 * head, 2 * head + 2)
        scores = np.einsum("nld,nmd->nlm", q[..., part], k[..., part]) / np.sqrt(2)
        outs.append(softmax(scores + bias) @ v[..., part])
    out = np.concatenate(outs, -1)
    return out @ params["out_proj"]["kernel"] + params["out_proj"]["bias"]


def with_random_biases(variables):
    return jax.tree.map(
        lambda x: RNG.standard_normal(x.shape).astype(np.float32), variables
    )


def test_queries_keys_and_values_of_other_widths():
    layer = MultiheadAttention(num_heads=2)
    variables = layer.init(jax.random.key(0), Q, 0 * Q, False, K, V)
    shapes = jax.tree.map(np.shape, variables["params"]["attn"])
    # torch's names and shapes, of kdim=6 and vdim=7.
    assert shapes == {
        "q_proj_weight": (4, 4),
        "k_proj_weight": (4, 6),
        "v_proj_weight": (4, 7),
        "in_proj_bias": (12,),
        "out_proj": {"kernel": (4, 4), "bias": (4,)},
    }
    variables = with_random_biases(variables)
    params = variables["params"]["attn"]
    weights = [params[f"{name}_proj_weight"] for name in "qkv"]
    y = layer.apply(variables, Q, 10 * Q, False, K, V)
    np.testing.assert_allclose(
        y, 10 * Q + expected(params, Q, K, V, weights), rtol=2e-5, atol=1e-5
    )


@pytest.mark.parametrize("gradient", [False, True])
def test_a_bias_of_the_scores_and_a_mask(gradient):
    layer = MultiheadAttention(num_heads=2)
    variables = with_random_biases(layer.init(jax.random.key(0), Q, Q, False))
    params = variables["params"]["attn"]
    bias = RNG.standard_normal((1, 1, 3, 3)).astype(np.float32)
    mask = np.array([[True, False, True], [True, True, True], [False, True, False]])

    def run(bias):
        return layer.apply(
            variables, Q, 0 * Q, False, scores_bias=bias, mask=mask[None, None]
        )

    weights = np.split(np.asarray(params["in_proj_weight"]), 3)
    if not gradient:
        seen = np.where(mask, bias[0, 0], -np.inf)
        wanted = expected(params, Q, Q, Q, weights, seen)
        np.testing.assert_allclose(run(bias), wanted, rtol=2e-5, atol=1e-5)
        return
    slope = jax.grad(lambda bias: run(bias).sum())(jnp.asarray(bias))
    step = np.zeros_like(bias)
    step[0, 0, 1, 2] = 1e-2
    difference = (run(bias + step).sum() - run(bias - step).sum()) / 2e-2
    np.testing.assert_allclose(slope[0, 0, 1, 2], difference, rtol=2e-2)
    np.testing.assert_array_equal(np.asarray(slope)[0, 0][~mask], 0)


def test_keys_that_are_the_values_are_projected_together():
    layer = MultiheadAttention(num_heads=2)
    variables = with_random_biases(layer.init(jax.random.key(0), Q, Q, False))
    params = variables["params"]["attn"]
    weights = np.split(np.asarray(params["in_proj_weight"]), 3)
    keys = K[..., :4]
    wanted = expected(params, Q, keys, keys, weights)
    found = layer.apply(variables, Q, 0 * Q, False, keys)
    np.testing.assert_allclose(found, wanted, rtol=2e-5, atol=1e-5)


def test_the_pixels_of_a_map_are_tokens():
    layer = MultiheadAttention(num_heads=2)
    variables = with_random_biases(layer.init(jax.random.key(0), Q, Q, False))
    x = RNG.standard_normal((2, 3, 5, 4)).astype(np.float32)
    tokens = x.reshape(2, 15, 4)
    np.testing.assert_allclose(
        layer.apply(variables, x, x, False).reshape(2, 15, 4),
        layer.apply(variables, tokens, tokens, False),
        rtol=2e-5,
        atol=1e-5,
    )


def test_a_key_of_efficient_attention_stands_for_a_square_of_pixels():
    layer = EfficientMultiheadAttention(num_heads=2, sr_ratio=2)
    # What is left over on the right and below is in no key.
    x = RNG.standard_normal((2, 5, 7, 4)).astype(np.float32)
    variables = with_random_biases(layer.init(jax.random.key(0), x, x, False))
    params = variables["params"]
    kernel, bias = params["sr"]["kernel"], params["sr"]["bias"]
    squares = x[:, :4, :6].reshape(2, 2, 2, 3, 2, 4)
    keys = np.einsum("nhiwjc,ijco->nhwo", squares, kernel) + bias
    keys -= keys.mean(-1, keepdims=True)
    keys /= np.sqrt(np.square(keys).mean(-1, keepdims=True) + 1e-5)
    keys = keys * params["norm"]["scale"] + params["norm"]["bias"]
    weights = np.split(np.asarray(params["attn"]["in_proj_weight"]), 3)
    q, keys = x.reshape(2, 35, 4), keys.reshape(2, 6, 4)
    wanted = expected(params["attn"], q, keys, keys, weights)
    found = layer.apply(variables, x, 0, False).reshape(2, 35, 4)
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)

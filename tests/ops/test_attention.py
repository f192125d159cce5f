import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.ops.attention import attention


def qkv(dtype=np.float32):
    rng = np.random.default_rng(0)
    lengths = (5, 7, 7)
    return [rng.standard_normal((2, n, 3, 4)).astype(dtype) for n in lengths]


def test_equals_the_formula_head_by_head():
    q, k, v = qkv()
    y = jax.jit(attention)(q, k, v)
    assert y.shape == (2, 5, 3, 4)
    for sample in range(2):
        for head in range(3):
            scores = q[sample, :, head] @ k[sample, :, head].T / 2  # sqrt(4)
            scores = np.exp(scores)
            expected = scores / scores.sum(1, keepdims=True) @ v[sample, :, head]
            np.testing.assert_allclose(y[sample, :, head], expected, atol=1e-6)


def test_without_dropout_it_is_the_same_with_its_gradients():
    """Without a function that drops, one head at a time and a gradient of our own."""
    inputs = (*map(jnp.asarray, qkv()), jnp.asarray(qkv()[0]))

    def with_gradients(drop):
        def run(q, k, v, g):
            y, pull = jax.vjp(lambda *x: attention(*x, drop), q, k, v)
            return y, *pull(g)

        return jax.jit(run)(*inputs)

    # Its gradient is autodiff's.
    expected = with_gradients(lambda probabilities: probabilities)
    for actual, wanted in zip(with_gradients(None), expected, strict=True):
        assert actual.shape == wanted.shape
        np.testing.assert_allclose(actual, wanted, atol=2e-6)


@pytest.mark.parametrize("differentiate", [False, True])
def test_no_array_holds_the_probabilities_of_all_heads(differentiate):
    q = jnp.zeros((1, 64, 5, 4))
    function = (
        jax.grad(lambda q: attention(q, q, q).sum())
        if differentiate
        else (lambda q: attention(q, q, q))
    )
    memory = jax.jit(function).lower(q).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 5 * 64 * 64 * 4


def test_equal_keys_give_the_mean_of_the_values():
    q, k, v = qkv()
    y = attention(q, np.zeros_like(k), v)
    mean = v.mean(1, keepdims=True)
    np.testing.assert_allclose(y, mean.repeat(5, axis=1), atol=1e-6)


def test_drop_sees_the_probabilities():
    q, k, v = qkv()
    seen = []

    def drop(probabilities):
        seen.append(probabilities)
        return jnp.zeros_like(probabilities)

    np.testing.assert_array_equal(attention(q, k, v, drop), 0)
    assert seen[0].shape == (2, 3, 5, 7)
    np.testing.assert_allclose(seen[0].sum(-1), 1, rtol=1e-6)


def test_large_scores_stay_finite_and_the_type_is_kept():
    q, k, v = (jnp.asarray(x * 300, jnp.bfloat16) for x in qkv())
    y = attention(q, k, v)
    assert y.dtype == jnp.bfloat16
    assert jnp.isfinite(y.astype(jnp.float32)).all()

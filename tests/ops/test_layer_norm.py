import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.layer_norm import layer_norm


def numbers():
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, 3, 5, 7)) * 3 + 2
    scale, bias = rng.standard_normal((2, 7))
    return x, scale, bias, g


def test_it_and_its_gradients_are_those_of_the_formula():
    x, scale, bias, g = numbers()
    deviation = np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    normal = (x - x.mean(-1, keepdims=True)) / deviation
    # Of y = scale * normal + bias, by hand.
    dn = g * scale
    along = (dn * normal).mean(-1, keepdims=True) * normal
    dx = (dn - dn.mean(-1, keepdims=True) - along) / deviation
    expected = (normal * scale + bias, dx, (g * normal).sum((0, 1)), g.sum((0, 1)))

    def run(x, scale, bias, g):
        y, pull = jax.vjp(lambda *args: layer_norm(*args, 1e-5), x, scale, bias)
        return y, *pull(g)

    narrow = [array.astype(np.float32) for array in (x, scale, bias, g)]
    for actual, wanted in zip(jax.jit(run)(*narrow), expected, strict=True):
        assert actual.dtype == np.float32
        np.testing.assert_allclose(actual, wanted, atol=5e-6)


def test_a_narrow_type_is_widened_inside():
    x, scale, bias, g = (jnp.asarray(array, jnp.float32) for array in numbers())
    x, g = x.astype(jnp.bfloat16), g.astype(jnp.bfloat16)
    y, pull = jax.vjp(lambda *args: layer_norm(*args, 1e-5), x, scale, bias)
    wide = layer_norm(x.astype(jnp.float32), scale, bias, 1e-5)
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))
    dtypes = [gradient.dtype for gradient in pull(g)]
    assert dtypes == [jnp.bfloat16, jnp.float32, jnp.float32]

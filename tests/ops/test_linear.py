import jax
import numpy as np

from jaxseg.ops.linear import linear


def test_linear_and_its_gradients_are_those_of_a_matrix_product():
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        x, kernel = rng.standard_normal((2, 3, 5, 4)), rng.standard_normal((4, 7))
        y, pull = jax.vjp(linear, x, kernel)
        g = rng.standard_normal(y.shape)
        dx, dkernel = pull(g)
    np.testing.assert_allclose(y, x @ kernel, rtol=1e-12)
    np.testing.assert_allclose(dx, g @ kernel.T, rtol=1e-12)
    expected = x.reshape(-1, 4).T @ g.reshape(-1, 7)
    np.testing.assert_allclose(dkernel, expected, rtol=1e-12)


def test_the_gradient_copies_nothing_transposed():
    x, kernel = np.ones((2, 8, 16, 4), np.float32), np.ones((4, 32), np.float32)

    def gradient(x, kernel):
        return jax.grad(lambda kernel: (linear(x, kernel) ** 2).sum())(kernel)

    assert "transpose" not in jax.jit(gradient).lower(x, kernel).as_text()

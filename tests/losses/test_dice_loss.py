import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.losses import DiceLoss, DiceLossV0


# (loss, gradient's norm) of mmseg 1.2.2 in float64.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), (0.6741944, 0.0482063)),
        (dict(use_sigmoid=False), (0.8335778, 0.0581856)),
        (dict(use_sigmoid=False, naive_dice=True), (0.8682666, 0.0439227)),
        (dict(ignore_index=1, loss_weight=3.0), (2.1510925, 0.1508183)),
        (
            dict(activate=False, ignore_index=None, eps=0.1),
            (1.162293, 0.0775802),
        ),
    ],
)
def test_equals_mmseg(logits, label, options, expected):
    loss = DiceLoss(**options)
    value, gradient = jax.jit(jax.value_and_grad(lambda x: loss(x, label)))(logits)
    found = (value, jnp.linalg.norm(gradient.ravel()))
    np.testing.assert_allclose(found, expected, rtol=3e-6)


# mmseg 0.30.0 in float64.
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (dict(), 0.6400035),
        (dict(exponent=1.0, smooth=0.5), 0.7787504),
        (dict(class_weight=(0.5, 1.0, 2.0), loss_weight=3.0), 2.2176075),
        (dict(ignore_index=1), 0.4181172),
    ],
)
def test_the_loss_of_0x_equals_mmseg(logits, label, options, expected):
    value = jax.jit(DiceLossV0(**options))(logits, label)
    np.testing.assert_allclose(value, expected, rtol=2e-6)


def test_a_perfect_answer_costs_nothing():
    label = jnp.array([[[0, 1], [1, 2]]])
    logits = 200.0 * jax.nn.one_hot(label, 3) - 100
    # By hand: 1 - 2 * 4 / (4 + 4 + 2 eps) with eps = 0.001.
    np.testing.assert_allclose(DiceLoss()(logits, label), 0.002 / 8.002, rtol=1e-3)
    np.testing.assert_allclose(DiceLossV0()(logits, label), 0, atol=1e-6)


def test_one_channel_stands_for_class_0_as_in_mmseg():
    # By hand: the sigmoid is 1/2 everywhere, one of three pixels is class 0: the
    # overlap is 1/2 and the sum of squares 3/4 + 1.
    label = jnp.array([[[0, 1, 1]]])
    value = DiceLoss()(jnp.zeros((1, 1, 3, 1)), label)
    np.testing.assert_allclose(value, 1 - 1 / (1.75 + 0.002), rtol=1e-6)

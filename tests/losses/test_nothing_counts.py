"""A batch of which nothing counts: the loss is 0, or what mmseg says, never NaN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg import losses

ONES = (1.0, 2.0, 3.0)
NOTHING = np.full((2, 4, 5), 255, np.uint8)


@pytest.mark.parametrize(
    ("loss", "channels", "label"),
    [
        (losses.BoundaryLoss(), 1, NOTHING),
        (losses.CrossEntropyLoss(reduction="sum"), 3, NOTHING),
        (losses.CrossEntropyLoss(reduction="none"), 3, NOTHING),
        (losses.CrossEntropyLoss(use_sigmoid=True, class_weight=ONES), 3, NOTHING),
        (losses.FocalLoss(), 3, NOTHING),
        (losses.LovaszLoss(reduction="none"), 3, NOTHING),
        (losses.LovaszLoss(reduction="none", classes=(0, 2)), 3, NOTHING),
        (losses.LovaszLoss(per_image=True, classes="all"), 3, NOTHING),
        (losses.LovaszLoss(loss_type="binary", reduction="none"), 1, NOTHING),
        (losses.OhemCrossEntropy(class_weight=ONES), 3, NOTHING),
        (losses.SiLogLoss(), 1, np.zeros((2, 4, 5), np.float32)),
        (losses.TverskyLoss(), 3, NOTHING),
    ],
)
def test_the_loss_is_0_and_its_gradient_too(loss, channels, label):
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.standard_normal((2, 4, 5, channels)), jnp.float32)

    def total(logits):
        return loss(logits, jnp.asarray(label)).sum()

    value, gradient = jax.value_and_grad(total)(logits)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)


def test_half_a_batch_of_nothing_leaves_the_other_half():
    rng = np.random.default_rng(0)
    logits = jnp.asarray(rng.standard_normal((2, 4, 5, 3)), jnp.float32)
    label = np.stack([NOTHING[0], rng.integers(0, 3, (4, 5))])
    loss = losses.LovaszLoss(per_image=True, reduction="none")
    alone = losses.LovaszLoss(reduction="none")(logits[1:], label[1:])
    np.testing.assert_allclose(loss(logits, jnp.asarray(label)), [0, alone], rtol=1e-6)


def test_no_edge_at_all_is_0():
    # As in mmseg: each side is weighed by the share of the other.
    logits = jnp.ones((1, 4, 5, 1))
    assert losses.BoundaryLoss()(logits, jnp.zeros((1, 4, 5), jnp.uint8)) == 0


def test_hausdorff_takes_ignored_pixels_for_background_as_mmseg_does():
    # By hand: class 1 is predicted at the one pixel of a row of three, 1 from the
    # background, so its squared probability counts once among three pixels, over the
    # two channels.
    logits = jnp.array([[[[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]]]])
    label = jnp.full((1, 1, 3), 255, jnp.uint8)
    expected = (1 / (1 + np.exp(-2.0))) ** 2 / 3 / 2
    value = losses.HuasdorffDisstanceLoss()(logits, label)
    np.testing.assert_allclose(value, expected, rtol=1e-6)

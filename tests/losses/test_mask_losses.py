"""Losses of masks by the formulas of mmdet 3.3.0, in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxseg.losses import MaskCrossEntropyLoss, MaskDiceLoss

EPS = np.finfo(np.float32).eps


def points():
    """Logits (N, P, 1, K), how much of each point is inside, and which masks count."""
    rng = np.random.default_rng(0)
    logits = rng.standard_normal((2, 30, 1, 3)).astype(np.float32)
    inside = rng.uniform(0, 1, logits.shape).astype(np.float32)
    return logits, inside, np.array([[True, False, True], [False, False, True]])


@pytest.mark.parametrize("naive_dice", [True, False])
def test_dice_of_shares(naive_dice):
    logits, inside, counts = points()
    loss = MaskDiceLoss(naive_dice=naive_dice, eps=0.5, loss_weight=2.0)
    sums = loss.strip(jnp.asarray(logits), jnp.asarray(inside), counts[:, None, None])
    found = loss.finish(sums, counts, jnp.float32(3))
    p, t = (x.astype(np.float64)[:, :, 0] for x in (1 / (1 + np.exp(-logits)), inside))
    if naive_dice:
        ratio = (2 * (p * t).sum(1) + 0.5) / (p.sum(1) + t.sum(1) + 0.5)
    else:
        squares = ((p * p).sum(1) + 0.5) + ((t * t).sum(1) + 0.5)
        ratio = 2 * (p * t).sum(1) / squares
    expected = 2 * (1 - ratio)[counts].sum() / (3 + EPS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_cross_entropy_of_shares():
    logits, inside, counts = points()
    loss = MaskCrossEntropyLoss(use_sigmoid=True, loss_weight=5.0)
    total = loss.strip(jnp.asarray(logits), jnp.asarray(inside), counts[:, None, None])
    found = loss.finish(total, jnp.float32(3), 30)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    entropy = -(inside * np.log(p) + (1 - inside) * np.log(1 - p))[:, :, 0].sum(1)
    expected = 5 * entropy[counts].sum() / (3 * 30 + EPS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

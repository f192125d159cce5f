"""Costs of a matching, as compiled, against their definitions in float64."""

import jax
import numpy as np

from jaxseg.heads.matching import CrossEntropyLossCost, DiceCost, FocalLossCost


def masks_and_truth():
    """Logits whose sigmoid is 0 or 1 in float32 are among them."""
    rng = np.random.default_rng(0)
    masks = rng.choice([1.0, 30.0, 100.0], (60, 4)) * rng.standard_normal((60, 4))
    truth = (rng.integers(0, 3, (60, 1)) == np.arange(3)).astype(np.float32)
    return masks.astype(np.float32), truth


def found(cost, masks, truth):
    return np.asarray(jax.jit(cost)(np.zeros((4, 4), np.float32), masks, truth))


def test_focal_loss_cost_of_certain_pixels():
    masks, truth = masks_and_truth()
    p = 1 / (1 + np.exp(-masks.astype(np.float64)))
    inside = -np.log(p + 1e-12) * 0.25 * (1 - p) ** 2
    outside = -np.log(1 - p + 1e-12) * 0.75 * p**2
    expected = 20 * (inside.T @ truth + outside.T @ (1 - truth)) / 60
    cost = FocalLossCost(weight=20.0, binary_input=True)
    np.testing.assert_allclose(found(cost, masks, truth), expected, rtol=1e-5)


def test_dice_cost():
    masks, truth = masks_and_truth()
    p = 1 / (1 + np.exp(-masks.astype(np.float64)))
    total = p.sum(0)[:, None] + truth.sum(0)
    expected = 1 - (2 * p.T @ truth + 1.0) / (total + 1.0)
    cost = DiceCost(pred_act=True, eps=1.0)
    np.testing.assert_allclose(found(cost, masks, truth), expected, rtol=1e-5)


def test_cross_entropy_cost_of_shares():
    masks, truth = masks_and_truth()
    masks, truth = masks / 10, np.clip(truth, 0.25, 0.75)
    p = 1 / (1 + np.exp(-masks.astype(np.float64)))
    expected = -5 * (np.log(p).T @ truth + np.log(1 - p).T @ (1 - truth)) / 60
    cost = CrossEntropyLossCost(weight=5.0)
    np.testing.assert_allclose(found(cost, masks, truth), expected, rtol=1e-5)

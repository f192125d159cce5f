"""The losses of a decode head, from its logits before they are upsampled."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.ops.select import largest_channel
from jaxseg.ops.strips.loss import strip_sums

_EPS = float(np.finfo(np.float32).eps)


def decode_losses(
    logits: jax.Array,
    label: jax.Array,
    losses: Sequence[Any],
    *,
    sampler: Any = None,
    ignore_index: int = 255,
    align_corners: bool = False,
) -> dict[str, jax.Array]:
    """Upsamples logits to the labels and applies every loss.

    Args:
        logits: (N, h, w, C), any floating type; the losses are computed in float32.
        label: (N, H, W) integers below C (or ignore_index).
        losses: entries such as `CrossEntropyLoss()`.
        sampler: an entry such as `OHEMPixelSampler()`, or None.
        ignore_index: the label that counts nowhere.
        align_corners: of the upsampling.

    Returns:
        Each `loss_name`'s sum, and `acc_seg`: the percentage of counted pixels whose
        largest logit is their label's (of one channel: that lie on the right side
        of zero).
    """
    pixelwise = tuple(loss for loss in losses if loss.pixelwise)
    others = tuple(loss for loss in losses if not loss.pixelwise)
    pixels = (label,)
    if sampler is not None:
        if others:
            raise ConfigError(
                f"{type(sampler).__name__} weighs single pixels, which "
                f"{', '.join(type(loss).__name__ for loss in others)} does not know"
            )
        weight = sampler.sample(logits, label, losses, ignore_index, align_corners)
        pixels = (label, weight)

    def strip(strip_logits, inside, label, *weight):
        sums = []
        for loss in pixelwise:
            pixel_loss = loss.pixel_loss(strip_logits, label, ignore_index)
            for factor in weight:
                pixel_loss = pixel_loss * factor
            sums.append(jnp.where(inside, pixel_loss, 0).sum())
        return jnp.asarray(sums), _correct(strip_logits, label, ignore_index, inside)

    result = {}
    size = label.shape[1:]
    # The accuracy alone needs no gradient.
    x = logits if pixelwise else jax.lax.stop_gradient(logits)
    sums, correct = strip_sums(strip, x, size, align_corners, pixels)
    for loss, total in zip(pixelwise, sums, strict=True):
        divisor = loss.divisor(label, ignore_index, logits.shape[-1])
        _add(result, loss.loss_name, loss.loss_weight * total / divisor)
    for loss in others:
        value = _of_regions(loss, logits, label, ignore_index, align_corners)
        _add(result, loss.loss_name, value)
    counted = (label != ignore_index).sum()
    result["acc_seg"] = 100 * (correct + _EPS) / (counted + _EPS)
    return result


def _of_regions(loss, logits, label, ignore_index, align_corners):
    def strip(logits, inside, label):
        return loss.region_sums(logits, label, inside, ignore_index), jnp.zeros(())

    size = label.shape[1:]
    sums, _ = strip_sums(strip, logits, size, align_corners, (label,), passes=2)
    return loss.of_sums(sums)


def _add(result, name, value):
    result[name] = result[name] + value if name in result else value


def _correct(logits, label, ignore_index, inside):
    """How many counted pixels the logits get right."""
    if logits.shape[-1] == 1:
        pred = logits[..., 0] > 0
    else:
        pred = largest_channel(logits)
    hits = (pred.astype(jnp.int32) == label) & (label != ignore_index) & inside
    return hits.sum()

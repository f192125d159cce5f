"""The losses of a decode head, from its logits before they are upsampled."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.ops.resize import resize
from jaxseg.ops.strips import strip_sums

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
            raise ValueError(
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
        return jnp.stack(sums), _correct(strip_logits, label, ignore_index, inside)

    result = {}
    if pixelwise:
        sums, correct = strip_sums(
            strip, logits, label.shape[1:], align_corners, pixels, len(pixelwise)
        )
        for loss, total in zip(pixelwise, sums, strict=True):
            divisor = loss.divisor(label, ignore_index, logits.shape[-1])
            _add(result, loss.loss_name, loss.loss_weight * total / divisor)
    if others:
        wide = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        full = resize(wide, label.shape[1:], align_corners=align_corners)
        for loss in others:
            _add(result, loss.loss_name, loss(full, label, ignore_index=ignore_index))
        if not pixelwise:
            correct = _correct(full, label, ignore_index, True)
    counted = (label != ignore_index).sum()
    result["acc_seg"] = 100 * (correct + _EPS) / (counted + _EPS)
    return result


def _add(result, name, value):
    result[name] = result[name] + value if name in result else value


def _correct(logits, label, ignore_index, inside):
    """How many counted pixels the logits get right."""
    if logits.shape[-1] == 1:
        pred = logits[..., 0] > 0
    else:
        pred = jnp.argmax(logits, axis=-1)
    hits = (pred.astype(jnp.int32) == label) & (label != ignore_index) & inside
    return hits.sum()

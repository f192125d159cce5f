"""Decode losses: those of a decode head, from its logits before they are upsampled."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import jax

from jaxseg.config import ConfigError
from jaxseg.losses.accuracy import Accuracy
from jaxseg.losses.loss import Loss
from jaxseg.losses.pixel_loss import PixelLoss
from jaxseg.losses.sampler import Sampler
from jaxseg.losses.targets import Targets
from jaxseg.ops.precision import custom_vjp
from jaxseg.ops.strips.sums import Term, strip_sums
from jaxseg.ops.strips.upsampled import Upsampled


def decode_losses(
    logits: jax.Array,
    targets: Mapping[str, jax.Array],
    losses: Sequence[Loss],
    *,
    label: str = "gt_seg_map",
    sampler: Sampler | None = None,
    ignore_index: int = 255,
    align_corners: bool = False,
) -> dict[str, jax.Array]:
    """Upsamples logits to the labels and applies every loss.

    All losses and the accuracy share one pass over the strips of the logits.

    Args:
        logits: (N, h, w, C), any floating type; the losses are computed in float32.
        targets: the maps of the batch by name; that of `label` is (N, H, W) integers
            below C (or ignore_index), or what else the losses take.
        losses: entries such as `CrossEntropyLoss()`.
        label: which of the maps is the losses' label.
        sampler: an entry such as `OHEMPixelSampler()`, or None.
        ignore_index: the label that counts nowhere.
        align_corners: `align_corners` of the upsampling.

    Returns:
        Each `loss_name`'s sum, and, if the label is class numbers, `acc_seg`: the
        percentage of counted pixels whose largest logit is their label's (of one
        channel: that lie on the right side of zero).
    """
    size = targets[label].shape[1:3]
    upsampled = Upsampled(logits, size, align_corners)
    known = Targets(targets[label], ignore_index, maps=dict(targets))
    if sampler is not None:
        _check_pixel_losses(sampler, losses)
        weight = sampler.sample(upsampled, known, losses)
        known = dataclasses.replace(known, weight=weight)
    on_strips = [loss for loss in losses if loss.passes is not None]
    is_class_map = known.label.ndim == 3 and known.label.dtype.kind in "iu"
    accuracy = [Accuracy(ignore_index=ignore_index)] if is_class_map else []
    values = iter(_values_on_strips([*on_strips, *accuracy], upsampled, known))
    result = {}
    for loss in losses:
        if loss.passes is not None:
            value = next(values)
        else:
            static = (loss, upsampled.size, align_corners)
            value = _value_of_whole_maps(static, logits, known)
        value = loss.loss_weight * value.mean()
        name = loss.loss_name
        result[name] = result[name] + value if name in result else value
    if accuracy:
        result["acc_seg"] = next(values)[0]
    return result


def _values_on_strips(entries, logits, targets):
    """The value of each loss, by one loop over the strips."""
    arrays = [
        jax.lax.stop_gradient(entry.prepare(logits, targets)) for entry in entries
    ]
    terms = [
        Term(entry.strip, own, entry.passes)
        for entry, own in zip(entries, arrays, strict=True)
    ]
    sums = strip_sums(terms, logits)
    return [
        entry.finish(total, *own)
        for entry, total, own in zip(entries, sums, arrays, strict=True)
    ]


def _mean_of_whole_maps(static, source, targets):
    loss, size, align_corners = static
    return loss.whole(Upsampled(source, size, align_corners).whole(), targets).mean()


@functools.partial(custom_vjp, nondiff_argnums=(0,))
def _value_of_whole_maps(static, source, targets):
    """The mean value of a loss that needs all logits at once.

    The gradient is found together with the value: full-size maps live no longer than
    that, and what a loss sorts it sorts once, which recomputing them would not do.
    """
    return _mean_of_whole_maps(static, source, targets)


def _whole_forward(static, source, targets):
    return jax.value_and_grad(_mean_of_whole_maps, 1)(static, source, targets)


def _whole_backward(static, gradient, cotangent):
    return (cotangent * gradient).astype(gradient.dtype), None


_value_of_whole_maps.defvjp(_whole_forward, _whole_backward)


def _check_pixel_losses(sampler, losses):
    others = [loss for loss in losses if not isinstance(loss, PixelLoss)]
    if others:
        names = ", ".join(type(loss).__name__ for loss in others)
        raise ConfigError(
            f"{type(sampler).__name__} weighs single pixels, which {names} does not know"
        )

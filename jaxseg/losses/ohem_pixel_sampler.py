"""Online hard example mining over pixels: https://arxiv.org/abs/1604.03540."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.losses.sampler import Sampler
from jaxseg.ops.select import kth_smallest
from jaxseg.ops.strips.map import strip_map
from jaxseg.ops.strips.upsampled import Upsampled


@dataclasses.dataclass(frozen=True)
class OHEMPixelSampler(Sampler):
    """Keeps the pixels that are hard.

    With `thresh`, those whose label's probability is below it, or below that of the
    `min_kept * N`-th hardest pixel if it is larger. Without, the `min_kept * N`
    pixels of the largest loss. Each device chooses from its own part of the batch.

    Attributes:
        thresh: a probability, or None.
        min_kept: number of pixels kept a sample.
    """

    thresh: float | None = None
    min_kept: int = 100000

    def __post_init__(self):
        if self.min_kept <= 1:
            raise FieldError(f"min_kept is {self.min_kept}, it must be above 1")

    def sample(self, logits, targets, losses):
        valid = targets.classes >= 0
        batch_kept = self.min_kept * logits.shape[0]
        if self.thresh is not None and logits.channels == 1:
            raise ConfigError(
                f"OHEMPixelSampler.thresh={self.thresh} compares softmax probabilities, "
                "which a head with out_channels=1 does not have; leave thresh out"
            )
        if self.thresh is None:
            value = _losses(logits, targets, losses)
            return _largest(value, valid, batch_kept).astype(jnp.float32)
        value = label_probability(logits, targets.classes)
        return below(value, valid, batch_kept, self.thresh).astype(jnp.float32)


def label_probability(logits: Upsampled, classes: jax.Array) -> jax.Array:
    """The softmax probability (N, H, W) of each pixel's class; of class 0 if ignored."""

    def of_strip(strip, classes):
        hot = jnp.maximum(classes, 0)[..., None] == jnp.arange(strip.shape[-1])
        return jnp.where(hot, jax.nn.softmax(strip, axis=-1), 0).sum(-1)

    return strip_map(of_strip, logits, classes)


def below(
    probability: jax.Array, valid: jax.Array, kept: int, thresh: float
) -> jax.Array:
    """Mask of the pixels below a threshold, which at least about `kept` pixels are.

    Args:
        probability: the probability of each pixel's label, (N, H, W).
        valid: (N, H, W), the pixels that can be chosen.
        kept: the place (from 0) of the valid pixel whose probability is the threshold,
            if it is above `thresh`; the last place if there are fewer pixels.
        thresh: the lowest threshold.
    """
    k = jnp.clip(valid.sum() - 1, 0, kept)
    threshold = jnp.maximum(kth_smallest(probability, valid, k), thresh)
    return valid & (probability < threshold)


def _losses(logits, targets, losses):
    """The sum (N, H, W) of all losses of each pixel."""
    inputs = [loss.inputs(logits, targets) for loss in losses]

    def of_strip(strip, inputs):
        total = 0
        for loss, own in zip(losses, inputs, strict=True):
            value = loss.pixels(strip, *own)
            value = value if value.ndim == 3 else value.sum(-1)
            total += loss.loss_weight * value
        return total

    return strip_map(of_strip, logits, inputs)


def _largest(value, valid, count):
    """Mask of the `count` largest values under a mask; of equal ones the first."""
    total = valid.sum()
    k = jnp.maximum(total - count, 0)
    threshold = kth_smallest(value, valid, jnp.minimum(k, jnp.maximum(total - 1, 0)))
    above = valid & (value > threshold)
    equal = valid & (value == threshold)
    rank = jnp.cumsum(equal.ravel()).reshape(equal.shape)
    return above | (equal & (rank <= count - above.sum()))

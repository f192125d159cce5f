"""Online hard example mining over pixels."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.losses.loss import Sampler
from jaxseg.ops.select import kth_smallest
from jaxseg.ops.strips.loss import strip_map


@dataclasses.dataclass(frozen=True)
class OHEMPixelSampler(Sampler):
    """Keeps the pixels that are hard: https://arxiv.org/abs/1604.03540.

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

    def sample(self, logits, label, losses, ignore_index, align_corners):
        """Weights (N, H, W) of 0 and 1 in float32.

        Args:
            logits: (N, h, w, C), before they are upsampled.
            label: (N, H, W) integers.
            losses: the head's losses, all `pixelwise`.
            ignore_index: the label that counts nowhere.
            align_corners: of the upsampling.
        """
        size = label.shape[1:]
        valid = label != ignore_index
        batch_kept = self.min_kept * label.shape[0]
        if self.thresh is not None and logits.shape[-1] == 1:
            raise ConfigError(
                f"OHEMPixelSampler.thresh={self.thresh} compares softmax probabilities, "
                "which a head with out_channels=1 does not have; leave thresh out"
            )
        if self.thresh is None:

            def loss_of(strip, label):
                return sum(
                    loss.loss_weight * loss.pixel_loss(strip, label, ignore_index)
                    for loss in losses
                )

            value = strip_map(loss_of, logits, size, align_corners, (label,))
            return _largest(value, valid, batch_kept).astype(jnp.float32)

        def probability_of(strip, label):
            label = jnp.where(label == ignore_index, 0, label).astype(jnp.int32)
            hot = label[..., None] == jnp.arange(strip.shape[-1])
            return jnp.where(hot, jax.nn.softmax(strip, axis=-1), 0).sum(-1)

        value = strip_map(probability_of, logits, size, align_corners, (label,))
        k = jnp.clip(valid.sum() - 1, 0, batch_kept)
        threshold = jnp.maximum(kth_smallest(value, valid, k), self.thresh)
        return (valid & (value < threshold)).astype(jnp.float32)


def _largest(value, valid, count):
    """Mask of the `count` largest values under a mask; of equal ones the first."""
    total = valid.sum()
    k = jnp.maximum(total - count, 0)
    threshold = kth_smallest(value, valid, jnp.minimum(k, jnp.maximum(total - 1, 0)))
    above = valid & (value > threshold)
    equal = valid & (value == threshold)
    rank = jnp.cumsum(equal.ravel()).reshape(equal.shape)
    return above | (equal & (rank <= count - above.sum()))

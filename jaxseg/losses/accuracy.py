"""Accuracy of pixels: how many of the labels are among the largest logits."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.losses.loss import EPS, mask_rows
from jaxseg.losses.targets import Targets
from jaxseg.ops.select import largest_channel
from jaxseg.ops.strips.upsampled import Upsampled


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """mmseg's Accuracy, computed on strips as a loss is, without a gradient.

    Logits of one channel say class 1 where they are above 0.

    Attributes:
        topk: a pixel is right if its label is among so many largest logits; one
            percentage for each number.
        thresh: a logit that does not exceed it is never right, or None.
        ignore_index: the label that counts nowhere, or None.
    """

    topk: tuple[int, ...] = (1,)
    thresh: float | None = None
    ignore_index: int | None = None

    passes = 0

    def prepare(self, logits, targets):
        channels = max(2, logits.channels)
        if not 1 <= min(self.topk) <= max(self.topk) <= channels:
            raise ConfigError(
                f"topk: found {self.topk}, allowed are numbers from 1 to {channels}, "
                "the number of channels"
            )
        targets = targets.ignoring(self.ignore_index)
        counted = targets.label.size
        if self.ignore_index is not None:
            counted = (targets.classes >= 0).sum()
        return targets.classes, counted

    def strip(self, logits, inside, label, counted):
        # (len(topk),): how many are right.
        if logits.shape[-1] == 1:
            logits = jnp.concatenate([jnp.zeros_like(logits), logits], -1)
        if self.topk == (1,) and self.thresh is None:
            right = [largest_channel(logits).astype(jnp.int32) == label]
        else:
            rank, value = _rank(logits, label)
            right = [rank < k for k in self.topk]
            if self.thresh is not None:
                right = [hits & (value > self.thresh) for hits in right]
        hits = [mask_rows(inside, hit & (label >= 0)).sum() for hit in right]
        return jnp.stack(hits)

    def finish(self, hits, label, counted):
        """Percentages (len(topk),)."""
        return 100 * (hits + EPS) / (counted + EPS)

    def __call__(self, logits: jax.Array, label: jax.Array) -> jax.Array:
        """Percentages (len(topk),) of full-size logits (N, ..., C) and label (N, ...)."""
        size = logits.shape[1:-1]
        targets = Targets(label, self.ignore_index)
        arrays = self.prepare(Upsampled(logits, size), targets)
        return self.finish(self.strip(logits, True, *arrays), *arrays)


def _rank(logits, label):
    """How many channels come before the label's, and the label's logit."""
    channel = jnp.arange(logits.shape[-1])
    place = label[..., None]
    value = jnp.where(channel == place, logits, 0).sum(-1)
    before = logits > value[..., None]
    before |= (logits == value[..., None]) & (channel < place)
    return before.sum(-1), value

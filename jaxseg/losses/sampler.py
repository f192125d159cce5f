"""Sampler: chooses the pixels that count in the losses of a head."""

from collections.abc import Sequence

import jax

from jaxseg.losses.pixel_loss import PixelLoss
from jaxseg.losses.targets import Targets
from jaxseg.ops.strips.upsampled import Upsampled


class Sampler:
    """The protocol of a head's `sampler`, a frozen dataclass."""

    def sample(
        self, logits: Upsampled, targets: Targets, losses: Sequence[PixelLoss]
    ) -> jax.Array:
        """Weights (N, H, W) of the pixels, in float32.

        Args:
            logits: the head's logits.
            targets: without weights.
            losses: the head's losses.
        """
        raise NotImplementedError

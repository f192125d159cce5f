"""Loss: the protocol of every loss of a head."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.errors import FieldError
from jaxseg.losses.targets import Targets
from jaxseg.ops.narrow import wide
from jaxseg.ops.strips.upsampled import Upsampled

EPS = float(np.finfo(np.float32).eps)
REDUCTIONS = ("none", "mean", "sum")


class Loss:
    """A loss of upsampled logits, which is computed on strips of their rows.

    A loss is a frozen dataclass. It says in `prepare` what of the targets it needs
    for each pixel, in `strip` what it adds up over some rows, and in `finish` what
    the sums of all rows make. So logits are never held at full size. A loss that
    needs whole maps (a sort over all pixels) has `passes` None and a `whole` of its
    own instead.

    Attributes:
        loss_weight: factor of the loss; the caller of `whole` multiplies by it.
        loss_name: the name of the loss in the log; losses of one name are summed.
        passes: 1 if `strip` gives one number or a few and `finish` is a linear
            function of them: then value and gradient are found together. 2 if
            `finish` is any function: then the gradient takes a second pass over the
            strips. None if the loss needs whole maps.
    """

    loss_weight: float = 1.0
    loss_name: str = "loss"
    passes: ClassVar[int | None] = 1

    def prepare(self, logits: Upsampled, targets: Targets) -> tuple[Any, ...]:
        """What `strip` and `finish` need beside the logits.

        Arrays (N, H, W, ...) reach `strip` cut, arrays of fewer axes and None as they
        are. They have no gradient.
        """
        raise NotImplementedError

    def strip(self, logits: jax.Array, inside: Any, *arrays: Any) -> Any:
        """Sums over some rows.

        Args:
            logits: (N, rows, W, C), float32 at least.
            inside: which pixels count, (1, rows, 1) bool or True.
            *arrays: of `prepare`.

        Returns:
            A pytree of arrays, which are added up over the strips.
        """
        raise NotImplementedError

    def finish(self, sums: Any, *arrays: Any) -> jax.Array:
        """The value, from the total of `strip` and the whole arrays of `prepare`.

        A value that is no scalar is averaged by the head, as in mmseg.
        """
        raise NotImplementedError

    def whole(self, logits: jax.Array, targets: Targets) -> jax.Array:
        """The value of full-size logits, without loss_weight.

        Args:
            logits: (N, H, W, C), float32 at least; of a loss over points or vectors
                any axes before the channels.
            targets: masks with the same axes.
        """
        size = logits.shape[1:-1]
        arrays = self.prepare(Upsampled(logits, size), targets)
        arrays = jax.lax.stop_gradient(arrays)
        return self.finish(self.strip(logits, True, *arrays), *arrays)

    def check_channels(self, channels: int) -> None:
        """Refuses a number of logits' channels that the loss cannot train.

        Raises:
            FieldError: with a sentence that names the loss.
        """

    def __call__(
        self,
        logits: jax.Array,
        label: jax.Array,
        weight: jax.Array | None = None,
        *,
        avg_factor: float | jax.Array | None = None,
        ignore_index: int | None = 255,
    ) -> jax.Array:
        """The loss of full-size logits, times loss_weight; for the rest see Targets."""
        logits = wide(logits)
        targets = Targets(label, ignore_index, weight, avg_factor)
        return self.loss_weight * self.whole(logits, targets)


def mask_rows(inside: Any, terms: jax.Array) -> jax.Array:
    """Terms (N, rows, W) or (N, rows, W, C), zero where rows are not inside."""
    if inside is True:
        return terms
    return jnp.where(inside if terms.ndim == 3 else inside[..., None], terms, 0)


def reduce(
    values: jax.Array,
    reduction: str,
    weight: jax.Array | None = None,
    avg_factor: float | jax.Array | None = None,
) -> jax.Array:
    """Weighs the values of the samples and reduces them as mmseg's losses do.

    Args:
        values: (N,) or of any shape.
        reduction: `none`, `mean` or `sum`.
        weight: factors of the values' shape, or None.
        avg_factor: what the sum is divided by in place of the mean, or None.
    """
    values = values if weight is None else values * weight
    if avg_factor is not None and reduction == "mean":
        return values.sum() / (avg_factor + EPS)
    refuse_factor_of_sum(reduction, avg_factor)
    return {"none": lambda: values, "mean": values.mean, "sum": values.sum}[reduction]()


def refuse_factor_of_sum(reduction, avg_factor):
    """Raises a FieldError where a sum would be divided."""
    if avg_factor is not None and reduction == "sum":
        raise FieldError("avg_factor is no divisor of a loss with reduction='sum'")


def check_reduction(reduction: str) -> None:
    """Raises a FieldError for an unknown reduction."""
    if reduction not in REDUCTIONS:
        allowed = ", ".join(REDUCTIONS)
        raise FieldError(f"reduction: found {reduction!r}, allowed: {allowed}")

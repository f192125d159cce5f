"""Kullback-Leibler divergence from the logits of a teacher."""

import dataclasses

import jax
from jax.scipy.special import xlogy

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.losses.loss import Loss, check_reduction, mask_rows


@dataclasses.dataclass(frozen=True)
class KLDivLoss(Loss):
    """mmseg's KLDivLoss: of the softmax of both sides, times the squared temperature.

    The label is logits (N, H, W, C). Torch's `kl_div` takes the logarithm of the first
    side, mmseg gives it the probabilities q themselves: the sum is of p (log p - q),
    which is not zero where both sides are equal.

    Attributes:
        temperature: the logits of both sides are divided by it.
        reduction: `mean` or `sum` over each sample, which gives (N,); or `none`, all
            terms. A head takes the mean of what is left, as mmseg's training does.
        loss_weight: factor of the loss.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    temperature: float = 1.0
    reduction: str = "mean"
    loss_weight: float = 1.0
    loss_name: str = "loss_kld"

    passes = 2

    def __post_init__(self):
        check_reduction(self.reduction)
        if self.temperature == 0:
            raise FieldError("temperature: found 0, the logits are divided by it")

    def prepare(self, logits, targets):
        teacher = targets.label
        if teacher.shape[-1:] != (logits.channels,) or teacher.ndim < 2:
            raise ConfigError(
                f"{self.loss_name} takes logits of {logits.channels} channels as its "
                f"label, found {teacher.shape}"
            )
        return (teacher,)

    def strip(self, logits, inside, teacher):
        terms = mask_rows(inside, self._terms(logits, teacher))
        return terms.sum(tuple(range(1, terms.ndim)))

    def finish(self, sums, teacher):
        if self.reduction == "sum":
            return sums
        return sums / (teacher.size // len(teacher))

    def whole(self, logits, targets):
        if self.reduction != "none":
            return super().whole(logits, targets)
        return self._terms(logits, targets.label)

    def _terms(self, logits, teacher):
        given = jax.nn.softmax(logits / self.temperature, axis=-1)
        wanted = jax.nn.softmax(
            teacher.astype(logits.dtype) / self.temperature, axis=-1
        )
        return (xlogy(wanted, wanted) - wanted * given) * self.temperature**2

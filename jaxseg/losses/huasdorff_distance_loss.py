"""Hausdorff distance loss: http://proceedings.mlr.press/v121/ma20b.html."""

import dataclasses

import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.losses.class_weight import (
    ClassWeight,
    check_number,
    read_field,
    weights_of,
)
from jaxseg.losses.loss import Loss, check_reduction, reduce
from jaxseg.ops.distance import squared_distance
from jaxseg.ops.select import largest_channel


@dataclasses.dataclass(frozen=True)
class HuasdorffDisstanceLoss(Loss):
    """mmseg's HuasdorffDisstanceLoss, in its spelling and with its values.

    Squared errors, weighed by the squared distances to the background (class 0) in the
    label and in the prediction: the mean over the pixels, summed over the classes from
    1 on, over the number of classes. As in mmseg the error is the probability minus
    the number of the label's class, and the distances are those of all foreground,
    whatever its class. An ignored pixel is background; the channel of `ignore_index`
    counts as the one before it does once more.

    Attributes:
        reduction: `mean`, `sum` or `none`, all the same: there is one value.
        class_weight: weights of the classes, the path of a file with them, or None.
            (mmseg refuses all weights here.)
        loss_weight: factor of the loss.
        ignore_index: the label that is background; the head's is not used, as in
            mmseg.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    reduction: str = "mean"
    class_weight: ClassWeight = None
    loss_weight: float = 1.0
    ignore_index: int | None = 255
    loss_name: str = "loss_huasdorff_disstance"

    passes = None

    def __post_init__(self):
        check_reduction(self.reduction)
        if self.ignore_index == 1:
            raise FieldError(
                "ignore_index: found 1, whose channel has no counted one before it"
            )
        read_field(self)

    def check_channels(self, channels):
        if channels < 2:
            raise FieldError(
                f"{self.loss_name} takes the background and at least one class, found "
                f"{channels} channel"
            )
        check_number(self, channels)

    def whole(self, logits, targets):
        channels = logits.shape[-1]
        self.check_channels(channels)
        label = jnp.maximum(targets.ignoring(self.ignore_index).classes, 0)
        chosen = [c - (c == self.ignore_index) for c in range(1, channels)]
        probability = jax.nn.softmax(logits, axis=-1)[..., jnp.asarray(chosen)]
        errors = jnp.square(probability - label[..., None].astype(logits.dtype))
        predicted = largest_channel(jax.lax.stop_gradient(logits))
        distance = squared_distance(label > 0) + squared_distance(predicted > 0)
        losses = (errors * distance.astype(logits.dtype)[..., None]).mean((0, 1, 2))
        if self.class_weight is not None:
            losses *= weights_of(self, channels, losses.dtype)[1:]
        return reduce(losses.sum() / channels, self.reduction, None, targets.avg_factor)

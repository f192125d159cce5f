"""OHEM cross entropy of PIDNet: https://arxiv.org/abs/2206.02066."""

import dataclasses

import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.losses.class_weight import (
    ClassWeight,
    check_number,
    read_field,
    weights_of,
)
from jaxseg.losses.cross_entropy_loss import softmax_cross_entropy
from jaxseg.losses.ohem_pixel_sampler import below, label_probability
from jaxseg.losses.pixel_loss import PixelLoss, count_over_devices, weigh


@dataclasses.dataclass(frozen=True)
class OhemCrossEntropy(PixelLoss):
    """The mean softmax cross entropy of the pixels that are hard.

    Hard is whose label's probability is below `thres`, or below that of the
    `min_kept`-th hardest pixel of the batch if it is larger. Each device chooses from
    its own part of the batch. Class weights do not count in the mean's divisor.

    Attributes:
        ignore_label: the label that counts nowhere; the head's is not used, as in
            mmseg.
        thres: a probability.
        min_kept: number of pixels kept of the batch.
        loss_weight: factor of the loss.
        class_weight: weights of the classes, the path of a file with them, or None.
        loss_name: the name of the loss in the log; losses of one name are summed.
    """

    ignore_label: int = 255
    thres: float = 0.7
    min_kept: int = 100000
    loss_weight: float = 1.0
    class_weight: ClassWeight = None
    loss_name: str = "loss_ohem"

    def __post_init__(self):
        read_field(self)

    def check_channels(self, channels):
        if channels == 1:
            raise FieldError(
                f"{self.loss_name} is the softmax of one channel, which is 1 whatever "
                "the logit: give the head two channels"
            )
        check_number(self, channels)

    def inputs(self, logits, targets):
        classes = targets.ignoring(self.ignore_label).classes
        valid = classes >= 0
        probability = label_probability(logits, classes)
        hard = below(probability, valid, max(1, self.min_kept), self.thres)
        return classes, weigh(hard.astype(jnp.float32), targets.weight)

    def pixels(self, logits, classes, weight):
        loss = softmax_cross_entropy(logits, classes)
        if self.class_weight is not None:
            weights = weights_of(self, logits.shape[-1], logits.dtype)
            loss = loss * weights[jnp.maximum(classes, 0)]
        return loss * weight

    def prepare(self, logits, targets):
        inputs, _ = super().prepare(logits, targets)
        return inputs, count_over_devices(inputs[1] > 0)

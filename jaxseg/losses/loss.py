"""The roles of a head's losses and of its sampler."""


class Loss:
    """The role of `loss_decode`: one term of a head's training loss.

    Attributes:
        loss_weight: factor of the loss.
        loss_name: its name in the log; losses of one name are summed. What has `loss`
            in its name is trained.
    """

    loss_weight: float
    loss_name: str


class Sampler:
    """The role of `sampler`: it chooses the pixels that the losses count."""

"""Decode head: what every one has: choice of inputs, classifier, loss."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.heads.head import Head
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import Conv2d, ConvModule
from jaxseg.layers.dropout import Dropout2d
from jaxseg.layers.norm import Norm
from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.loss import Loss
from jaxseg.losses.sampler import Sampler
from jaxseg.ops.resize import resize


class BaseDecodeHead(Head, kw_only=True):
    """A head of the usual form: inputs, classifier, losses.

    A head adds `__call__(inputs, train) -> outputs`. Most give their logits,
    (N, h, w, out_channels); what other outputs need says `Head`.

    Attributes:
        channels: channels before the classifier.
        out_channels: channels of the logits: num_classes (the default), or 1 for a
            binary head, whose one channel is the logit of class 1.
        dropout_ratio: the dropout rate of the channels before the classifier.
        norm_cfg, act_cfg: flavours of the layers.
        in_index: which of the backbone's (or neck's) outputs, or which ones.
        input_transform: None takes the one output; `resize_concat` resizes all to
            the first one's size and joins the channels; `multiple_select` passes
            them on as they are.
        loss_decode: a loss or several, summed by `loss_name`.
        sampler: chooses the pixels that count, e.g. `OHEMPixelSampler()`, or None.
        The others are Head's.
    """

    channels: int
    out_channels: int | None = None
    dropout_ratio: float = 0.1
    norm_cfg: Norm | None = None
    act_cfg: Act | None = ReLU()
    in_index: int | tuple[int, ...] = -1
    input_transform: str | None = None
    loss_decode: Loss | tuple[Loss, ...] = CrossEntropyLoss()
    sampler: Sampler | None = None

    def __post_init__(self):
        transforms = (None, "resize_concat", "multiple_select")
        if self.input_transform not in transforms:
            raise FieldError(
                f"input_transform is {self.input_transform!r}, allowed: {transforms}"
            )
        several = self.input_transform is not None
        for name in ("in_channels", "in_index"):
            if isinstance(getattr(self, name), tuple) != several:
                raise FieldError(
                    f"{name} is {getattr(self, name)}; input_transform="
                    f"{self.input_transform!r} takes {'a list' if several else 'one'}"
                )
        if several and len(self.in_channels) != len(self.in_index):
            raise FieldError(
                f"in_channels {self.in_channels} and in_index {self.in_index} differ "
                "in length"
            )
        if self.out_channels is None:
            self.out_channels = self.num_classes
        if self.out_channels != self.num_classes and (
            self.out_channels != 1 or self.num_classes != 2
        ):
            raise FieldError(
                f"out_channels is {self.out_channels}, allowed: num_classes "
                f"({self.num_classes}), or 1 where num_classes is 2"
            )
        if self.out_channels == 1 and self.threshold is None:
            self.threshold = 0.3
        self.check_losses()
        super().__post_init__()

    @property
    def losses(self) -> tuple[Loss, ...]:
        """`loss_decode` as a tuple."""
        losses = self.loss_decode
        return losses if isinstance(losses, tuple) else (losses,)

    def check_losses(self) -> None:
        """Refuses losses that cannot train this head's logits.

        Raises:
            FieldError: of `Loss.check_channels`.
        """
        channels = self.loss_channels
        for loss, number in zip(self.losses, channels, strict=True):
            try:
                loss.check_channels(number)
            except FieldError as error:
                raise FieldError(f"loss_decode: {error}") from error

    @property
    def loss_channels(self) -> tuple[int, ...]:
        """Channels of the logits that each of `losses` gets."""
        return (self.out_channels,) * len(self.losses)

    def transform_inputs(self, inputs):
        """Picks this head's inputs from the tuple of feature maps."""
        if self.input_transform is None:
            return self._chosen(inputs, self.in_index, self.in_channels)
        chosen = [
            self._chosen(inputs, i, channels)
            for i, channels in zip(self.in_index, self.in_channels, strict=True)
        ]
        if self.input_transform == "multiple_select":
            return chosen
        size = chosen[0].shape[1:3]
        resized = [resize(x, size, align_corners=self.align_corners) for x in chosen]
        return jnp.concatenate(resized, axis=-1)

    def _chosen(self, inputs, index, channels):
        if not -len(inputs) <= index < len(inputs):
            raise ConfigError(
                f"{self.config_path}.in_index is {self.in_index}, but there are "
                f"{len(inputs)} feature maps: 0 to {len(inputs) - 1}"
            )
        x = inputs[index]
        if x.shape[-1] != channels:
            raise ConfigError(
                f"{self.config_path}.in_channels is {self.in_channels} for "
                f"in_index={self.in_index}, but that feature map has {x.shape[-1]} "
                "channels"
            )
        return x

    def conv_module(
        self, channels: int, side: int, name: str, dilation: int = 1, **fields: Any
    ):
        """A ConvModule in the head's flavours, and these fields, that keeps the size."""
        return ConvModule(
            channels,
            side,
            padding=side // 2 * dilation,
            dilation=dilation,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            **fields,
            name=name,
        )

    def cls_seg(self, x, train: bool):
        """(N, h, w, channels) -> logits (N, h, w, out_channels)."""
        x = Dropout2d(self.dropout_ratio, name="dropout")(x, train)
        return Conv2d(
            self.out_channels,
            kernel_init=nn.initializers.normal(0.01),
            name="conv_seg",
        )(x)

    @property
    def score_channels(self) -> int:
        return self.out_channels

    def loss(self, outputs, targets):
        return decode_losses(
            outputs,
            targets,
            self.losses,
            sampler=self.sampler,
            ignore_index=self.ignore_index,
            align_corners=self.align_corners,
        )

"""A backbone, perhaps a neck, a decode head, and auxiliary heads for training."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.ops.resize import resize
from jaxseg.segmentors.preprocess import SegDataPreProcessor
from jaxseg.weights.part import Part, frozen_keys


class EncoderDecoder(Part):
    """mmseg's EncoderDecoder.

    Attributes:
        backbone: images -> tuple of feature maps.
        decode_head: feature maps -> logits.
        neck: feature maps -> feature maps, or None.
        auxiliary_head: one more head or several, which only training uses.
        data_preprocessor: images as loaded -> normalised images.
        train_cfg: accepted as in mmseg; it holds nothing.
        test_cfg: dict(mode='whole'), or dict(mode='slide', crop_size=(height,
            width), stride=(height, width)); with buckets=False an evaluation pads
            no image (docs/evaluation.md).
        pretrained: where the backbone's starting weights come from: a name such as
            `open-mmlab://resnet50_v1c`, a URL or a file, or dict(checkpoint=...,
            prefix=...) of those under a prefix. The training reads it; the module
            itself does not.
        dtype: compute type, `float32` or `bfloat16`. Layers compute in the type of
            their input; parameters, norm statistics, softmax and losses are float32.
    """

    backbone: nn.Module
    decode_head: nn.Module
    neck: nn.Module | None = None
    auxiliary_head: Any = None
    data_preprocessor: SegDataPreProcessor = SegDataPreProcessor()
    train_cfg: Mapping[str, Any] | None = None
    test_cfg: Mapping[str, Any] | None = None
    pretrained: str | Mapping[str, str] | None = None
    dtype: str = "float32"

    def __post_init__(self):
        allowed = ("float32", "bfloat16", "float64")
        if self.dtype not in allowed:
            raise ValueError(f"dtype is {self.dtype!r}, allowed: {', '.join(allowed)}")
        _check_pretrained(self.pretrained)
        super().__post_init__()

    @property
    def auxiliary_heads(self) -> tuple[nn.Module, ...]:
        """The auxiliary heads as a tuple, which may be empty."""
        heads = self.auxiliary_head
        if heads is None:
            return ()
        return heads if isinstance(heads, tuple) else (heads,)

    @property
    def target_keys(self) -> tuple[str, ...]:
        """The keys of the targets (`gt_*`) that the heads' losses read."""
        heads = (self.decode_head, *self.auxiliary_heads)
        return tuple(dict.fromkeys(key for head in heads for key in head.target_keys))

    def frozen_keys(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Checkpoint keys of what training leaves alone (`weights.part.frozen_keys`)."""
        return frozen_keys(self, params)

    def extract_feat(self, images: jax.Array, train: bool = False):
        """Normalised images (N, H, W, C) -> tuple of feature maps (N, h, w, c)."""
        x = self.backbone(images.astype(self.dtype), train)
        return x if self.neck is None else self.neck(x, train)

    def __call__(self, images: jax.Array, train: bool = False):
        """Logits of the decode head and of each auxiliary head, at their own sizes."""
        features = self.extract_feat(images, train)
        logits = self.decode_head(features, train)
        return logits, tuple(head(features, train) for head in self.auxiliary_heads)

    def logits(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> logits (N, h, w, out_channels)."""
        return self.decode_head(self.extract_feat(images), False)

    def encode_decode(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> float32 logits (N, H, W, out_channels)."""
        logits = self.logits(images)
        logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
        align_corners = self.decode_head.align_corners
        return resize(logits, images.shape[1:3], align_corners=align_corners)

    def loss(
        self, images: jax.Array, targets: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Every loss and accuracy of one training batch.

        Args:
            images: normalised, (N, H, W, C).
            targets: every `gt_*` of the batch, (N, H, W) each, by its key.

        Returns:
            Scalars named as in mmseg: `decode.loss_ce`, `decode.acc_seg`,
            `aux.loss_ce` (or `aux_0.loss_ce`, ... of several). The training loss is
            the sum of those with `loss` in their name.
        """
        logits, auxiliary = self(images, train=True)
        losses = _prefixed("decode", self.decode_head.loss(logits, targets))
        several = isinstance(self.auxiliary_head, tuple)
        for i, (head, logits) in enumerate(
            zip(self.auxiliary_heads, auxiliary, strict=True)
        ):
            prefix = f"aux_{i}" if several else "aux"
            losses |= _prefixed(prefix, head.loss(logits, targets))
        return losses


def _check_pretrained(pretrained):
    given = (
        pretrained if isinstance(pretrained, Mapping) else {"checkpoint": pretrained}
    )
    is_whole = {"checkpoint"} <= set(given) <= {"checkpoint", "prefix"}
    is_named = is_whole and all(isinstance(value, str) for value in given.values())
    if pretrained is not None and not is_named:
        raise ValueError(
            f"pretrained is {pretrained!r}, allowed: a name, URL or path, or "
            "dict(checkpoint=..., prefix=...) with one"
        )


def _prefixed(prefix, losses):
    return {f"{prefix}.{name}": value for name, value in losses.items()}

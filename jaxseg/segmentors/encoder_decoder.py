"""Encoder-decoder: a backbone, perhaps a neck, a decode head, auxiliary heads."""

from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.heads.cascade_decode_head import BaseCascadeDecodeHead
from jaxseg.heads.head import Head
from jaxseg.necks.neck import Neck
from jaxseg.ops.narrow import wide
from jaxseg.ops.resize import resize
from jaxseg.segmentors.phases import TestCfg, TrainCfg
from jaxseg.segmentors.preprocess import SegDataPreProcessor
from jaxseg.segmentors.segmentor import Segmentor
from jaxseg.weights.key_table import KeyTable
from jaxseg.weights.part import frozen_keys

# What whole models of other repositories call the parts.
_RENAMES = (
    # https://github.com/jfzhang95/pytorch-deeplab-xception
    (r"^(aspp|decoder)\.", r"decode_head.\1."),
    # https://github.com/CSAILVision/semantic-segmentation-pytorch, the encoder's file
    (r"^((conv|bn|layer|stage|transition)\d|features)\.", r"backbone.\1."),
    # and the decoder's.
    (r"^(ppm|ppm_conv|ppm_last_conv|fpn_in|fpn_out)\.", r"decode_head.\1."),
    (r"^(cbr|conv_last)\.", r"decode_head.\1."),
    (r"^(cbr|conv_last)_deepsup\.", r"auxiliary_head.\1."),
)


class EncoderDecoder(Segmentor):
    """mmseg's EncoderDecoder.

    Attributes:
        backbone: images -> tuple of feature maps.
        decode_head: feature maps -> outputs, of most heads the logits.
        neck: feature maps -> feature maps, or None.
        auxiliary_head: one more head or several, which only training uses.
        data_preprocessor: images as loaded -> normalised images.
        train_cfg: what only training does.
        test_cfg: how images are cut at test time.
        pretrained: where the backbone's starting weights come from: a name such as
            `open-mmlab://resnet50_v1c`, a URL or a file, or dict(checkpoint=...,
            prefix=...) of those under a prefix. The training reads it; the module
            itself does not.
        dtype: compute type, `float32` or `bfloat16`. Layers compute in the type of
            their input; parameters, norm statistics, softmax and losses are float32.
        precision: how products and convolutions multiply on an accelerator, forward
            and backward: `highest`, all digits of the type (six passes of bfloat16 on
            a TPU for float32, no TF32 on a GPU); `high`, three passes, or TF32;
            `default`, what is fastest. None is `highest`, of a bfloat16 model
            `default`. On a CPU all are the same.
    """

    backbone: Backbone
    decode_head: Head
    neck: Neck | None = None
    auxiliary_head: Head | tuple[Head, ...] | None = None
    data_preprocessor: SegDataPreProcessor = SegDataPreProcessor()
    train_cfg: TrainCfg = TrainCfg()
    test_cfg: TestCfg = TestCfg()
    pretrained: str | Mapping[str, str] | None = None
    dtype: str = "float32"
    precision: str | None = None

    takes_padding = True
    takes_bands = True

    key_table = KeyTable(renames=_RENAMES)

    def __post_init__(self):
        allowed = ("float32", "bfloat16", "float64")
        if self.dtype not in allowed:
            raise FieldError(f"dtype is {self.dtype!r}, allowed: {', '.join(allowed)}")
        allowed = ("highest", "high", "default")
        if self.precision not in (None, *allowed):
            raise FieldError(
                f"precision is {self.precision!r}, allowed: {', '.join(allowed)}"
            )
        _check_pretrained(self.pretrained)
        alone = self.auxiliary_heads
        if isinstance(self.decode_head, Head):
            alone = {"decode_head": self.decode_head, **alone}
        for name, head in alone.items():
            if isinstance(head, BaseCascadeDecodeHead):
                raise FieldError(
                    f"{name}: {type(head).__name__} takes the outputs of a head before "
                    "it, allowed: in the list of type='CascadeEncoderDecoder'"
                )
        super().__post_init__()

    @property
    def in_channels(self) -> int:
        """Channels of the images."""
        return self.backbone.in_channels

    @property
    def num_classes(self) -> int:
        """The number of classes that are predicted."""
        return self.predicting_head.num_classes

    @property
    def out_channels(self) -> int:
        """Channels of the logits: the number of classes, or 1 of a binary head."""
        return self.predicting_head.score_channels

    @property
    def threshold(self) -> float | None:
        """The probability of one channel from which a pixel is class 1."""
        return self.predicting_head.threshold

    @property
    def align_corners(self) -> bool:
        """`align_corners` of the resize from the logits to the image's size."""
        return self.predicting_head.align_corners

    @property
    def product_precision(self) -> str:
        """`precision`, or what its None means."""
        if self.precision is not None:
            return self.precision
        return "default" if self.dtype == "bfloat16" else "highest"

    @property
    def heads(self) -> dict[str, Head]:
        """Every head by its checkpoint key, `decode_head` or `auxiliary_head.0`."""
        return {**self.decode_heads, **self.auxiliary_heads}

    @property
    def predicting_head(self) -> Head:
        """The head whose outputs are the prediction."""
        return self.decode_head

    @property
    def decode_heads(self) -> dict[str, Head]:
        """The decode head by its checkpoint key."""
        return {"decode_head": self.decode_head}

    @property
    def auxiliary_heads(self) -> dict[str, Head]:
        """The heads that only training uses, by their checkpoint keys."""
        heads = self.auxiliary_head
        if heads is None:
            return {}
        if not isinstance(heads, tuple):
            return {"auxiliary_head": heads}
        return {f"auxiliary_head.{i}": head for i, head in enumerate(heads)}

    @property
    def target_keys(self) -> tuple[str, ...]:
        """The keys of the targets (`gt_*`) that the heads' losses read."""
        keys = (key for head in self.heads.values() for key in head.target_keys)
        return tuple(dict.fromkeys(keys))

    def frozen_keys(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Checkpoint keys of what training leaves alone (`weights.part.frozen_keys`)."""
        return frozen_keys(self, params)

    def check_size(self, size: tuple[int, int]) -> None:
        """Raises ModelSizeError for images of (height, width) that it does not take."""
        self.backbone.check_size(size)

    def extract_feat(self, images: jax.Array, train: bool = False):
        """Normalised images (N, H, W, C) -> tuple of feature maps (N, h, w, c)."""
        x = self.backbone(images.astype(self.dtype), train)
        return x if self.neck is None else self.neck(x, train)

    def __call__(self, images: jax.Array, train: bool = False):
        """The outputs of every head, by the names of `heads`."""
        features = self.extract_feat(images, train)
        outputs = self.decode(features, train)
        for name, head in self.auxiliary_heads.items():
            outputs[name] = head(features, train)
        return outputs

    def decode(self, features: tuple[jax.Array, ...], train: bool) -> dict[str, Any]:
        """Feature maps -> the outputs of the decode heads, by their names."""
        return {"decode_head": self.decode_head(features, train)}

    def maps(self, images: jax.Array) -> tuple[jax.Array, Any]:
        """Normalised images -> the predicting head's `logits` and `per_image`."""
        head = self.predicting_head
        *_, outputs = self.decode(self.extract_feat(images), False).values()
        found = head.logits(outputs), head.per_image(outputs)
        return jax.tree.map(wide, found)

    def scores(self, maps: jax.Array, per_image: Any) -> jax.Array:
        """Resized maps (N, rows, W, c) -> logits (N, rows, W, out_channels)."""
        return self.predicting_head.scores(maps, per_image)

    def logits(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> maps (N, h, w, c) of what is predicted."""
        return self.maps(images)[0]

    def encode_decode(self, images: jax.Array) -> jax.Array:
        """Normalised images (N, H, W, C) -> float32 logits (N, H, W, out_channels)."""
        maps, per_image = self.maps(images)
        maps = resize(maps, images.shape[1:3], align_corners=self.align_corners)
        return self.scores(maps, per_image)

    def loss(
        self, images: jax.Array, targets: Mapping[str, jax.Array]
    ) -> dict[str, jax.Array]:
        """Every loss and accuracy of one training batch.

        Args:
            images: normalised, (N, H, W, C).
            targets: every `gt_*` of the batch: `gt_seg_map`, (N, H, W) integers, ...

        Returns:
            Scalars named as in mmseg: `decode.loss_ce`, `decode.acc_seg`,
            `aux.loss_ce` (or `aux_0.loss_ce`, ... of several). The training loss is
            the sum of those with `loss` in their name.
        """
        outputs = self(images, train=True)
        losses = {}
        for name, head in self.heads.items():
            for loss, value in head.loss(outputs[name], targets).items():
                losses[f"{_log_name(name)}.{loss}"] = value
        return losses


def _check_pretrained(pretrained):
    given = (
        pretrained if isinstance(pretrained, Mapping) else {"checkpoint": pretrained}
    )
    is_whole = {"checkpoint"} <= set(given) <= {"checkpoint", "prefix"}
    is_named = is_whole and all(isinstance(value, str) for value in given.values())
    if pretrained is not None and not is_named:
        raise FieldError(
            f"pretrained is {pretrained!r}, allowed: a name, URL or path, or "
            "dict(checkpoint=..., prefix=...) with one"
        )


def _log_name(head):
    """mmseg's name in the log: `decode`, `aux` or `aux_0`."""
    name = head.replace("decode_head", "decode").replace("auxiliary_head", "aux")
    return name.replace(".", "_")

"""Segmentor of heads: what segmentors have in common that ask their heads."""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax

from jaxseg.errors import FieldError
from jaxseg.heads.head import Head
from jaxseg.ops.narrow import wide
from jaxseg.ops.resize import resize
from jaxseg.segmentors.phases import TestCfg, TrainCfg
from jaxseg.segmentors.preprocess import SegDataPreProcessor
from jaxseg.segmentors.segmentor import Segmentor
from jaxseg.weights.part import frozen_keys


class SegmentorOfHeads(Segmentor, kw_only=True):
    """The base of segmentors whose heads make predictions and losses of features.

    One adds `in_channels`, `heads`, `predicting_head`, `check_size`, `extract_feat` and
    `decode`.

    Attributes:
        data_preprocessor: images as loaded -> normalised images.
        train_cfg: what only training does.
        test_cfg: how images are cut at test time.
        pretrained: where the starting weights of `pretrained_keys` come from: a name
            such as `open-mmlab://resnet50_v1c`, a URL or a file, or dict(checkpoint=...,
            prefix=...) of those under a prefix. The training reads it; the module
            itself does not.
        dtype: compute type, `float32` or `bfloat16`. Layers compute in the type of
            their input; parameters, norm statistics, softmax and losses are float32.
        precision: how products and convolutions multiply on an accelerator, forward
            and backward: `highest`, all digits of the type (six passes of bfloat16 on
            a TPU for float32, no TF32 on a GPU); `high`, three passes, or TF32;
            `default`, what is fastest. None is `highest`, of a bfloat16 model
            `default`. On a CPU all are the same.
        pretrained_keys: checkpoint keys of the parts that `pretrained` is for, that
            which sees the images first.
        test_modes: what `test_cfg.mode` may be.
    """

    data_preprocessor: SegDataPreProcessor = SegDataPreProcessor()
    train_cfg: TrainCfg = TrainCfg()
    test_cfg: TestCfg = TestCfg()
    pretrained: str | Mapping[str, str] | None = None
    dtype: str = "float32"
    precision: str | None = None

    pretrained_keys: ClassVar[tuple[str, ...]] = ("backbone",)
    test_modes: ClassVar[tuple[str, ...]] = ("whole", "slide")

    def __post_init__(self):
        allowed = ("float32", "bfloat16", "float64")
        if self.dtype not in allowed:
            raise FieldError(f"dtype is {self.dtype!r}, allowed: {', '.join(allowed)}")
        allowed = ("highest", "high", "default")
        if self.precision not in (None, *allowed):
            raise FieldError(
                f"precision is {self.precision!r}, allowed: {', '.join(allowed)}"
            )
        if self.test_cfg.mode not in self.test_modes:
            raise FieldError(
                f"test_cfg.mode is {self.test_cfg.mode!r}, allowed: "
                f"{', '.join(map(repr, self.test_modes))}"
            )
        _check_pretrained(self.pretrained)
        super().__post_init__()

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
    def target_keys(self) -> tuple[str, ...]:
        """The keys of the targets (`gt_*`) that the heads' losses read."""
        keys = (key for head in self.heads.values() for key in head.target_keys)
        return tuple(dict.fromkeys(keys))

    def frozen_keys(self, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Checkpoint keys of what training leaves alone (`weights.part.frozen_keys`)."""
        return frozen_keys(self, params)

    @property
    def auxiliary_heads(self) -> dict[str, Head]:
        """The heads that only training uses, by their checkpoint keys."""
        return {}

    def extract_feat(self, images: jax.Array, train: bool = False) -> Any:
        """Normalised images (N, H, W, C) -> what the heads take."""
        raise NotImplementedError

    def __call__(self, images: jax.Array, train: bool = False):
        """The outputs of every head, by the names of `heads`."""
        features = self.extract_feat(images, train)
        outputs = self.decode(features, train)
        for name, head in self.auxiliary_heads.items():
            outputs[name] = head(features, train)
        return outputs

    def decode(self, features: Any, train: bool) -> dict[str, Any]:
        """Features -> the outputs of the decode heads, by their names."""
        raise NotImplementedError

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
        self,
        images: jax.Array,
        targets: Mapping[str, jax.Array],
        train: bool = True,
    ) -> dict[str, jax.Array]:
        """Every loss and accuracy of one batch.

        Args:
            images: normalised, (N, H, W, C).
            targets: every `gt_*` of the batch: `gt_seg_map`, (N, H, W) integers, ...
            train: whether the model computes as in training, or as in an evaluation.

        Returns:
            Scalars named as in mmseg: `decode.loss_ce`, `decode.acc_seg`,
            `aux.loss_ce` (or `aux_0.loss_ce`, ... of several). The training loss is
            the sum of those with `loss` in their name.
        """
        outputs = self(images, train=train)
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

"""SAN, Side Adapter Network: https://arxiv.org/abs/2302.12242."""

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.mask_classification import Outputs, masks_of
from jaxseg.heads.matching import PointMatchingCfg
from jaxseg.heads.point_mask_head import PointMaskClassifier
from jaxseg.layers.data_axis import loss_divisor
from jaxseg.layers.mask_recognition import RecWithAttnbias
from jaxseg.layers.side_adapter import SideAdapterNetwork
from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.dice_loss import DiceLoss
from jaxseg.losses.mask_losses import (
    MaskCrossEntropyLoss,
    MaskDiceLoss,
    QueryClassLoss,
)
from jaxseg.ops.narrow import wide

# The names of the losses of classes, of the masks' cross entropy and of their Dice loss.
_NAMES = ("loss_cls_ce", "loss_mask_ce", "loss_mask_dice")


class SideAdapterCLIPHead(PointMaskClassifier, kw_only=True):
    """Masks of a side adapter, whose classes CLIP's last layers tell.

    Its inputs are the images, CLIP's maps with their class tokens, and the vectors of
    the classes. The outputs' features are those of each layer, (N, layers, h, w, D).

    Attributes:
        san_cfg: the side adapter.
        maskgen_cfg: CLIP's last layers.
        deep_supervision_idxs: blocks of the adapter, counted from 1, behind which masks
            are trained besides those behind the last one.
        train_cfg: how queries are paired with classes, and at how many points.
        loss_decode: the losses, by their `loss_name`: `loss_cls_ce`, of classes with a
            weight each and one for none; `loss_mask_ce` and `loss_mask_dice`, of masks.
        in_channels: channels of the images: those of san_cfg.
    """

    in_channels: int | None = None
    san_cfg: SideAdapterNetwork
    maskgen_cfg: RecWithAttnbias
    deep_supervision_idxs: tuple[int, ...] = ()
    train_cfg: PointMatchingCfg | None = None
    loss_decode: tuple[CrossEntropyLoss | DiceLoss, ...]

    child_keys: ClassVar = {
        "san_cfg": "side_adapter_network",
        "maskgen_cfg": "rec_with_attnbias",
    }

    def __post_init__(self):
        if self.in_channels is None:
            self.in_channels = self.san_cfg.in_channels
        if self.san_cfg.num_queries != self.maskgen_cfg.sos_token_num:
            raise FieldError(
                f"san_cfg.num_queries is {self.san_cfg.num_queries}, allowed: "
                f"sos_token_num of maskgen_cfg, {self.maskgen_cfg.sos_token_num}"
            )
        heads = self.san_cfg.cfg_decoder.num_heads
        if heads not in (1, self.maskgen_cfg.num_heads):
            raise FieldError(
                f"san_cfg.cfg_decoder.num_heads is {heads}, allowed: 1, or num_heads of "
                f"maskgen_cfg, {self.maskgen_cfg.num_heads}"
            )
        blocks = self.san_cfg.cfg_encoder.num_encode_layer
        if not all(0 < i < blocks for i in self.deep_supervision_idxs):
            raise FieldError(
                f"deep_supervision_idxs: is {self.deep_supervision_idxs}, allowed: 1 to "
                f"{blocks - 1}"
            )
        self._check_losses()
        super().__post_init__()

    def _check_losses(self):
        found = {loss.loss_name: loss for loss in self.loss_decode}
        kinds = dict(zip(_NAMES, (CrossEntropyLoss, CrossEntropyLoss, DiceLoss)))
        if found.keys() != kinds.keys() or len(self.loss_decode) != len(kinds):
            raise FieldError(
                f"loss_decode: has {', '.join(found)}, allowed: each of "
                f"{', '.join(_NAMES)} once"
            )
        for name, kind in kinds.items():
            if not isinstance(found[name], kind):
                raise FieldError(f"loss_decode: {name} is no {kind.__name__}")
        if found[_NAMES[0]].class_weight is None or found[_NAMES[2]].ignore_index:
            raise FieldError(
                "loss_decode: loss_cls_ce needs a class_weight, and loss_mask_dice "
                "ignore_index=None"
            )

    def _loss(self, name):
        return next(loss for loss in self.loss_decode if loss.loss_name == name)

    @property
    def num_queries(self) -> int:
        return self.san_cfg.num_queries

    @property
    def loss_cls(self) -> QueryClassLoss:
        loss = self._loss("loss_cls_ce")
        if len(loss.class_weight) != self.num_classes + 1:
            raise FieldError(
                f"loss_decode: class_weight of loss_cls_ce has {len(loss.class_weight)} "
                f"entries; num_classes={self.num_classes} takes {self.num_classes + 1} in "
                "training, the last for masks without a class"
            )
        return QueryClassLoss(
            loss.class_weight,
            use_sigmoid=loss.use_sigmoid,
            reduction=loss.reduction,
            loss_weight=loss.loss_weight,
        )

    @property
    def loss_mask(self) -> MaskCrossEntropyLoss:
        loss = self._loss("loss_mask_ce")
        return MaskCrossEntropyLoss(loss.use_sigmoid, loss.reduction, loss.loss_weight)

    @property
    def loss_dice(self) -> MaskDiceLoss:
        loss = self._loss("loss_mask_dice")
        return MaskDiceLoss(
            loss.use_sigmoid,
            loss.activate,
            loss.reduction,
            loss.naive_dice,
            loss.loss_weight,
            loss.eps,
        )

    @nn.compact
    def __call__(self, inputs, train: bool) -> Outputs:
        """Images, maps with class tokens, and classes (N, K, C) -> `Outputs`."""
        images, *features, classes = inputs
        maps = [x for x, _ in features[: len(self.san_cfg.fusion_index)]]
        wanted = sorted(self.deep_supervision_idxs) if train else []
        wanted = [*wanted, self.san_cfg.cfg_encoder.num_encode_layer]
        found = self.san_cfg(images, maps, wanted)
        embeddings, pixels, looks = zip(*found, strict=True)
        vectors = [self.maskgen_cfg(*features[-1], look) for look in looks]
        scores = jnp.einsum("nlqc,nkc->nlqk", jnp.stack(vectors, axis=1), classes)
        return Outputs(scores, jnp.stack(embeddings, 1), jnp.stack(pixels, 1))

    def logits(self, outputs):
        return masks_of(outputs.features[:, -1], outputs.embeddings[:, -1])

    def count_of_masks(self, paired):
        """Unlike in mmdet, an image without a class does not count."""
        return jnp.maximum(loss_divisor(wide(paired.sum().astype(jnp.float32))), 1)

    def loss(self, outputs, targets):
        truth = self.truth(targets)
        rounds = self.draws(*outputs.scores.shape[:2])
        names = [f"d{i}." for i in sorted(self.deep_supervision_idxs)] + [""]
        losses = {}
        for i, prefix in enumerate(names):
            found = self.losses_of_layer(
                outputs.scores[:, i],
                outputs.embeddings[:, i],
                outputs.features[:, i],
                truth,
                [draws[i] for draws in rounds],
            )
            losses |= {
                f"{prefix}{name}": value
                for name, value in zip(_NAMES, found, strict=True)
            }
        return losses

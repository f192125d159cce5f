"""TIMMBackbone: models of timm as backbones, without timm.

https://github.com/huggingface/pytorch-image-models
"""

import flax.linen as nn
import numpy as np

from jaxseg.backbones.backbone import Backbone
from jaxseg.backbones.timm_architectures import (
    Architecture,
    architecture_of,
    as_regex,
    renamed,
)
from jaxseg.errors import FieldError
from jaxseg.layers.norm import BN, SyncBN
from jaxseg.weights.key_table import KeyTable, Weights
from jaxseg.weights.pretrained import Pretrained

_NORMS = {"BN": BN(), "BN2d": BN(), "SyncBN": SyncBN(), "MMSyncBN": SyncBN()}


def _to_ours(weights: Weights, part: "TIMMBackbone") -> Weights:
    below, pairs = part.holder, part.architecture.keys
    return {
        below + renamed(key.removeprefix(below), pairs): array
        for key, array in weights.items()
    }


def _to_timms(weights: Weights, part: "TIMMBackbone") -> Weights:
    below = part.holder
    pairs = tuple((ours, theirs) for theirs, ours in part.architecture.keys)
    return {
        below + renamed(key.removeprefix(below), pairs): array
        for key, array in weights.items()
    }


class TIMMBackbone(Backbone, kw_only=True):
    """mmseg's TIMMBackbone for the models of timm that jaxseg computes itself.

    Its checkpoints have timm's keys. Without pre-trained weights it starts as jaxseg's
    own family does; of ResNet and ResNeXt that is timm's start, too. A position table
    of another size is resized as mmseg's ViT does it, where timm smoothes.

    Attributes:
        model_name: timm's name, with or without a tag of its weights:
            `resnet50.tv_in1k`.
        features_only: True; a head takes feature maps.
        pretrained: whether it starts from timm's weights of its name, those that
            `weights/zoo.py` has as `timm://`.
        checkpoint_path: a file of weights that it starts from, before all others.
        out_indices: the features that are returned: of convolutional models
            those at 1/2, 1/4, ... 1/32; of a ViT the blocks. A number is that of the
            last ones, None timm's default.
        output_stride: the stride of the last feature, which dilation brings about.
        img_size: the side of the images that the position table of a ViT is for.
        norm_layer: `BN` or `SyncBN`.
    """

    model_name: str
    features_only: bool = True
    pretrained: bool = True
    checkpoint_path: str = ""
    out_indices: int | tuple[int, ...] | None = None
    output_stride: int | None = None
    img_size: int | None = None
    norm_layer: str | None = None

    def __post_init__(self):
        model = architecture_of(self.model_name)
        if not self.features_only:
            raise FieldError(
                "features_only is False, allowed: True, as heads take feature maps"
            )
        if self.output_stride not in (None, *model.output_strides):
            strides = ", ".join(map(str, model.output_strides)) or "none"
            raise FieldError(
                f"output_stride is {self.output_stride}; of {self.model_name} jaxseg "
                f"has {strides}"
            )
        if self.img_size is not None and model.img_size is None:
            raise FieldError(
                f"img_size is {self.img_size}, and {self.model_name} has no position "
                "table: leave it out"
            )
        self._check_norm(model)
        self._indices(model)
        self._set_start()
        super().__post_init__()

    def _check_norm(self, model: Architecture):
        allowed = _NORMS if model.is_batch_normed else {}
        if self.norm_layer is not None and self.norm_layer not in allowed:
            raise FieldError(
                f"norm_layer is {self.norm_layer!r}, allowed for {self.model_name}: "
                f"{', '.join(allowed) or 'None'}"
            )

    def _indices(self, model: Architecture) -> tuple[int, ...]:
        """The features that are returned, as numbers from 0 on, in timm's order."""
        count, given = model.num_features, self.out_indices
        if given is None:
            return model.out_indices
        if isinstance(given, int):
            given = tuple(range(-given, 0))
        if not given or not all(-count <= i < count for i in given):
            raise FieldError(
                f"out_indices is {self.out_indices}; {self.model_name} has {count} "
                f"features, 0 to {count - 1}"
            )
        return tuple(sorted({i % count for i in given}))

    def _set_start(self):
        source = self.checkpoint_path
        if not source and self.pretrained:
            source = f"timm://{self.model_name}"
        if not source:
            return
        start = Pretrained(source)
        if self.init_cfg not in (None, start):
            raise FieldError(
                f"init_cfg: names {self.init_cfg.checkpoint}, and pretrained or "
                f"checkpoint_path {source}, which mmseg loads instead: set "
                "pretrained=False, or leave init_cfg out"
            )
        self.init_cfg = start

    @property
    def architecture(self) -> Architecture:
        return architecture_of(self.model_name)

    @property
    def holder(self) -> str:
        """What all its keys begin with."""
        inside = self.architecture.holder
        return f"timm_model.{inside}." if inside else "timm_model."

    @property
    def takes_padding(self) -> bool:
        return self.architecture.backbone.takes_padding

    @property
    def takes_bands(self) -> bool:
        return self.architecture.backbone.takes_bands

    @property
    def key_table(self) -> KeyTable:
        model = self.architecture
        return KeyTable(
            renames=as_regex(model.keys, self.holder),
            unused=tuple(self.holder + start for start in model.unused),
            convert=_to_ours,
            convert_back=_to_timms,
        )

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the features of out_indices, (N, h, w, C) each."""
        model = self.architecture
        features = model.features(self._net(name=self.holder[:-1]), x, train)
        return tuple(features[i] for i in self._indices(model))

    def _net(self, **options) -> Backbone:
        model = self.architecture
        stride = self.output_stride or 32
        fields = model.sized(self._indices(model)[-1], stride, self.img_size)
        if self.norm_layer is not None:
            fields["norm_cfg"] = _NORMS[self.norm_layer]
        return model.backbone(
            in_channels=self.in_channels, **model.fields, **fields, **options
        )

    def resize_weight(self, key: str, weight: np.ndarray) -> np.ndarray:
        """A stored weight of another shape: `VisionTransformer.resize_weight`."""
        if self.architecture.img_size is None:
            return weight
        return self._net(parent=None).resize_weight(
            key.removeprefix(self.holder), weight
        )

"""ICNet, Image Cascade Network: https://arxiv.org/abs/1704.08545."""

import functools
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.backbones.backbone import Backbone
from jaxseg.backbones.resnet import ResNet
from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act, ReLU
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.ppm import PPM
from jaxseg.ops.pool import max_pool
from jaxseg.ops.resize import resize


class ICNet(Backbone, kw_only=True):
    """A light branch on the image, and a ResNet on half of it and on half of that.

    Attributes:
        backbone_cfg: the backbone, a ResNet of four stages with the deep stem.
        layer_channels: channels of its second and of its last stage.
        light_branch_middle_channels: channels inside the light branch.
        psp_out_channels: channels of a scale of the pooling pyramid behind the last
            stage, and of the convolution of all scales.
        out_channels: channels of the three maps.
        pool_scales: sides of the pooled maps.
        norm_cfg, act_cfg: flavours of the layers; as in mmseg the three branches' last
            convolutions, and the light branch, have a ReLU.
        align_corners: `align_corners` of the resizes.
    """

    backbone_cfg: Backbone
    layer_channels: tuple[int, int] = (512, 2048)
    light_branch_middle_channels: int = 32
    psp_out_channels: int = 512
    out_channels: tuple[int, int, int] = (64, 256, 256)
    pool_scales: tuple[int, ...] = (1, 2, 3, 6)
    norm_cfg: Norm | None = BN()
    act_cfg: Act | None = ReLU()
    align_corners: bool = False

    child_keys: ClassVar = {"backbone_cfg": "backbone"}

    def __post_init__(self):
        inner = self.backbone_cfg
        if not (
            isinstance(inner, ResNet) and inner.deep_stem and inner.num_stages == 4
        ):
            raise FieldError(
                f"backbone_cfg: is {type(inner).__name__}, allowed: a ResNet of four "
                "stages with the deep stem, such as ResNetV1c"
            )
        if inner.in_channels != self.in_channels:
            raise FieldError(
                f"in_channels is {self.in_channels}, and that of backbone_cfg "
                f"{inner.in_channels}: both see the same images"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> maps at about 1/8, 1/16 and 1/32."""
        light, middle = x, self.light_branch_middle_channels
        for k, features in enumerate((middle, middle, self.out_channels[0])):
            light = ConvModule(
                features,
                3,
                2,
                1,
                norm_cfg=self.norm_cfg,
                act_cfg=ReLU(),
                name=f"conv_sub1.{k}",
            )(light, train)

        half = functools.partial(
            resize, scale_factor=0.5, align_corners=self.align_corners
        )
        stages = self.backbone_cfg.stages(half(x), train, _pool, {2: half})
        self._check(stages)
        pyramid = PPM(
            self.pool_scales,
            self.psp_out_channels,
            self.norm_cfg,
            self.act_cfg,
            self.align_corners,
            name="psp_modules",
        )(stages[3], train)
        deep = ConvModule(
            self.psp_out_channels,
            3,
            padding=1,
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="psp_bottleneck",
        )(jnp.concatenate([*pyramid, stages[3]], axis=-1), train)
        middle = self._last("conv_sub2", stages[1], 1, train)
        return light, middle, self._last("conv_sub4", deep, 2, train)

    def _last(self, name, x, branch, train):
        return ConvModule(
            self.out_channels[branch],
            1,
            norm_cfg=self.norm_cfg,
            act_cfg=ReLU(),
            name=name,
        )(x, train)

    def _check(self, stages):
        found = tuple(stages[k].shape[-1] for k in (1, 3))
        if found != self.layer_channels:
            raise ConfigError(
                f"{self.config_path}.layer_channels is {self.layer_channels}, and "
                f"the second and the last stage of backbone_cfg have {found} channels"
            )


def _pool(x):
    """MaxPool2d(3, 2, 1, ceil_mode=True): an even side gets one window more."""
    more = [(0, (side + 1) % 2) for side in x.shape[1:3]]
    x = jnp.pad(x, ((0, 0), *more, (0, 0)), constant_values=-jnp.inf)
    return max_pool(x, 3, 2, 1)

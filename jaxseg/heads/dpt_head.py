"""Dense prediction transformer: https://arxiv.org/abs/2103.13413."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.activation import GELU, Act, ReLU
from jaxseg.layers.conv import Conv2d, ConvModule, ConvTranspose2d, torch_start
from jaxseg.layers.norm import BN, Norm
from jaxseg.layers.transformer import Linear
from jaxseg.ops.narrow import spread
from jaxseg.ops.resize import resize, upsample

_READOUTS = ("ignore", "add", "project")
# How many times the ViT's patches each level's map has on a side.
_SCALES = (4, 2, 1, 0.5)


class _ReassembleBlocks(nn.Module):
    """A pyramid of maps made of the tokens of four of ViT's blocks."""

    out_channels: tuple[int, ...]
    readout_type: str

    @nn.compact
    def __call__(self, inputs, train: bool):
        return [
            self._resize(i)(self._project(i)(self._read(i, *level), train))
            for i, level in enumerate(inputs)
        ]

    def _read(self, i, x, token):
        """The map with what the class token tells of all of it."""
        if self.readout_type == "ignore":
            return x
        token = spread(token[:, None, None], x)
        if self.readout_type == "add":
            return x + token
        width = x.shape[-1]
        x = jnp.concatenate([x, token], axis=-1)
        x = Linear(width, **torch_start(2 * width), name=f"readout_projects.{i}.0")(x)
        return GELU()(name=f"readout_projects.{i}.1")(x)

    def _project(self, i):
        return ConvModule(self.out_channels[i], 1, name=f"projects.{i}")

    def _resize(self, i):
        scale, channels = _SCALES[i], self.out_channels[i]
        name = f"resize_layers.{i}"
        if scale > 1:
            return ConvTranspose2d(channels, scale, scale, 0, name=name)
        if scale == 1:
            return lambda x: x
        start = torch_start(9 * channels)
        return Conv2d(channels, 3, 2, padding=1, **start, name=name)


class _PreActResidualConvUnit(nn.Module):
    """x and two convolutions of it, each behind an activation."""

    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, train: bool):
        y = x
        for name in ("conv1", "conv2"):
            y = ConvModule(
                x.shape[-1],
                3,
                padding=1,
                norm_cfg=self.norm_cfg,
                act_cfg=self.act_cfg,
                order=("act", "conv", "norm"),
                bias=False,
                name=name,
            )(y, train)
        return x + y


class _FeatureFusionBlock(nn.Module):
    """Adds a finer level to a coarser map, and doubles the size."""

    norm_cfg: Norm | None
    act_cfg: Act | None

    @nn.compact
    def __call__(self, x, level, train: bool):
        """x: (N, h, w, C) or None, of the coarsest level; level: a map as large."""
        if x is None:
            x = level
        else:
            level = resize(level, x.shape[1:3])
            x = x + self._unit("res_conv_unit1")(level, train)
        x = self._unit("res_conv_unit2")(x, train)
        x = upsample(x, 2, mode="bilinear", align_corners=True)
        return ConvModule(x.shape[-1], 1, name="project")(x, train)

    def _unit(self, name):
        return _PreActResidualConvUnit(self.norm_cfg, self.act_cfg, name=name)


class DPTHead(BaseDecodeHead, kw_only=True):
    """Tokens of four ViT blocks as a pyramid, fused from the coarsest level on.

    Its inputs are pairs, (map, class token): those of a VisionTransformer with
    `output_cls_token=True`.

    Attributes:
        embed_dims: channels of a token.
        post_process_channels: channels of the four levels, the finest first.
        readout_type: what the class token does: `ignore` nothing, `add` is added to
            each patch, `project` is joined to it before a projection.
        patch_size: accepted as in mmseg, whose head does not use it either.
        expand_channels: False; with True mmseg's head cannot be built.
        up_scale: how many times the logits are enlarged, with their corners aligned: 2
            in the original, 1 in mmseg.
        norm_cfg, act_cfg: flavours of the residual units.
    """

    input_transform: str = "multiple_select"
    embed_dims: int = 768
    post_process_channels: tuple[int, ...] = (96, 192, 384, 768)
    readout_type: str = "ignore"
    patch_size: int = 16
    expand_channels: bool = False
    up_scale: int = 1
    norm_cfg: Norm | None = BN()

    takes_padding = True

    def __post_init__(self):
        super().__post_init__()
        if self.readout_type not in _READOUTS:
            raise FieldError(
                f"readout_type is {self.readout_type!r}, allowed: "
                f"{', '.join(_READOUTS)}"
            )
        if self.expand_channels:
            raise FieldError(
                "expand_channels is True, allowed: False; mmseg's own head cannot be "
                "built with it: its channels are no whole numbers there"
            )
        levels = (len(self.in_channels), len(self.post_process_channels))
        if levels != (len(_SCALES),) * 2:
            raise FieldError(
                f"in_channels {self.in_channels} and post_process_channels "
                f"{self.post_process_channels} must have {len(_SCALES)} values each"
            )

    @nn.compact
    def __call__(self, inputs, train: bool):
        maps, tokens = zip(*map(self._pair, inputs), strict=True)
        maps = self.transform_inputs(maps)
        chosen = [tokens[i] for i in self.in_index]
        levels = _ReassembleBlocks(
            self.post_process_channels, self.readout_type, name="reassemble_blocks"
        )(list(zip(maps, chosen, strict=True)), train)
        levels = [
            ConvModule(self.channels, 3, padding=1, bias=False, name=f"convs.{i}")(
                level, train
            )
            for i, level in enumerate(levels)
        ]
        x = None
        for i, level in enumerate(reversed(levels)):
            block = _FeatureFusionBlock(
                self.norm_cfg, self.act_cfg, name=f"fusion_blocks.{i}"
            )
            x = block(x, level, train)
        x = ConvModule(
            self.channels,
            3,
            padding=1,
            norm_cfg=self.norm_cfg,
            act_cfg=ReLU(),
            name="project",
        )(x, train)
        x = self.cls_seg(x, train)
        if self.up_scale == 1:
            return x
        return upsample(x, self.up_scale, mode="bilinear", align_corners=True)

    def _pair(self, x):
        if isinstance(x, tuple):
            return x
        raise ConfigError(
            f"{self.config_path} takes pairs (map, class token), and the backbone gives "
            "maps alone; a VisionTransformer gives pairs with output_cls_token=True"
        )

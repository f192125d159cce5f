"""Visual Attention Network: https://arxiv.org/abs/2202.09741."""

from typing import Any, ClassVar

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.conv_attention import ConvAttentionBlock, depthwise
from jaxseg.layers.norm import BN, LN, Norm, SyncBN
from jaxseg.layers.transformer import dropout_rates
from jaxseg.weights.key_table import KeyTable


class _LargeKernelAttention(nn.Module):
    """A 21x21 kernel as a depthwise 5x5, a dilated depthwise 7x7 and a 1x1 one."""

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> the same shape."""
        y = depthwise(x, 5, 2, "conv0")
        y = depthwise(y, 7, 9, "conv_spatial", dilation=3)
        return Conv2d(x.shape[-1], name="conv1")(y)


class ConvAttentionBackbone(Backbone, kw_only=True):
    """What VAN and MSCAN share: stages of convolutional attention from 1/4 to 1/32.

    Attributes:
        embed_dims: channels of each stage.
        mlp_ratios: channels of each stage's MLPs over embed_dims.
        drop_rate: dropout rate of the MLPs.
        drop_path_rate: of the last block; it grows linearly from 0.
        depths: blocks of each stage.
        num_stages: number of stages; lists that are longer are used as far.
        norm_cfg: norm of the blocks and of the embeddings.
    """

    embed_dims: tuple[int, ...] = (64, 128, 256, 512)
    mlp_ratios: tuple[float, ...] = (4, 4, 4, 4)
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    depths: tuple[int, ...] = (3, 4, 6, 3)
    num_stages: int = 4
    norm_cfg: Norm = SyncBN()

    stage_norm_eps: ClassVar[float] = 1e-5

    key_table = KeyTable(
        # The authors' depthwise convolution is a module in a module.
        renames=((r"\.dwconv\.dwconv\.", ".dwconv."),),
        unused=("head.",),
    )

    def __post_init__(self):
        for name in ("embed_dims", "mlp_ratios", "depths"):
            if len(getattr(self, name)) < self.num_stages:
                raise FieldError(
                    f"{name}: has {len(getattr(self, name))} entries; num_stages="
                    f"{self.num_stages} takes {self.num_stages}"
                )
        super().__post_init__()

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages, (N, h, w, embed_dims[i]) each."""
        rates = iter(dropout_rates(self.drop_path_rate, sum(self.depths)))
        outs = []
        for i in range(self.num_stages):
            x = self.embed(i, x, train)
            for j in range(self.depths[i]):
                x = ConvAttentionBlock(
                    hidden=int(self.embed_dims[i] * self.mlp_ratios[i]),
                    drop_rate=self.drop_rate,
                    drop_path_rate=next(rates),
                    norm_cfg=self.norm_cfg,
                    **self.block_fields(),
                    name=f"block{i + 1}.{j}",
                )(x, train)
            x = LN(self.stage_norm_eps)(name=f"norm{i + 1}")(x, train)
            outs.append(x)
        return tuple(outs)

    def embed(self, stage: int, x: jax.Array, train: bool) -> jax.Array:
        """What goes into a stage: overlapping patches of the map before."""
        side, stride = (7, 4) if stage == 0 else (3, 2)
        name, width = f"patch_embed{stage + 1}", self.embed_dims[stage]
        x = Conv2d(width, side, stride, side // 2, name=f"{name}.proj")(x)
        return self.norm_cfg(name=f"{name}.norm")(x, train)

    def block_fields(self) -> dict[str, Any]:
        """The fields of a `ConvAttentionBlock` in which the families differ."""
        raise NotImplementedError


class VAN(ConvAttentionBackbone, kw_only=True):
    """The Visual Attention Network, as VAN-Segmentation has it for mmseg.

    Attributes:
        linear: a ReLU before the depthwise convolution of the MLPs.
        The others are those of `ConvAttentionBackbone`.
    """

    mlp_ratios: tuple[float, ...] = (8, 8, 4, 4)
    linear: bool = False

    takes_padding = True
    takes_bands = True

    def block_fields(self):
        return {
            "gate": _LargeKernelAttention,
            "act_cfg": GELU(),
            "relu_first": self.linear,
        }


class _SizedVAN(VAN, kw_only=True):
    """The fields that the sizes share.

    The first release of VAN-Segmentation has a class for each size, which takes any
    keys and reads none of them. `style` alone, which its configs have, is such a key
    here, too.
    """

    drop_path_rate: float = 0.1
    embed_dims: tuple[int, ...] = (64, 128, 320, 512)
    norm_cfg: Norm = BN()
    style: str = "pytorch"

    stage_norm_eps = 1e-6


class VANTiny(_SizedVAN, kw_only=True):
    """VAN-B0."""

    embed_dims: tuple[int, ...] = (32, 64, 160, 256)
    depths: tuple[int, ...] = (3, 3, 5, 2)

    takes_padding = True
    takes_bands = True

    aliases = ("van_tiny",)


class VANSmall(_SizedVAN, kw_only=True):
    """VAN-B1."""

    depths: tuple[int, ...] = (2, 2, 4, 2)

    takes_padding = True
    takes_bands = True

    aliases = ("van_small",)


class VANBase(_SizedVAN, kw_only=True):
    """VAN-B2."""

    depths: tuple[int, ...] = (3, 3, 12, 3)

    takes_padding = True
    takes_bands = True

    aliases = ("van_base",)


class VANLarge(_SizedVAN, kw_only=True):
    """VAN-B3."""

    depths: tuple[int, ...] = (3, 5, 27, 3)

    takes_padding = True
    takes_bands = True

    aliases = ("van_large",)

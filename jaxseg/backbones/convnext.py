"""ConvNeXt, V1 and V2: https://arxiv.org/abs/2201.03545, https://arxiv.org/abs/2301.00808."""

import dataclasses

import flax.linen as nn
import jax
import numpy as np

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import Conv2d
from jaxseg.layers.dropout import DropPath
from jaxseg.layers.global_response_norm import GlobalResponseNorm
from jaxseg.layers.layer_scale import layer_scale
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.remat import remat_if
from jaxseg.layers.transformer import Linear, dropout_rates, truncated_normal
from jaxseg.weights.key_table import KeyTable, Weights


@dataclasses.dataclass(frozen=True)
class ConvNeXtArch:
    """A size of ConvNeXt.

    Attributes:
        depths: blocks of each stage.
        channels: channels of each stage.
    """

    depths: tuple[int, ...]
    channels: tuple[int, ...]

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if len(self.depths) != len(self.channels):
            raise FieldError(
                f"depths {self.depths} and channels {self.channels} differ in length"
            )


def _arch(third, width, others=3):
    """Depths (others, others, third, others); the width doubles with each stage."""
    channels = tuple(width * 2**i for i in range(4))
    return ConvNeXtArch((others, others, third, others), channels)


_ARCHS = {
    "atto": _arch(6, 40, others=2),
    "femto": _arch(6, 48, others=2),
    "pico": _arch(6, 64, others=2),
    "nano": _arch(8, 80, others=2),
    "tiny": _arch(9, 96),
    "small": _arch(27, 96),
    "base": _arch(27, 128),
    "large": _arch(27, 192),
    "xlarge": _arch(27, 256),
    "huge": _arch(27, 352),
}

_RENAMES = (
    # timm's.
    (r"^stem\.", "downsample_layers.0."),
    (r"^stages\.(\d+)\.downsample\.", r"downsample_layers.\1."),
    (r"^stages\.(\d+)\.blocks\.", r"stages.\1."),
    (r"\.conv_dw\.", ".depthwise_conv."),
    (r"\.mlp\.fc(\d)\.", r".pointwise_conv\1."),
    (r"\.mlp\.grn\.weight$", ".grn.gamma"),
    (r"\.mlp\.grn\.bias$", ".grn.beta"),
    (r"^head\.norm\.", "norm3."),
    # The authors'.
    (r"\.dwconv\.", ".depthwise_conv."),
    (r"\.pwconv(\d)\.", r".pointwise_conv\1."),
    (r"^norm\.", "norm3."),
)


def _in_our_shapes(weights: Weights, part: "ConvNeXt") -> Weights:
    """Pointwise weights as those of linear layers or of convolutions; a flat GRN.

    The authors' V2 has its GRN's as (1, 1, 1, C).
    """
    weights = dict(weights)
    for key, value in weights.items():
        if key.endswith((".grn.gamma", ".grn.beta")):
            weights[key] = np.asarray(value).reshape(-1)
        elif ".pointwise_conv" in key and key.endswith(".weight"):
            shape = np.shape(value)
            if part.linear_pw_conv and shape[2:] == (1, 1):
                weights[key] = np.asarray(value)[:, :, 0, 0]
            elif not part.linear_pw_conv and len(shape) == 2:
                weights[key] = np.asarray(value)[:, :, None, None]
    return weights


class _Block(nn.Module):
    """A depthwise 7x7 convolution, a norm and two pointwise layers, beside x itself."""

    norm_cfg: Norm
    act_cfg: Act
    linear_pw_conv: bool
    drop_path_rate: float
    layer_scale_init_value: float
    use_grn: bool

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        width = x.shape[-1]
        y = Conv2d(
            width,
            7,
            padding=3,
            groups=width,
            kernel_init=truncated_normal,
            name="depthwise_conv",
        )(x)
        y = self.norm_cfg(name="norm")(y, train)
        y = self.act_cfg(name="act")(self._pointwise(4 * width, "pointwise_conv1")(y))
        if self.use_grn:
            y = GlobalResponseNorm(name="grn")(y)
        y = self._pointwise(width, "pointwise_conv2")(y)
        if self.layer_scale_init_value > 0:
            y = layer_scale(self, "gamma", self.layer_scale_init_value, y)
        return x + DropPath(self.drop_path_rate, name="drop_path")(y, train)

    def _pointwise(self, features, name):
        layer = Linear if self.linear_pw_conv else Conv2d
        return layer(features, kernel_init=truncated_normal, name=name)


class ConvNeXt(Backbone, kw_only=True):
    """ConvNeXt as mmpretrain has it: stages at 1/4, 1/8, 1/16 and 1/32.

    V2 is `use_grn=True, layer_scale_init_value=0.0`.

    Attributes:
        arch: the name of a size, or a size.
        stem_patch_size: side of the patches of the first stage, in pixels.
        norm_cfg, act_cfg: flavours of the layers.
        linear_pw_conv: whether pointwise layers are linear ones or 1x1 convolutions,
            which compute the same; a checkpoint has their weights in the same form.
        use_grn: V2's global response norm in the blocks.
        drop_path_rate: of the last block; it grows linearly from 0.
        layer_scale_init_value: starting value of the factors of a block's channels; 0:
            there are none.
        out_indices: the stages that are returned; -1 is the last.
        frozen_stages: how many stages keep their weights, the stem with the first.
        gap_before_final_norm: False. mmpretrain's default, True, is for classifiers: it
            gives vectors in place of maps, and is refused.
        with_cp: compute a block's activations again in the backward pass.
    """

    arch: str | ConvNeXtArch = "tiny"
    stem_patch_size: int = 4
    norm_cfg: Norm = LN(eps=1e-6)
    act_cfg: Act = GELU()
    linear_pw_conv: bool = True
    use_grn: bool = False
    drop_path_rate: float = 0.0
    layer_scale_init_value: float = 1e-6
    out_indices: int | tuple[int, ...] = -1
    frozen_stages: int = 0
    gap_before_final_norm: bool = True
    with_cp: bool = False

    takes_padding = True
    takes_bands = True

    aliases = ("mmpretrain.ConvNeXt", "mmcls.ConvNeXt")

    key_table = KeyTable(
        renames=_RENAMES,
        # Classifiers; the norm before that of an ImageNet model, where the last stage
        # is not returned.
        unused=("head.", "norm3."),
        convert=_in_our_shapes,
    )
    # Files of ImageNet models have one norm, that of the last stage.
    fresh_modules = ("norm0", "norm1", "norm2", "norm3")

    def __post_init__(self):
        if isinstance(self.arch, str) and self.arch not in _ARCHS:
            raise FieldError(f"arch: is {self.arch!r}, allowed: {', '.join(_ARCHS)}")
        if self.gap_before_final_norm:
            raise FieldError(
                "gap_before_final_norm: is True, mmpretrain's default, with which "
                "vectors come out in place of maps; allowed: False"
            )
        chosen_maps(self.out_indices, len(self._size.depths))
        super().__post_init__()

    @property
    def _size(self):
        return self.arch if isinstance(self.arch, ConvNeXtArch) else _ARCHS[self.arch]

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the stages of out_indices, (N, h, w, C) each."""
        size = self._size
        wanted = chosen_maps(self.out_indices, len(size.depths))
        rates = iter(dropout_rates(self.drop_path_rate, sum(size.depths)))
        outs = []
        for i, depth in enumerate(size.depths):
            trains = train and i >= self.frozen_stages
            x = self._downsample(i, x, trains)
            for j in range(depth):
                x = remat_if(_Block, self.with_cp)(
                    self.norm_cfg,
                    self.act_cfg,
                    self.linear_pw_conv,
                    next(rates),
                    self.layer_scale_init_value,
                    self.use_grn,
                    name=f"stages.{i}.{j}",
                )(x, trains)
            if i < self.frozen_stages:
                x = jax.lax.stop_gradient(x)
            if i in wanted:
                outs.append(self.norm_cfg(name=f"norm{i}")(x, train))
        return tuple(outs)

    def _downsample(self, stage, x, train):
        """Patches that do not overlap: a convolution and a norm, later the other way."""
        name = f"downsample_layers.{stage}"
        side = self.stem_patch_size if stage == 0 else 2
        convolve = Conv2d(
            self._size.channels[stage],
            side,
            side,
            kernel_init=truncated_normal,
            name=f"{name}.{min(stage, 1)}",
        )
        norm = self.norm_cfg(name=f"{name}.{1 - min(stage, 1)}")
        return norm(convolve(x), train) if stage == 0 else convolve(norm(x, train))

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        names = ("downsample_layers", "stages")
        return tuple(f"{n}.{i}" for i in range(self.frozen_stages) for n in names)

"""PoolFormer: https://arxiv.org/abs/2111.11418."""

import dataclasses
import itertools

import flax.linen as nn
import jax

from jaxseg.backbones.backbone import Backbone, chosen_maps
from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import Conv2d, torch_start
from jaxseg.layers.dropout import Dropout, DropPath
from jaxseg.layers.layer_scale import layer_scale
from jaxseg.layers.norm import GN, Norm
from jaxseg.layers.transformer import dropout_rates
from jaxseg.ops.pool import mean_around
from jaxseg.weights.key_table import KeyTable


@dataclasses.dataclass(frozen=True)
class PoolFormerArch:
    """A size of PoolFormer.

    Attributes:
        layers: blocks of each stage.
        embed_dims: channels of each stage.
        mlp_ratios: channels of each stage's MLPs over embed_dims.
        layer_scale_init_value: starting value of the factors of a block's channels.
    """

    layers: tuple[int, ...]
    embed_dims: tuple[int, ...]
    mlp_ratios: tuple[float, ...] = (4, 4, 4, 4)
    layer_scale_init_value: float = 1e-5

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        stages = len(self.layers)
        if len(self.embed_dims) != stages or len(self.mlp_ratios) < stages:
            raise FieldError(
                f"layers {self.layers}, embed_dims {self.embed_dims} and mlp_ratios "
                f"{self.mlp_ratios} differ in length"
            )
        if any(a == b for a, b in itertools.pairwise(self.embed_dims)):
            raise FieldError(
                f"embed_dims: is {self.embed_dims}; between stages of one width "
                "mmpretrain has no embedding, and such a network is not there"
            )


_SMALL, _MEDIUM = (64, 128, 320, 512), (96, 192, 384, 768)
_ARCHS = {
    "s12": PoolFormerArch((2, 2, 6, 2), _SMALL),
    "s24": PoolFormerArch((4, 4, 12, 4), _SMALL),
    "s36": PoolFormerArch((6, 6, 18, 6), _SMALL, layer_scale_init_value=1e-6),
    "m36": PoolFormerArch((6, 6, 18, 6), _MEDIUM, layer_scale_init_value=1e-6),
    "m48": PoolFormerArch((8, 8, 24, 8), _MEDIUM, layer_scale_init_value=1e-6),
}

_RENAMES = (
    # timm's.
    (r"^stem\.conv\.", "patch_embed.proj."),
    *((rf"^stages\.{stage}\.blocks\.", f"network.{2 * stage}.") for stage in range(4)),
    *(
        (rf"^stages\.{stage}\.downsample\.conv\.", f"network.{2 * stage - 1}.proj.")
        for stage in range(1, 4)
    ),
    (r"\.layer_scale(\d)\.scale$", r".layer_scale_\1"),
    (r"^head\.norm\.", "norm6."),
    # The authors', of their classifiers.
    (r"^norm\.", "norm6."),
)


class _Mlp(nn.Module):
    hidden: int
    drop_rate: float
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        width, drop = x.shape[-1], Dropout(self.drop_rate, name="drop")
        y = Conv2d(self.hidden, **torch_start(width), name="fc1")(x)
        y = drop(self.act_cfg(name="act")(y), train)
        return drop(Conv2d(width, **torch_start(self.hidden), name="fc2")(y), train)


class _Block(nn.Module):
    """What the mean around a pixel has beside it, then an MLP, each after a norm."""

    pool_size: int
    hidden: int
    norm_cfg: Norm
    act_cfg: Act
    drop_rate: float
    drop_path_rate: float
    layer_scale_init_value: float

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, C) -> the same shape."""
        start = self.layer_scale_init_value
        drop_path = DropPath(self.drop_path_rate, name="drop_path")
        y = self.norm_cfg(name="norm1")(x, train)
        y = mean_around(y, self.pool_size) - y
        x = x + drop_path(layer_scale(self, "layer_scale_1", start, y), train)
        y = self.norm_cfg(name="norm2")(x, train)
        y = _Mlp(self.hidden, self.drop_rate, self.act_cfg, name="mlp")(y, train)
        return x + drop_path(layer_scale(self, "layer_scale_2", start, y), train)


class PoolFormer(Backbone, kw_only=True):
    """PoolFormer as mmpretrain has it: attention's place is taken by an average.

    `network` has the stages and the embeddings between them: 0, 2, 4 and 6 are the
    stages, at 1/4 to 1/32.

    Attributes:
        arch: the name of a size, or a size.
        pool_size: side of the window that a block averages over, odd, in pixels.
        norm_cfg, act_cfg: flavours of the layers.
        in_patch_size, in_stride, in_pad: the first embedding's, in pixels.
        down_patch_size, down_stride, down_pad: those of the others.
        drop_rate: dropout rate of the MLPs.
        drop_path_rate: of the last block; it grows linearly from 0.
        out_indices: the places in `network` that are returned, each after a norm; -1
            is the last.
        frozen_stages: the first embedding and so many places in `network` keep their
            weights; -1: none, nor the embedding.
    """

    arch: str | PoolFormerArch = "s12"
    pool_size: int = 3
    norm_cfg: Norm = GN(num_groups=1)
    act_cfg: Act = GELU()
    in_patch_size: int = 7
    in_stride: int = 4
    in_pad: int = 2
    down_patch_size: int = 3
    down_stride: int = 2
    down_pad: int = 1
    drop_rate: float = 0.0
    drop_path_rate: float = 0.0
    out_indices: int | tuple[int, ...] = -1
    frozen_stages: int = 0

    takes_padding = True
    takes_bands = True

    aliases = ("mmpretrain.PoolFormer", "mmcls.PoolFormer")

    key_table = KeyTable(
        renames=_RENAMES,
        # Classifiers; the norm before that of an ImageNet model, where the last stage
        # is not returned.
        unused=("head.", "norm6."),
    )
    # Files of ImageNet models have one norm, that of the last stage.
    fresh_modules = tuple(f"norm{i}" for i in range(7))

    def __post_init__(self):
        if isinstance(self.arch, str) and self.arch not in _ARCHS:
            raise FieldError(f"arch: is {self.arch!r}, allowed: {', '.join(_ARCHS)}")
        if self.pool_size % 2 == 0:
            raise FieldError(f"pool_size: is {self.pool_size}, allowed: odd numbers")
        chosen_maps(self.out_indices, 2 * len(self._size.layers) - 1)
        super().__post_init__()

    @property
    def _size(self):
        return self.arch if isinstance(self.arch, PoolFormerArch) else _ARCHS[self.arch]

    @nn.compact
    def __call__(self, x, train: bool):
        """(N, H, W, in_channels) -> the places of out_indices, (N, h, w, C) each."""
        size = self._size
        places = 2 * len(size.layers) - 1
        wanted = chosen_maps(self.out_indices, places)
        rates = iter(dropout_rates(self.drop_path_rate, sum(size.layers)))
        window = (self.in_patch_size, self.in_stride, self.in_pad)
        x = self._embed("patch_embed", x, size.embed_dims[0], window)
        x = jax.lax.stop_gradient(x) if self.frozen_stages >= 0 else x
        outs = []
        for place in range(places):
            frozen = place < self.frozen_stages
            trains = train and not frozen
            stage = (place + 1) // 2
            if place % 2:
                window = (self.down_patch_size, self.down_stride, self.down_pad)
                x = self._embed(f"network.{place}", x, size.embed_dims[stage], window)
            else:
                x = self._stage(stage, x, rates, trains)
            x = jax.lax.stop_gradient(x) if frozen else x
            if place in wanted:
                outs.append(self.norm_cfg(name=f"norm{place}")(x, trains))
        return tuple(outs)

    def _embed(self, name, x, features, window):
        side, stride, pad = window
        start = torch_start(side**2 * x.shape[-1])
        return Conv2d(features, side, stride, pad, **start, name=f"{name}.proj")(x)

    def _stage(self, stage, x, rates, train):
        size = self._size
        for j in range(size.layers[stage]):
            x = _Block(
                self.pool_size,
                int(size.embed_dims[stage] * size.mlp_ratios[stage]),
                self.norm_cfg,
                self.act_cfg,
                self.drop_rate,
                next(rates),
                size.layer_scale_init_value,
                name=f"network.{2 * stage}.{j}",
            )(x, train)
        return x

    @property
    def frozen_modules(self) -> tuple[str, ...]:
        """Checkpoint keys of the modules that `frozen_stages` holds."""
        if self.frozen_stages < 0:
            return ()
        held = range(self.frozen_stages)
        return (
            "patch_embed",
            *(f"network.{i}" for i in held),
            *(f"norm{i}" for i in held),
        )

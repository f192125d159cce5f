"""EoMT, the encoder-only mask transformer: https://arxiv.org/abs/2503.19108."""

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.config import ConfigError
from jaxseg.heads.mask_classification import Outputs, masks_of
from jaxseg.heads.point_mask_head import PointMaskHead
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import Conv2d, ConvTranspose2d, torch_start
from jaxseg.layers.norm import LN, Norm


class EoMTHead(PointMaskHead, kw_only=True):
    """What a plain ViT's queries say of its patches.

    Its inputs are the patches and queries that a `DINOv2` with `num_queries` gives, one
    pair for every prediction. The patches are enlarged, and a mask's logits are their
    products with the embedding of its query.

    Attributes:
        in_channels: channels of a token, and of everything in the head.
        feat_channels, out_channels: None, they are in_channels.
        num_upscale_blocks: how many times patches are enlarged to twice their size: to a
            quarter of the image's, as in the paper, 2 times for patches of 16 pixels,
            and once for 14.
        norm_cfg: the norm behind each of them.
        act_cfg: activation in there, and between the layers to a mask's embedding.
        The others are PointMaskHead's.
    """

    in_channels: int
    feat_channels: int | None = None
    out_channels: int | None = None
    num_upscale_blocks: int = 2
    norm_cfg: Norm = LN(eps=1e-6)
    act_cfg: Act = GELU()

    def __post_init__(self):
        self.feat_channels = self.out_channels = self.in_channels
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool) -> Outputs:
        """Pairs of patches (N, h, w, C) and queries (N, Q, C) -> `Outputs`.

        Its features are the masks themselves, those of all pairs one behind the other,
        and its embeddings pick one of them each: patches differ from pair to pair.
        """
        for patches, queries in inputs:
            found = (queries.shape[1], patches.shape[-1])
            if found != (self.num_queries, self.in_channels):
                raise ConfigError(
                    f"{self.config_path}: num_queries and in_channels are "
                    f"{(self.num_queries, self.in_channels)}, but the backbone has "
                    f"{found}"
                )
        classify, embed = self.predictors(self.act_cfg(name="act"))
        enlarge = [
            _Enlarged(self.norm_cfg, self.act_cfg, name=f"upscale.{i}")
            for i in range(self.num_upscale_blocks)
        ]
        masks = []
        for patches, queries in inputs:
            for layer in enlarge:
                patches = layer(patches, train)
            masks.append(masks_of(patches, embed(queries)))
        scores = jnp.stack([classify(queries) for _, queries in inputs], axis=1)
        masks = jnp.concatenate(masks, axis=-1)
        units = jnp.eye(masks.shape[-1], dtype=masks.dtype)
        units = units.reshape(1, len(inputs), self.num_queries, -1)
        units = jnp.broadcast_to(units, (len(masks), *units.shape[1:]))
        return Outputs(scores, units, masks)

    def logits(self, outputs):
        return outputs.features[..., -self.num_queries :]


class _Enlarged(nn.Module):
    """A map of twice the size: EoMT's ScaleBlock."""

    norm_cfg: Norm
    act_cfg: Act

    @nn.compact
    def __call__(self, x, train: bool):
        width = x.shape[-1]
        x = ConvTranspose2d(width, 2, 2, 0, name="conv1")(x)
        x = self.act_cfg(name="act")(x)
        x = Conv2d(
            width,
            3,
            padding=1,
            groups=width,
            bias=False,
            **torch_start(9),
            name="conv2",
        )(x)
        return self.norm_cfg(name="norm")(x, train)

"""SAN's recognition of masks by CLIP's last layers: https://arxiv.org/abs/2302.12242."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.layers.activation import GELU, Act
from jaxseg.layers.conv import torch_start
from jaxseg.layers.norm import LN, Norm
from jaxseg.layers.pre_norm_layer import PreNormLayer
from jaxseg.layers.transformer import Linear, check_heads
from jaxseg.ops.narrow import spread, wide
from jaxseg.ops.pool import adaptive_max_pool
from jaxseg.ops.unit import unit
from jaxseg.weights.part import Part

# What is added to a score whose key is not to be seen, as in mmseg.
_UNSEEN = -100.0


class RecWithAttnbias(Part, kw_only=True):
    """CLIP's last layers, in which a token a mask looks at what the mask covers.

    Attributes:
        sos_token_format: `cls_token`: what the tokens of the masks begin as.
        sos_token_num: number of masks.
        num_layers: number of layers.
        cross_attn: False.
        embed_dims, num_heads: of the layers.
        mlp_ratio: width of the FFN over embed_dims.
        qkv_bias: whether the projections of the attention have a bias.
        out_dims: channels of a mask's vector, those of a class.
        final_norm: whether the vectors are of length 1.
        act_cfg, norm_cfg: activation of the FFN, norm after the last layer.
        frozen_exclude: as of `VisionTransformer`.
    """

    sos_token_format: str = "cls_token"
    sos_token_num: int = 100
    num_layers: int = 3
    cross_attn: bool = False
    embed_dims: int = 768
    num_heads: int = 12
    mlp_ratio: int = 4
    qkv_bias: bool = True
    out_dims: int = 512
    final_norm: bool = True
    act_cfg: Act = GELU()
    norm_cfg: Norm = LN()
    frozen_exclude: tuple[str, ...] = ()

    def __post_init__(self):
        # mmseg's other formats fail as the module is made.
        if self.sos_token_format != "cls_token":
            raise FieldError(
                f"sos_token_format: is {self.sos_token_format!r}, allowed: 'cls_token'"
            )
        if self.cross_attn:
            raise FieldError("cross_attn: is True, allowed: False")
        check_heads(self.embed_dims, self.num_heads)
        super().__post_init__()

    @nn.compact
    def __call__(self, feature: jax.Array, token: jax.Array, looks: jax.Array):
        """Recognises masks.

        Args:
            feature: CLIP's map, (N, h, w, embed_dims).
            token: its class token, (N, embed_dims).
            looks: what is added to the scores of a mask's token at each place, of any
                size, (N, H, W, heads or 1, Q).

        Returns:
            A vector of each mask, (N, Q, out_dims).
        """
        size, count = feature.shape[1:3], self.sos_token_num
        pixels = feature.reshape(len(feature), -1, self.embed_dims)
        like = jnp.zeros_like(token, shape=(len(token), count + 1, self.embed_dims))
        tokens = spread(token[:, None], like)
        x = jnp.concatenate([tokens, pixels], axis=1)
        bias = self._scores_bias(looks, size)
        for i in range(self.num_layers):
            x = PreNormLayer(
                self.num_heads,
                self.mlp_ratio * self.embed_dims,
                self.act_cfg,
                self.qkv_bias,
                name=f"layers.{i}",
            )(x, False, scores_bias=bias)
        x = self.norm_cfg(name="ln_post")(x[:, :count], False)
        kernel_init = torch_start(self.embed_dims)["kernel_init"]
        x = Linear(self.out_dims, False, kernel_init, name="proj")(x)
        return unit(x) if self.final_norm else x

    def _scores_bias(self, looks, size):
        """(N, heads, L, L): masks see themselves and pixels, no one else sees them."""
        count = self.sos_token_num
        batch, height, width, heads, _ = looks.shape
        looks = wide(looks).reshape(batch, height, width, -1)
        looks = adaptive_max_pool(looks, size)
        looks = looks.reshape(batch, -1, heads, count).transpose(0, 2, 3, 1)
        shape = (batch, self.num_heads, count, looks.shape[-1])
        looks = jnp.broadcast_to(looks, shape)
        length = count + 1 + looks.shape[-1]
        bias = jnp.zeros((length, length), looks.dtype)
        bias = bias.at[:, :count].set(_UNSEEN).at[:count, count].set(_UNSEEN)
        bias = bias.at[jnp.arange(count), jnp.arange(count)].set(0)
        bias = jnp.broadcast_to(bias, (batch, self.num_heads, length, length))
        return bias.at[:, :, :count, count + 1 :].set(looks)

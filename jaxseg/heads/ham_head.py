"""LightHamHead, the decode head of SegNeXt: https://arxiv.org/abs/2209.08575."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import ConvModule
from jaxseg.layers.draws import uniform
from jaxseg.ops.narrow import wide
from jaxseg.ops.nmf import nmf
from jaxseg.ops.resize import resize


@dataclasses.dataclass(frozen=True)
class HamCfg:
    """The matrix factorisation of a Hamburger.

    Attributes:
        MD_S: the channels are cut into so many maps, each factorised by itself.
        MD_R: number of bases.
        train_steps, eval_steps: updates in training and in evaluation.
        inv_t: accepted as in mmseg, whose factorisation has 1 whatever it says.
        rand_init: whether every image's bases begin with numbers drawn for it, in
            evaluation with those of a fixed key. False keeps one draw in mmseg, which
            its checkpoints do not restore; it is refused.
    """

    MD_S: int = 1
    MD_R: int = 64
    train_steps: int = 6
    eval_steps: int = 7
    inv_t: float = 100
    rand_init: bool = True

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if not self.rand_init:
            raise FieldError(
                "rand_init: is False, whose bases mmseg's checkpoints do not restore; "
                "allowed: True"
            )


class LightHamHead(BaseDecodeHead, kw_only=True):
    """Joins the maps and makes their sum anew of a few bases (a Hamburger).

    Attributes:
        ham_channels: channels of the joined map.
        ham_kwargs: the factorisation.
    """

    input_transform: str = "multiple_select"
    ham_channels: int = 512
    ham_kwargs: HamCfg = HamCfg()

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        if self.ham_channels % self.ham_kwargs.MD_S:
            raise FieldError(
                f"ham_kwargs.MD_S: is {self.ham_kwargs.MD_S}, which must divide "
                f"ham_channels={self.ham_channels}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, train: bool):
        inputs = self.transform_inputs(inputs)
        size = inputs[0].shape[1:3]
        inputs = [resize(x, size, align_corners=self.align_corners) for x in inputs]
        x = jnp.concatenate(inputs, axis=-1)
        x = self.conv_module(self.ham_channels, 1, "squeeze")(x, train)
        x = self._hamburger(x, train)
        x = self.conv_module(self.channels, 1, "align")(x, train)
        return self.cls_seg(x, train)

    def _hamburger(self, x, train):
        width, name = x.shape[-1], "hamburger"
        y = ConvModule(width, 1, name=f"{name}.ham_in")(x, train)
        y = self._factorised(nn.relu(y), train)
        out = ConvModule(width, 1, norm_cfg=self.norm_cfg, name=f"{name}.ham_out")
        return nn.relu(x + out(y, train))

    def _factorised(self, x, train):
        """(N, h, w, C) -> the same shape, made of bases; in float32 at least."""
        ham, precise = self.ham_kwargs, wide(x)
        shape = (len(x), x.shape[-1], ham.MD_R)
        bases = uniform(self, shape, precise.dtype, train)
        bases = bases.reshape(len(x), ham.MD_S, -1, ham.MD_R)
        lengths = jnp.linalg.norm(bases, axis=2, keepdims=True)
        bases = jnp.swapaxes(bases / jnp.maximum(lengths, 1e-12), 2, 3)
        steps = ham.train_steps if train else ham.eval_steps
        parts = [
            nmf(part, bases[:, i], steps)
            for i, part in enumerate(jnp.split(precise, ham.MD_S, axis=-1))
        ]
        return jnp.concatenate(parts, axis=-1).astype(x.dtype)

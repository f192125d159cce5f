"""PSANet, Point-wise Spatial Attention Network (ECCV 2018).

https://hszhao.github.io/papers/eccv18_psanet.pdf
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import ModelSizeError
from jaxseg.heads.decode_head import BaseDecodeHead
from jaxseg.layers.conv import ConvModule, torch_start
from jaxseg.ops.narrow import times, wide
from jaxseg.ops.psa_mask import centred_window, pairs_of_places
from jaxseg.ops.resize import resize


class _Attention(nn.Module):
    """What each pixel says of the places around it, or of all places of the map.

    Attributes:
        mask_size: (height, width) of the places.
        compact: the places are those of the map.
    """

    mask_size: tuple[int, int]
    compact: bool

    @nn.compact
    def __call__(self, x):
        """(N, H, W, C) -> (N, H, H, W, W), of [h, w] about [i, j] at [h, i, w, j]."""
        (height, width), channels = self.mask_size, x.shape[-1]
        shape = (1, 1, channels, height * width)
        init = torch_start(channels)["kernel_init"]
        kernel = self.param("kernel", init, shape).astype(x.dtype)
        kernel = kernel.reshape(channels, height, width)
        if not self.compact:
            kernel = centred_window(kernel, x.shape[1:3])
        elif x.shape[1] * x.shape[2] != height * width:
            raise ModelSizeError(
                f"mask_size is {self.mask_size}, and with compact=True it has to be "
                f"the size of the shrunk map, {x.shape[1:3]}"
            )
        else:
            kernel = kernel.reshape(channels, *x.shape[1:3])
        y = jnp.einsum("nhwc,cij->nhiwj", x, kernel)
        return y if self.compact else pairs_of_places(y)


class PSAHead(BaseDecodeHead, kw_only=True):
    """Each pixel collects from all others, distributes to them, or both.

    Attributes:
        mask_size: (height, width) of the places around a pixel that it weighs.
        psa_type: what is done.
        compact: the places are those of the shrunk map, and not around a pixel.
        shrink_factor: the attention's map is smaller by it.
        normalization_factor: what the sums are divided by; None: the mask's places.
        psa_softmax: the weights are a softmax.
    """

    mask_size: tuple[int, int]
    psa_type: Literal["collect", "distribute", "bi-direction"] = "bi-direction"
    compact: bool = False
    shrink_factor: int = 2
    normalization_factor: float | None = 1.0
    psa_softmax: bool = True

    @nn.compact
    def __call__(self, inputs, train: bool):
        x = self.transform_inputs(inputs)
        size, align_corners = self._shrunk(x.shape[1:3])
        # mmseg's names of the two branches; a single one has the first.
        both = self.psa_type == "bi-direction"
        kinds = ("collect", "distribute") if both else (self.psa_type,)
        branches = []
        for kind, suffix in zip(kinds, ("", "_p")):
            y = self.conv_module(self.channels, 1, f"reduce{suffix}")(x, train)
            if self.shrink_factor != 1:
                y = resize(y, size, align_corners=align_corners)
            # A single compact branch of mmseg does what the other one's name says.
            collects = (kind == "collect") != (self.compact and not both)
            branches.append(self._attend(y, f"attention{suffix}", collects, train))
        y = jnp.concatenate(branches, axis=-1)
        y = ConvModule(
            x.shape[-1],
            1,
            padding=1,  # as in mmseg: a border of what the norm makes of 0
            norm_cfg=self.norm_cfg,
            act_cfg=self.act_cfg,
            name="proj",
        )(y, train)
        y = resize(y, x.shape[1:3], align_corners=align_corners)
        y = jnp.concatenate([x, y], axis=-1)
        y = self.conv_module(self.channels, 3, "bottleneck")(y, train)
        return self.cls_seg(y, train)

    def _shrunk(self, size):
        """The size of the attention's map, and `align_corners` of its resizes."""
        factor = self.shrink_factor
        if factor == 1:
            return size, self.align_corners
        odd = all(side % factor for side in size)
        shrunk = tuple(
            (side - 1) // factor + 1 if odd else side // factor for side in size
        )
        if 0 in shrunk:
            raise ModelSizeError(
                f"a map of {size[0]}x{size[1]} pixels is too small for "
                f"shrink_factor={factor}"
            )
        return shrunk, odd

    def _attend(self, x, name, collects, train):
        y = self.conv_module(self.channels, 1, f"{name}.0")(x, train)
        y = _Attention(self.mask_size, self.compact, name=f"{name}.1")(y)
        if self.psa_softmax:
            axes = (2, 4) if collects else (1, 3)
            y = jax.nn.softmax(wide(y), axis=axes).astype(y.dtype)
        form = "nhiwj,nijc->nhwc" if collects else "nhiwj,nhwc->nijc"
        factor = self.normalization_factor
        if factor is None:
            factor = self.mask_size[0] * self.mask_size[1]
        return times(jnp.einsum(form, y, x), 1 / factor)

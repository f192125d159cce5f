"""STDC's head of details: https://arxiv.org/abs/2104.13188."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.heads.fcn_head import FCNHead
from jaxseg.ops.conv import conv2d
from jaxseg.ops.resize import resize

_STRIDES = (1, 2, 4)


class STDCHead(FCNHead, kw_only=True):
    """Learns where the boundaries are that a Laplacian pyramid finds in the label.

    The two kernels of the pyramid are in mmseg's checkpoints, and so they are variables
    here; training leaves them alone. As in mmseg the ignored label is one like any
    other, and what lies outside of the image is class 0.

    Attributes:
        boundary_threshold: above which a pixel of a level, and of the levels' weighted
            sum, is boundary.
    """

    boundary_threshold: float = 0.1

    takes_padding = True
    takes_bands = True
    has_own_classes = True
    frozen_modules = ("fusion_kernel",)

    @nn.compact
    def __call__(self, inputs, train: bool):
        self.param("fusion_kernel", _fusion_kernel)
        self.variable("batch_stats", "laplacian_kernel", _laplacian_kernel)
        return super().__call__(inputs, train)

    def loss(self, outputs, targets):
        boundary = self._boundary(targets["gt_seg_map"])
        return super().loss(outputs, {**targets, "gt_seg_map": boundary})

    def _boundary(self, label: jax.Array) -> jax.Array:
        """(N, H, W) classes -> (N, H, W) uint8, 1 at a boundary and 0 elsewhere."""
        laplacian = self.get_variable("batch_stats", "laplacian_kernel")
        fusion = self.get_variable("params", "fusion_kernel")
        x = label.astype(laplacian.dtype)[..., None]
        total = 0
        for stride, weight in zip(_STRIDES, fusion[0, :, 0, 0], strict=True):
            edges = conv2d(x, jnp.moveaxis(laplacian, (2, 3), (0, 1)), stride, 1)
            is_edge = (edges > self.boundary_threshold).astype(x.dtype)
            total += weight * resize(is_edge, label.shape[1:3], mode="nearest")
        return (total[..., 0] > self.boundary_threshold).astype(jnp.uint8)


def _fusion_kernel(_):
    return jnp.array([0.6, 0.3, 0.1], jnp.float32).reshape(1, 3, 1, 1)


def _laplacian_kernel():
    kernel = np.full((1, 1, 3, 3), -1, np.float32)
    kernel[..., 1, 1] = 8
    return jnp.asarray(kernel)

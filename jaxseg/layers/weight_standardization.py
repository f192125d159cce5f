"""Convolutions whose kernels are standardised, and the entries that name them.

Weight Standardization, https://arxiv.org/abs/1903.10520
DetectoRS, https://arxiv.org/abs/2006.02334
"""

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.layers.conv import Conv2d, ConvLayer

# Added to the variance of ConvAWS's kernels.
_EPS = 1e-5


def _centred(kernel):
    """A kernel without the mean of each output, and its unbiased variance."""
    axes = (0, 1, 2)
    mean = kernel.mean(axes, keepdims=True)
    return kernel - mean, kernel.var(axes, keepdims=True, ddof=1)


def with_own_standard(weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Gives kernels the scale and shift with which they compute what they are.

    Args:
        weights: kernels (O, I, kh, kw) by PyTorch key, and what else a file has.

    Returns:
        All of it, and each kernel's `weight_gamma` and `weight_beta` where they lack.
    """
    added = {}
    for key, kernel in weights.items():
        if key.endswith("weight") and kernel.ndim == 4:
            kernel, axes = np.asarray(kernel, np.float64), (1, 2, 3)
            var = kernel.var(axes, keepdims=True, ddof=1)
            added[f"{key}_gamma"] = np.sqrt(var + _EPS).astype(np.float32)
            added[f"{key}_beta"] = kernel.mean(axes, keepdims=True).astype(np.float32)
    return added | dict(weights)


class StandardizedConv2d(Conv2d):
    """mmcv's ConvWS2d. https://arxiv.org/abs/1903.10520

    Attributes:
        eps: added to the standard deviation of a kernel.
    """

    eps: float = 1e-5

    def weight(self, kernel):
        centred, var = _centred(kernel)
        return centred / (jnp.sqrt(var) + self.eps)


class AdaptivelyStandardizedConv2d(Conv2d):
    """mmcv's ConvAWS2d, which keeps a scale and a shift of each kernel for itself.

    They do not learn: weights that were trained without it keep what they compute.
    """

    def weight(self, kernel):
        shape = (self.features, 1, 1, 1)
        gamma = self.variable("batch_stats", "weight_gamma", jnp.ones, shape)
        beta = self.variable("batch_stats", "weight_beta", jnp.zeros, shape)
        centred, var = _centred(kernel)
        scale = jax.lax.rsqrt(var + _EPS) * gamma.value.ravel()
        return centred * scale + beta.value.ravel()


@dataclasses.dataclass(frozen=True)
class ConvWS(ConvLayer):
    """Weight standardisation: every kernel has mean 0 and standard deviation 1.

    Attributes:
        eps: added to the standard deviation.
    """

    eps: float = 1e-5

    takes_padding = True
    takes_bands = True

    def __call__(self, features, kernel_size, *, name, **fields):
        return StandardizedConv2d(
            features, kernel_size, **fields, eps=self.eps, name=name
        )


@dataclasses.dataclass(frozen=True)
class ConvAWS(ConvLayer):
    """Adaptive weight standardisation, DetectoRS's.

    The scale and the shift of a kernel are in mmcv's files (`weight_gamma`,
    `weight_beta`). Weights without them get those of their own kernels.
    """

    takes_padding = True
    takes_bands = True

    def __call__(self, features, kernel_size, *, name, **fields):
        return AdaptivelyStandardizedConv2d(features, kernel_size, **fields, name=name)

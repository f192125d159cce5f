"""Normalisation, and the `norm_cfg` entries that name it."""

import dataclasses
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError, ModelSizeError
from jaxseg.layers.data_axis import count_of_devices, data_axes
from jaxseg.ops.batch_norm import batch_norm
from jaxseg.ops.context import group_norm
from jaxseg.ops.layer_norm import layer_norm
from jaxseg.ops.narrow import wide


class BatchNorm(nn.Module):
    """torch's BatchNorm2d on (N, H, W, C).

    Statistics are float32 and the running variance is torch's unbiased one
    (Flax's own layer keeps the biased one). https://arxiv.org/abs/1502.03167

    Attributes:
        eps: added to the variance.
        momentum: weight of the new statistics in the running ones.
        synced: whether the statistics are those of the whole batch or of the
            device's part of it.
        scale_init: starting values of the scale.
        requires_grad: whether scale and bias learn.
    """

    eps: float = 1e-5
    momentum: float = 0.1
    synced: bool = True
    scale_init: Any = nn.initializers.ones
    requires_grad: bool = True

    @nn.compact
    def __call__(self, x, train: bool):
        shape = (x.shape[-1],)
        scale, bias = _scale_and_bias(self, x.shape[-1])
        running_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        running_var = self.variable("batch_stats", "var", jnp.ones, shape)
        if not train:
            mean, var = running_mean.value, running_var.value
            scale = scale * jax.lax.rsqrt(var + self.eps)
            return ((wide(x) - mean) * scale + bias).astype(x.dtype)
        devices = count_of_devices() if self.synced else 1
        x, mean, var = batch_norm(
            x,
            scale,
            bias,
            running_mean.value,
            self.eps,
            data_axes() if devices > 1 else (),
        )
        if not self.is_initializing():
            count = devices * x.size // x.shape[-1]
            self._check_count(count)
            unbiased = var * (count / (count - 1))
            keep = 1 - self.momentum
            running_mean.value = (
                keep * running_mean.value + self.momentum * mean
            ).astype(running_mean.value.dtype)
            running_var.value = (
                keep * running_var.value + self.momentum * unbiased
            ).astype(running_var.value.dtype)
        return x

    def _check_count(self, count):
        if count < 2:
            raise ModelSizeError(
                f"{'.'.join(self.path) or 'a norm'}: batch norm would train on a single value a "
                "channel, one image's map of 1x1, whose variance is 0 whatever it is; "
                "it needs 2 images: a larger train_dataloader.batch_size"
                + ("" if self.synced else " a device, or SyncBN over several devices")
            )


class LayerNorm(nn.Module):
    """torch's LayerNorm over the last axis. https://arxiv.org/abs/1607.06450

    Attributes:
        eps: added to the variance.
        scale_init: starting values of the scale.
        requires_grad: whether scale and bias learn.
    """

    eps: float = 1e-5
    scale_init: Any = nn.initializers.ones
    requires_grad: bool = True

    @nn.compact
    def __call__(self, x, train: bool):
        del train
        scale, bias = _scale_and_bias(self, x.shape[-1])
        return layer_norm(x, scale, bias, self.eps)


class GroupNorm(nn.Module):
    """torch's GroupNorm on (N, H, W, C). https://arxiv.org/abs/1803.08494

    Attributes:
        num_groups: groups of channels; None normalises every channel alone, as
            torch's InstanceNorm2d does (https://arxiv.org/abs/1607.08022).
        affine: whether there are a scale and a bias.
        The others are LayerNorm's.
    """

    num_groups: int | None
    eps: float = 1e-5
    affine: bool = True
    scale_init: Any = nn.initializers.ones
    requires_grad: bool = True

    @nn.compact
    def __call__(self, x, train: bool):
        del train
        channels = x.shape[-1]
        groups = self.num_groups or channels
        if channels % groups:
            raise FieldError(
                f"norm_cfg.num_groups is {groups}, which does not divide the "
                f"{channels} channels of {self.name}"
            )
        if x[0].size == groups:
            raise ModelSizeError(
                f"{'.'.join(self.path) or 'a norm'}: an instance or group norm over a "
                "single value, of a map of 1x1, gives 0 whatever it is; it needs a larger "
                "image, fewer groups or another norm_cfg"
            )
        x = group_norm(x, groups, self.eps)
        if not self.affine:
            return x
        scale, bias = _scale_and_bias(self, channels)
        return (wide(x) * scale + bias).astype(x.dtype)


def _scale_and_bias(norm, channels):
    scale = norm.param("scale", norm.scale_init, (channels,))
    bias = norm.param("bias", nn.initializers.zeros, (channels,))
    if norm.requires_grad:
        return scale, bias
    return jax.lax.stop_gradient((scale, bias))


class Norm:
    """The role of `norm_cfg`: called with a name, an entry makes the layer.

    The layer is called as (x, train).

    Attributes:
        abbr: the attribute name that mmcv gives a norm of this type.
        requires_grad: whether its scale and bias learn, a field of each entry.
        takes_padding, takes_bands: as of a backbone.
    """

    abbr: ClassVar[str]
    requires_grad: bool

    takes_padding = False
    takes_bands = False

    def __call__(self, name: str, scale_init: Any = nn.initializers.ones) -> nn.Module:
        """The layer; `scale_init` makes the starting values of its scale."""
        raise NotImplementedError


@dataclasses.dataclass(frozen=True)
class BN(Norm):
    """Batch norm with the statistics of the device's part of the batch."""

    eps: float = 1e-5
    momentum: float = 0.1
    requires_grad: bool = True

    abbr = "bn"
    synced = False

    takes_padding = True
    takes_bands = True

    def __call__(self, name, scale_init=nn.initializers.ones):
        return BatchNorm(
            self.eps,
            self.momentum,
            self.synced,
            scale_init,
            self.requires_grad,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class SyncBN(BN):
    """Batch norm with the statistics of the whole batch, over all devices."""

    synced = True

    takes_padding = True
    takes_bands = True

    # mmcv's own implementation of the same.
    aliases = ("MMSyncBN",)


@dataclasses.dataclass(frozen=True)
class LN(Norm):
    """Layer norm over the channels."""

    eps: float = 1e-5
    requires_grad: bool = True

    abbr = "ln"

    takes_padding = True
    takes_bands = True

    # mmpretrain's, of maps.
    aliases = ("LN2d",)

    def __call__(self, name, scale_init=nn.initializers.ones):
        return LayerNorm(self.eps, scale_init, self.requires_grad, name=name)


@dataclasses.dataclass(frozen=True)
class GN(Norm):
    """Group norm.

    Attributes:
        num_groups: groups of channels; it divides the channels.
        eps: added to the variance.
        requires_grad: whether scale and bias learn.
    """

    num_groups: int
    eps: float = 1e-5
    requires_grad: bool = True

    abbr = "gn"

    takes_padding = True
    takes_bands = True

    def __call__(self, name, scale_init=nn.initializers.ones):
        return GroupNorm(
            self.num_groups,
            self.eps,
            scale_init=scale_init,
            requires_grad=self.requires_grad,
            name=name,
        )


@dataclasses.dataclass(frozen=True)
class IN(Norm):
    """Instance norm: each channel of each image alone.

    Attributes:
        eps: added to the variance.
        affine: whether there are a scale and a bias; mmcv's default has none.
        requires_grad: whether they learn.
    """

    eps: float = 1e-5
    affine: bool = False
    requires_grad: bool = True

    abbr = "in"

    takes_padding = True
    takes_bands = True

    def __call__(self, name, scale_init=nn.initializers.ones):
        return GroupNorm(
            None, self.eps, self.affine, scale_init, self.requires_grad, name=name
        )

"""Our side of `scripts/benchmark/ops.py`: what each kind of case computes.

Every function takes the arrays of a `Case` and its options.
"""

import jax
import jax.numpy as jnp

from jaxseg.layers.activation import GELU
from jaxseg.layers.norm import BatchNorm, LayerNorm
from jaxseg.losses.cross_entropy_loss import CrossEntropyLoss
from jaxseg.losses.decode import decode_losses
from jaxseg.losses.dice_loss import DiceLoss, DiceLossV0
from jaxseg.losses.focal_loss import FocalLoss
from jaxseg.losses.lovasz_loss import LovaszLoss
from jaxseg.losses.ohem_cross_entropy import OhemCrossEntropy
from jaxseg.losses.ohem_pixel_sampler import OHEMPixelSampler
from jaxseg.losses.tversky_loss import TverskyLoss
from jaxseg.ops.attention import attention
from jaxseg.ops.confusion import confusion_matrix
from jaxseg.ops.conv import conv2d, conv_transpose2d
from jaxseg.ops.linear import linear
from jaxseg.ops.pool import adaptive_avg_pool, avg_pool, max_pool
from jaxseg.ops.resize import resize
from jaxseg.ops.select import kth_smallest, largest_channel
from jaxseg.ops.strips.map import strip_map
from jaxseg.ops.strips.upsampled import Upsampled

LOSSES = {
    "softmax": CrossEntropyLoss(),
    "sigmoid": CrossEntropyLoss(use_sigmoid=True),
    "dice": DiceLoss(),
    "dice of 0.x": DiceLossV0(),
    "focal": FocalLoss(),
    "tversky": TverskyLoss(),
    "lovasz": LovaszLoss(reduction="none"),
    "ohem": OhemCrossEntropy(),
}


def _adaptive_avg_pool(x, sizes):
    pooled = [adaptive_avg_pool(x, (size, size)) for size in sizes]
    return jnp.concatenate([y.reshape(len(x), -1, x.shape[-1]) for y in pooled], 1)


def _pyramid(x, *kernels, sizes):
    """The pooling pyramid of PSPNet, without its norms."""
    branches = []
    for size, kernel in zip(sizes, kernels, strict=True):
        pooled = conv2d(adaptive_avg_pool(x, (size, size)), kernel)
        branches.append(resize(pooled, x.shape[1:3]))
    return jnp.concatenate([x, *branches], -1)


def _upsample_loss(x, label, size, loss="softmax", ohem=None):
    del size
    sampler = None if ohem is None else OHEMPixelSampler(**ohem)
    values = decode_losses(x, {"gt_seg_map": label}, (LOSSES[loss],), sampler=sampler)
    return values[LOSSES[loss].loss_name]


def _upsample_accuracy(x, label, size):
    del size
    return decode_losses(x, {"gt_seg_map": label}, ())["acc_seg"]


def _upsample_argmax(x, size):
    def classes(logits):
        return logits.argmax(-1).astype(jnp.uint8)

    return strip_map(classes, Upsampled(x, size))


def _kth_smallest(x, k):
    return kth_smallest(jnp.abs(x), jnp.ones(x.shape, bool), jnp.asarray(k))


def _layer_norm(x, scale, bias):
    params = {"params": {"scale": scale, "bias": bias}}
    return LayerNorm().apply(params, x, True)


def _batch_norm(x, scale, bias, train):
    statistics = {"mean": jnp.zeros_like(bias), "var": jnp.ones_like(scale)}
    variables = {"params": {"scale": scale, "bias": bias}, "batch_stats": statistics}
    return BatchNorm().apply(variables, x, train, mutable=["batch_stats"])[0]


def _confusion(pred, label, num_classes):
    """The areas that mmseg counts, from the matrix."""
    matrix = confusion_matrix(pred, label, num_classes)
    classes = matrix[:num_classes]
    return jnp.stack([jnp.diagonal(classes), matrix.sum(0), classes.sum(1)])


OPS = {
    "conv": conv2d,
    "conv_transpose": conv_transpose2d,
    "linear": linear,
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "adaptive_avg_pool": _adaptive_avg_pool,
    "pyramid": _pyramid,
    "resize": resize,
    "upsample_loss": _upsample_loss,
    "upsample_accuracy": _upsample_accuracy,
    "upsample_argmax": _upsample_argmax,
    "kth_smallest": _kth_smallest,
    "largest_channel": largest_channel,
    "attention": attention,
    "layer_norm": _layer_norm,
    "batch_norm": _batch_norm,
    "gelu": GELU(),
    "softmax": jax.nn.softmax,
    "confusion": _confusion,
}

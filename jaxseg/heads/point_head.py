"""PointRend, segmentation as rendering: https://arxiv.org/abs/1912.08193."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.errors import FieldError
from jaxseg.heads.cascade_decode_head import BaseCascadeDecodeHead
from jaxseg.layers.conv import kaiming_normal
from jaxseg.layers.draws import uniform
from jaxseg.layers.dropout import Dropout
from jaxseg.losses.accuracy import Accuracy
from jaxseg.losses.targets import Targets
from jaxseg.ops.linear import linear
from jaxseg.ops.narrow import spread, wide
from jaxseg.ops.point_sample import nearest_sample, point_sample
from jaxseg.ops.resize import resize
from jaxseg.ops.strips.upsampled import Upsampled


class _Conv1d(nn.Module):
    """torch's Conv1d of one pixel, on (N, P, C)."""

    features: int
    kernel_init: nn.initializers.Initializer = kaiming_normal

    @nn.compact
    def __call__(self, x):
        shape = (1, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        y = linear(x, kernel[0])
        return y + spread(bias, y)


class PointHead(BaseCascadeDecodeHead, kw_only=True):
    """Decides anew on the points where the head before it is least certain.

    In training the outputs are the logits (N, num_points, num_classes) of points drawn
    from the stream `sample`, and the points; in evaluation, the logits of the head
    before, enlarged step by step, each time with the least certain points replaced.

    Attributes:
        num_fcs: number of hidden layers.
        coarse_pred_each_layer: every layer sees the logits of the head before.
        num_points: points of an image in training.
        oversample_ratio: how many times as many are drawn, to choose from.
        importance_sample_ratio: share of the points that are chosen as the least
            certain; the others are drawn once more.
        subdivision_steps: enlargements in evaluation.
        subdivision_num_points: points that each of them decides on.
        scale_factor: the factor of each enlargement.
    """

    input_transform: str = "multiple_select"
    num_fcs: int = 3
    coarse_pred_each_layer: bool = True
    num_points: int = 2048
    oversample_ratio: float = 3
    importance_sample_ratio: float = 0.75
    subdivision_steps: int = 2
    subdivision_num_points: int = 8196
    scale_factor: int = 2

    phase_keys = (
        "num_points",
        "oversample_ratio",
        "importance_sample_ratio",
        "subdivision_steps",
        "subdivision_num_points",
        "scale_factor",
    )

    def __post_init__(self):
        if self.oversample_ratio < 1 or not 0 <= self.importance_sample_ratio <= 1:
            raise FieldError(
                f"oversample_ratio is {self.oversample_ratio}, allowed: from 1; "
                f"importance_sample_ratio is {self.importance_sample_ratio}, allowed: "
                "0 to 1"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, inputs, prev_output, train: bool):
        features = self.transform_inputs(inputs)
        layers = self._layers()
        if train:
            points = self._training_points(jax.lax.stop_gradient(prev_output))
            return self._decide(layers, features, prev_output, points, train), points
        logits = prev_output
        samples = jnp.arange(logits.shape[0])[:, None]
        for _ in range(self.subdivision_steps):
            align = self.align_corners
            logits = resize(logits, scale_factor=self.scale_factor, align_corners=align)
            flat = logits.reshape(logits.shape[0], -1, logits.shape[-1])
            index, points = self._uncertain_pixels(flat, logits.shape[1:3])
            new = self._decide(layers, features, prev_output, points, train)
            logits = flat.at[samples, index].set(new).reshape(logits.shape)
        return logits

    def _layers(self):
        small = nn.initializers.normal(0.01)
        hidden = [
            _Conv1d(self.channels, name=f"fcs.{i}.conv") for i in range(self.num_fcs)
        ]
        return *hidden, _Conv1d(self.num_classes, small, name="fc_seg")

    def _decide(self, layers, features, coarse, points, train):
        """The logits (N, P, num_classes) of points (N, P, 2)."""
        parts = [
            point_sample(x, points, align_corners=self.align_corners)
            for x in (*features, coarse)
        ]
        x = jnp.concatenate(parts, axis=-1)
        *hidden, last = layers
        for i, layer in enumerate(hidden):
            x = layer(x)
            if self.act_cfg is not None:
                x = self.act_cfg(name=f"fcs.{i}.activate")(x)
            if self.coarse_pred_each_layer:
                x = jnp.concatenate([x, parts[-1]], axis=-1)
        if train and self.dropout_ratio > 0:
            x = Dropout(self.dropout_ratio, name="dropout")(x, train)
        return last(x)

    def _training_points(self, logits):
        """(N, num_points, 2): the least certain of many, and some others."""
        batch, dtype = logits.shape[0], jnp.promote_types(logits.dtype, jnp.float32)
        count = int(self.num_points * self.oversample_ratio)
        points = uniform(self, (batch, count, 2), dtype)
        chosen = int(self.importance_sample_ratio * self.num_points)
        uncertainty = _uncertainty(point_sample(wide(logits), points))
        _, index = jax.lax.top_k(uncertainty, chosen)
        points = jnp.take_along_axis(points, index[..., None], axis=1)
        others = self.num_points - chosen
        if others:
            more = uniform(self, (batch, others, 2), dtype)
            points = jnp.concatenate([points, more], axis=1)
        return points

    def _uncertain_pixels(self, flat, size):
        """Places (N, P) in the map of `size`, and their centres as points (N, P, 2)."""
        height, width = size
        count = min(height * width, self.subdivision_num_points)
        _, index = jax.lax.top_k(_uncertainty(flat), count)
        dtype = jnp.promote_types(flat.dtype, jnp.float32)
        x = (0.5 + (index % width).astype(dtype)) / width
        y = (0.5 + (index // width).astype(dtype)) / height
        return index, jnp.stack([x, y], axis=-1)

    def loss(self, outputs, targets):
        logits, points = outputs
        logits = wide(logits)
        label = nearest_sample(
            targets["gt_seg_map"], points, align_corners=self.align_corners
        )
        wanted = Targets(label, self.ignore_index)
        result = {}
        for loss in self.losses:
            name = f"point{loss.loss_name}"
            value = loss.loss_weight * loss.whole(logits, wanted).mean()
            result[name] = result.get(name, 0) + value
        accuracy = Accuracy(ignore_index=self.ignore_index)
        arrays = accuracy.prepare(Upsampled(logits, logits.shape[1:-1]), wanted)
        hits = accuracy.strip(jax.lax.stop_gradient(logits), True, *arrays)
        result["acc_point"] = accuracy.finish(hits, *arrays)[0]
        return result


def _uncertainty(logits):
    """(..., C) -> (...): minus the lead of the largest logit over the next one."""
    two, _ = jax.lax.top_k(logits, 2)
    return two[..., 1] - two[..., 0]

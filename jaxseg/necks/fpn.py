"""Feature Pyramid Networks: https://arxiv.org/abs/1612.03144."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.layers.activation import Act
from jaxseg.layers.conv import ConvModule, xavier_uniform
from jaxseg.layers.norm import Norm
from jaxseg.necks.neck import Neck
from jaxseg.ops.pool import max_pool
from jaxseg.ops.resize import resize


class FPN(Neck):
    """Adds each coarse level, resized, to the finer one.

    Attributes:
        in_channels: channels of each input level.
        out_channels: channels of each output level.
        num_outs: number of output levels.
        start_level: first input level that is used.
        end_level: one past the last input level that is used; -1 is all.
        add_extra_convs: where the levels past the inputs come from: False
            (max-pooling), `on_input`, `on_lateral`, `on_output`, or True.
        relu_before_extra_convs: ReLU before those convolutions.
        no_norm_on_lateral: no norm after the lateral convolutions.
        norm_cfg, act_cfg: flavours of the layers, or None.
        upsample_cfg: `mode`, and `scale_factor` in place of the finer level's size.
    """

    in_channels: tuple[int, ...]
    out_channels: int
    num_outs: int
    start_level: int = 0
    end_level: int = -1
    add_extra_convs: bool | str = False
    relu_before_extra_convs: bool = False
    no_norm_on_lateral: bool = False
    norm_cfg: Norm | None = None
    act_cfg: Act | None = None
    upsample_cfg: Mapping[str, Any] = (("mode", "nearest"),)

    takes_padding = True
    takes_bands = True

    def __post_init__(self):
        allowed = (False, True, "on_input", "on_lateral", "on_output")
        if self.add_extra_convs not in allowed:
            raise FieldError(
                f"add_extra_convs is {self.add_extra_convs!r}, allowed: {allowed}"
            )
        used = self._end - self.start_level
        if self.num_outs < used or (self.end_level != -1 and self.num_outs != used):
            raise FieldError(
                f"num_outs is {self.num_outs}, but levels {self.start_level} to "
                f"{self._end - 1} of {len(self.in_channels)} make {used}"
            )
        super().__post_init__()

    @property
    def _end(self):
        return len(self.in_channels) if self.end_level == -1 else self.end_level

    @nn.compact
    def __call__(self, inputs, train: bool):
        """Tuple of (N, h, w, in_channels[i]) -> tuple of (N, h, w, out_channels)."""
        if len(inputs) != len(self.in_channels):
            raise ConfigError(
                f"{self.config_path}.in_channels is {self.in_channels}, one a level, and "
                f"the backbone gives {len(inputs)}"
            )
        laterals = [
            self._conv(f"lateral_convs.{i}", 1, lateral=True)(x, train)
            for i, x in enumerate(inputs[self.start_level : self._end])
        ]
        upsample = dict(self.upsample_cfg)
        for i in range(len(laterals) - 1, 0, -1):
            finer = laterals[i - 1]
            size = None if "scale_factor" in upsample else finer.shape[1:3]
            laterals[i - 1] = finer + resize(laterals[i], size, **upsample)
        outs = [
            self._conv(f"fpn_convs.{i}", 3)(x, train) for i, x in enumerate(laterals)
        ]
        return tuple(self._extra_levels(inputs, laterals, outs, train))

    def _extra_levels(self, inputs, laterals, outs, train):
        source = {
            "on_input": inputs[self._end - 1],
            "on_lateral": laterals[-1],
        }.get(self.add_extra_convs, outs[-1])
        for i in range(len(outs), self.num_outs):
            if not self.add_extra_convs:
                outs.append(max_pool(outs[-1], 1, 2))
                continue
            if i > len(laterals):
                source = outs[-1]
                if self.relu_before_extra_convs:
                    source = jax.nn.relu(source)
            outs.append(self._conv(f"fpn_convs.{i}", 3, stride=2)(source, train))
        return outs

    def _conv(self, name, side, stride=1, lateral=False):
        return ConvModule(
            self.out_channels,
            side,
            stride,
            padding=side // 2,
            norm_cfg=None if lateral and self.no_norm_on_lateral else self.norm_cfg,
            act_cfg=self.act_cfg,
            kernel_init=xavier_uniform,
            name=name,
        )

"""Layer decay: learning rates that fall from the backbone's last layer to its first.

The rules of mmseg's LearningRateDecayOptimizerConstructor, which mmseg's configs use for
BEiT, MAE and ConvNeXt.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from jaxseg.config import ConfigError
from jaxseg.errors import FieldError
from jaxseg.optim.parameters import (
    PARAMWISE_CFG,
    Multipliers,
    Parameter,
    ParameterRules,
)

_TOKENS = ("backbone.cls_token", "backbone.mask_token", "backbone.pos_embed")
_TRANSFORMER = re.compile(r"backbone\.layers\.(\d+)\.")
_DOWNSAMPLE = re.compile(r"backbone\.downsample_layers\.(\d+)\.")
_BLOCK = re.compile(r"backbone\.stages\.(\d+)\.(\d+)\.")

DECAY_TYPES = ("layer_wise", "stage_wise")


@dataclass(frozen=True, kw_only=True)
class LayerDecayRules(ParameterRules):
    """paramwise_cfg of LearningRateDecayOptimizerConstructor.

    A layer has a number; layer n has `decay_rate ** (num_layers + 1 - n)` of the
    learning rate, and all that is no layer (the heads, the last norms) has the whole.

    - A transformer (parameters `backbone.layers.<n>.`): the patch embedding, the class
      token and the position table are 0, its layers 1 to `num_layers`.
    - ConvNeXt (parameters `backbone.stages.<n>.<block>.`), 'layer_wise': the stem is 0,
      the first two stages 1 and 2, three blocks of the third stage are one layer, from
      3 on, and the last stage is `num_layers`. A downsampling layer counts as the first
      block of the stage that it leads to.
    - ConvNeXt, 'stage_wise': the stem and all downsampling layers are 0, the stages 1
      to 4, whatever `num_layers` is.

    Biases and parameters of one dimension have no weight decay; the class token and the
    position table do have it (mmseg 1.2.2 means to spare them, but compares with names
    that lack `backbone.`).

    Attributes:
        num_layers: Layers of the backbone, as its config in mmseg says: 12 for a ViT-B,
            6 for ConvNeXt-T, 12 for the larger ones.
        decay_rate: Factor from one layer to the one below it.
        decay_type: 'layer_wise' or, for ConvNeXt, 'stage_wise'.
    """

    num_layers: int
    decay_rate: float
    decay_type: str = "layer_wise"

    def __post_init__(self):
        if self.decay_type not in DECAY_TYPES:
            raise FieldError(
                f"decay_type: found {self.decay_type!r}, allowed are "
                "'layer_wise' and 'stage_wise'"
            )

    def check(self, parameters: Collection[Parameter]) -> None:
        """Raises ConfigError for a backbone without such layers, or of another number."""
        keys = [parameter.key for parameter in parameters]
        layers = [int(m[1]) for m in map(_TRANSFORMER.match, keys) if m]
        stages = [int(m[1]) for m in map(_BLOCK.match, keys) if m]
        has_stages = stages and any(map(_DOWNSAMPLE.match, keys))
        if not layers and not has_stages:
            raise ConfigError(
                "optim_wrapper.constructor: LearningRateDecayOptimizerConstructor needs "
                "a transformer, with parameters `backbone.layers.<n>.`, or a ConvNeXt, "
                "with `backbone.stages.<n>.<block>.`; this model has none"
            )
        if layers and self.decay_type == "stage_wise":
            raise ConfigError(
                f"{PARAMWISE_CFG}.decay_type: found 'stage_wise', but this backbone has "
                "layers without stages; allowed is 'layer_wise'"
            )
        if layers and max(layers) + 1 != self.num_layers:
            raise ConfigError(
                f"{PARAMWISE_CFG}.num_layers: found {self.num_layers}, but the backbone "
                f"has {max(layers) + 1} layers"
            )
        if has_stages and max(stages) > 3:
            raise ConfigError(
                f"{PARAMWISE_CFG}.decay_type: {self.decay_type!r} is defined for up to 4 "
                f"stages, and the backbone has {max(stages) + 1}"
            )
        deepest = max(
            (self._layer(key) for key in keys if _BLOCK.match(key)), default=0
        )
        if deepest > self.num_layers:
            raise ConfigError(
                f"{PARAMWISE_CFG}.num_layers: found {self.num_layers}, but the layers of "
                f"this backbone are numbered up to {deepest}"
            )

    def multipliers(self, parameter: Parameter) -> Multipliers:
        flat = len(parameter.shape) == 1 or parameter.is_bias
        steps_down = self.num_layers + 1 - self._layer(parameter.key)
        return Multipliers(self.decay_rate**steps_down, 0.0 if flat else 1.0)

    def _layer(self, key: str) -> int:
        """The number of a parameter's layer; `num_layers + 1` where it is of none."""
        if key in _TOKENS or key.startswith("backbone.patch_embed"):
            return 0
        if match := _TRANSFORMER.match(key):
            return int(match[1]) + 1
        by_stage = self.decay_type == "stage_wise"
        if match := _DOWNSAMPLE.match(key):
            return 0 if by_stage else self._of_stage(int(match[1]), 0, stem=0)
        if match := _BLOCK.match(key):
            stage, block = int(match[1]), int(match[2])
            return stage + 1 if by_stage else self._of_stage(stage, block, stem=1)
        return self.num_layers + 1

    def _of_stage(self, stage: int, block: int, stem: int) -> int:
        """Layer-wise; `stem` is the number of the first stage's."""
        return (stem, 2, 3 + block // 3, self.num_layers)[stage]

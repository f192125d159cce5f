"""Plugins: modules inside the blocks of a backbone, which its `plugins` name."""

import dataclasses
from typing import ClassVar, Literal

import flax.linen as nn

Position = Literal["after_conv1", "after_conv2", "after_conv3"]


class Plugin(nn.Module, kw_only=True):
    """The role of a plugin's `cfg`: a module that keeps a map's shape.

    It is called as (x, train).

    Attributes:
        postfix: what follows `abbr` in its name; several plugins of one type in a block
            need different ones.
        abbr: the attribute name that mmcv gives a plugin of this type.
        takes_padding, takes_bands: as of a backbone.
    """

    postfix: str | int = ""

    abbr: ClassVar[str]
    takes_padding = False
    takes_bands = False


@dataclasses.dataclass(frozen=True)
class BlockPlugin:
    """An element of `plugins`: what stands where in the blocks of some stages.

    Attributes:
        cfg: the module.
        position: the convolution of the block, with its norm and activation, that it
            follows.
        stages: whether each stage has it; None: all have.
    """

    cfg: Plugin
    position: Position
    stages: tuple[bool, ...] | None = None

    takes_padding = True
    takes_bands = True

    @property
    def name(self) -> str:
        """The name of the module in its block."""
        return f"{self.cfg.abbr}{self.cfg.postfix}"

    def is_in(self, stage: int) -> bool:
        """Whether a stage, counted from 0, has it."""
        return self.stages is None or self.stages[stage]

"""Settings, the table of contents: the parts of a config that are no model.

Their keys are the fields of these dataclasses.
"""

from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.logger import LoggerHook
from jaxseg.settings.loop import (
    CheckpointHook,
    EMAHook,
    EpochBasedTrainLoop,
    IterBasedTrainLoop,
    Randomness,
)
from jaxseg.settings.tta import TestTimeAug

__all__ = [
    "CheckpointHook",
    "DataLoader",
    "EMAHook",
    "EpochBasedTrainLoop",
    "IterBasedTrainLoop",
    "LoggerHook",
    "Randomness",
    "TestTimeAug",
]

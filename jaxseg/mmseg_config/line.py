"""Line: whether a config belongs to mmseg 0.x or 1.x."""

from collections.abc import Mapping
from typing import Any

# Keys at the top level that one of the lines has alone.
_V1 = (
    "default_scope",
    "train_dataloader",
    "val_dataloader",
    "test_dataloader",
    "optim_wrapper",
    "param_scheduler",
    "default_hooks",
)
_V0 = ("data", "optimizer_config", "lr_config", "checkpoint_config", "total_iters")


def is_v0(raw: Mapping[str, Any]) -> bool:
    """Whether a config is one of mmseg 0.x; without a sign it is one of 1.x.

    A few configs of 1.x still carry a `runner` or `total_iters` that nothing reads,
    so the keys of 1.x decide.
    """
    return not any(key in raw for key in _V1) and any(key in raw for key in _V0)

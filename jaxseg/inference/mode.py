"""`model.test_cfg`: how images are cut for the network."""

from collections.abc import Mapping
from typing import Any

from jaxseg.config import ConfigError


def read_test_cfg(
    test_cfg: Mapping[str, Any] | None,
) -> tuple[str, tuple[int, int] | None, tuple[int, int] | None]:
    """The mode, and of mode `slide` crop_size and stride, (height, width) each.

    Raises:
        ConfigError: for an unknown mode, or a size that is missing or none.
    """
    test_cfg = dict(test_cfg or {"mode": "whole"})
    mode = test_cfg.get("mode", "whole")
    if mode not in ("whole", "slide"):
        raise ConfigError(f"model.test_cfg.mode is {mode!r}, allowed: 'whole', 'slide'")
    if mode == "whole":
        return mode, None, None
    for key in ("crop_size", "stride"):
        value = test_cfg.get(key)
        if not isinstance(value, tuple) or len(value) != 2 or min(value) < 1:
            raise ConfigError(
                f"model.test_cfg.{key} is {value!r}; mode='slide' needs (height, "
                "width) in pixels"
            )
    return mode, test_cfg["crop_size"], test_cfg["stride"]

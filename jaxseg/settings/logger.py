"""Logger of a config: `default_hooks.logger`."""

import dataclasses

from jaxseg.errors import FieldError


@dataclasses.dataclass(frozen=True)
class LoggerHook:
    """`default_hooks.logger`.

    Attributes:
        interval: iterations between two lines of the log, which hold means over them.
    """

    interval: int = 50

    def __post_init__(self):
        if self.interval < 1:
            raise FieldError(f"interval={self.interval} must be 1 at least")

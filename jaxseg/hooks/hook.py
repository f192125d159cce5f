"""Hooks: functions of users that a training calls at its points."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from jaxseg.errors import FieldError

_log = logging.getLogger("jaxseg")

# mmengine's names; the lower a number, the earlier a hook is called.
PRIORITIES = {
    "HIGHEST": 0,
    "VERY_HIGH": 10,
    "HIGH": 30,
    "ABOVE_NORMAL": 40,
    "NORMAL": 50,
    "BELOW_NORMAL": 60,
    "LOW": 70,
    "VERY_LOW": 90,
    "LOWEST": 100,
}


@dataclasses.dataclass
class Training:
    """What a hook sees of a training, and what it can ask of it.

    Attributes:
        config: the whole config.
        workdir: where the run writes.
        max_iters: iterations of the run.
        epoch_length: iterations of an epoch; None in a run of iterations.
        step: iterations that were done before this start of the run.
        history: (step, scores by name) of each evaluation up to `step`.
        stop_reason: why the training ends before its last iteration, or None.
    """

    config: Mapping[str, Any]
    workdir: Path
    max_iters: int
    epoch_length: int | None = None
    step: int = 0
    history: Sequence[tuple[int, Mapping[str, float]]] = ()
    stop_reason: str | None = None

    def stop(self, reason: str) -> None:
        """Ends the training, with its final evaluation, as if it were complete.

        Of several processes all have to ask for it: in `before_run` or
        `after_evaluation` of a hook that runs on all.
        """
        if self.stop_reason is None:
            _log.info("the training is stopped: %s", reason)
        self.stop_reason = self.stop_reason or reason


@dataclasses.dataclass(kw_only=True)
class Hook:
    """The role of `custom_hooks`: a dataclass with some of these functions.

    They are called in the thread of the training, between two steps: the devices have
    two more steps to do meanwhile, so that what is quick keeps nothing waiting. What is
    slow belongs into a thread of the hook's own. An error ends the run.

    A run that is continued makes a new hook: what it has to know of before, it takes
    from `training.history` in `before_run`.

    Attributes:
        priority: when it is called among others: a number from 0 (first) to 100, or one
            of `PRIORITIES`; of equal ones in the order of the config.
        on_all_processes: whether every process of a run calls it, and not process 0
            alone.
        monitor: a score that it needs of every evaluation, or None.
    """

    on_all_processes: ClassVar[bool] = False
    monitor: ClassVar[str | None] = None

    priority: int | str = "NORMAL"

    def __post_init__(self):
        if isinstance(self.priority, str) and self.priority not in PRIORITIES:
            raise FieldError(
                f"priority: found {self.priority!r}, allowed are {', '.join(PRIORITIES)}"
                " and numbers"
            )
        if not 0 <= self.rank <= 100:
            raise FieldError(f"priority: found {self.priority}, allowed: 0 to 100")

    @property
    def rank(self) -> int:
        """The priority as a number."""
        named = isinstance(self.priority, str)
        return PRIORITIES[self.priority] if named else self.priority

    def before_run(self, training: Training) -> None:
        """Called before the first step of a start of the run."""

    def after_step(self, training: Training, step: int, result: Mapping) -> None:
        """Called once the result of a step is there, which the devices have left behind.

        Args:
            training: the training.
            step: iterations done.
            result: scalars on a device: `loss`, and `skipped_in_a_row`, the steps up to
                this one whose update was left out. `float(...)` waits for nothing.
        """

    def after_evaluation(
        self, training: Training, step: int, scores: Mapping[str, float]
    ) -> None:
        """Called after an evaluation; the step's checkpoint is written.

        Args:
            training: the training.
            step: iterations done.
            scores: by name, `mIoU` in percent.
        """

    def after_run(self, training: Training) -> None:
        """Called after the last step; a run that a signal stops ends without."""

"""Phases of a training: where the time of each counts, and how long it may take."""

import contextlib
import dataclasses
from collections.abc import Iterator

from jaxseg.runtime.time_spent import TimeSpent
from jaxseg.runtime.watchdog import Watchdog
from jaxseg.settings.loop import IterBasedTrainLoop


@dataclasses.dataclass(frozen=True)
class Phase:
    """A phase.

    Attributes:
        part: one of `time_spent.PARTS`; None stays in that of the phase around it.
        limit: the value of train_cfg that says how many seconds it may take, or None.
        wrong: what the watchdog says when it takes longer.
    """

    part: str | None
    limit: str | None = None
    wrong: str = ""


_NO_BATCH = "no batch from train_dataloader"

PHASES = {
    "first batch": Phase(None, "batch_timeout", _NO_BATCH),
    "restore": Phase(None, "step_timeout", "a checkpoint was not read"),
    "compile": Phase("compile"),
    "steps": Phase("step"),
    "batch": Phase("waiting for data", "batch_timeout", _NO_BATCH),
    "step": Phase(None, "step_timeout", "a training step has not ended"),
    "save": Phase("checkpoint", "step_timeout", "a checkpoint was not written"),
    "evaluation": Phase(
        "evaluation", "batch_timeout", "no image of the evaluation is done"
    ),
    "end": Phase("other"),
}


class Phases:
    """Contexts of the phases of a run.

    Attributes:
        spent: where the time is counted.
        watchdog: what ends the process.
    """

    def __init__(
        self, settings: IterBasedTrainLoop, spent: TimeSpent, watchdog: Watchdog
    ):
        self._settings = settings
        self.spent = spent
        self.watchdog = watchdog

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[None]:
        """Context of a phase, a key of `PHASES`; it may stand in that of another."""
        phase = PHASES[name]
        with contextlib.ExitStack() as stack:
            if phase.part is not None:
                stack.enter_context(self.spent.on(phase.part))
            if phase.limit is not None:
                seconds = getattr(self._settings, phase.limit)
                stack.enter_context(self.watchdog.limit(seconds, phase.wrong))
            yield

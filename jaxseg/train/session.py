"""Session: one start of a training: the run, and what watches over it."""

import dataclasses

from jaxseg.checkpoint.store import Checkpoints
from jaxseg.runtime.preemption import StopSignal
from jaxseg.train.phases import Phases
from jaxseg.train.run import Run


@dataclasses.dataclass(frozen=True)
class Session:
    """What the parts of a training share.

    Attributes:
        run: built from the config.
        checkpoints: the checkpoints of the work directory.
        stop: whether a signal has asked to stop.
        phases: how long what may take, and where its time counts.
    """

    run: Run
    checkpoints: Checkpoints
    stop: StopSignal
    phases: Phases

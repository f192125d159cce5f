"""Batches: from the host's data to the devices, one ahead of the step."""

from collections.abc import Iterator
from typing import Any

import jax

from jaxseg.runtime.preemption import StopRequested
from jaxseg.runtime.progress import Meter
from jaxseg.train.session import Session
from jaxseg.train.sharding import put_batch


class Feed:
    """The batches of a run, placed on its devices."""

    def __init__(self, session: Session, batches: Iterator[Any], meter: Meter):
        self._mesh = session.run.mesh
        self._stop = session.stop
        self._phases = session.phases
        self._batches = batches
        self._meter = meter

    def next(self):
        """The next batch.

        Raises:
            StopRequested: a signal came first; data may keep a run waiting for longer
                than a signal's grace.
        """
        with self._meter.waiting(), self._phases.on("batch"):
            batch = self._stop.run(next, self._batches)
        return put_batch(batch, self._mesh)

    def following(self):
        """The next batch, or None and why there is none, which is None on a signal.

        One process alone saves before it ends with that error. Of several, the others
        know nothing of it, and a checkpoint takes all of them.
        """
        try:
            return self.next(), None
        except StopRequested:
            return None, None
        except Exception as error:
            if jax.process_count() > 1:
                raise
            return None, error

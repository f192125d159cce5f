"""Step log: the results of the steps, read late, and a line every interval."""

import collections
from collections.abc import Mapping

import jax

from jaxseg.runtime.metrics_file import MetricWriter
from jaxseg.runtime.progress import Meter, Progress
from jaxseg.train.hooks import Hooks
from jaxseg.train.run import Run
from jaxseg.train.skipped import SkippedSteps
from jaxseg.train.start import Start
from jaxseg.train.state import TrainState

# Steps after which a line says how long the others will take.
_MEASURED = 10


class StepLog:
    """Results of the steps, for `metrics.jsonl`, the screen and the skipped steps.

    Attributes:
        meter: the meter of the speed.
    """

    def __init__(
        self,
        run: Run,
        started: Start,
        writer: MetricWriter,
        progress: Progress,
        hooks: Hooks,
    ):
        self.meter = Meter()
        self._learning_rate = started.optimizer.learning_rate
        self._first, self._last = started.step + 1, run.settings.train_loop.max_iters
        self._epoch_length = run.epoch_length
        self._batch_size = run.settings.train_dataloader.batch_size
        self._skipped = SkippedSteps(run, started.step)
        self._writer = writer
        self._hooks = hooks
        self._progress = progress
        # Reading a result that is two steps old does not keep the device waiting.
        self._recent = collections.deque()

    def add(self, step: int, result: Mapping[str, jax.Array]) -> None:
        """Takes the result of a step that the device has been given."""
        self._recent.append((step, result))
        self.meter.count(self._batch_size)
        self._progress.update(step)
        left = self._last - step
        if step == self._first + _MEASURED and left > 0:
            self._progress.write(
                f"about {self._progress.time_left(step)} for the {left} steps that are "
                "left; evaluations come on top"
            )

    def read(self, unread: int) -> None:
        """Looks at the results of the steps but for so many of the last ones.

        Raises:
            NotFiniteError: too many in a row were not finite.
        """
        while len(self._recent) > unread:
            step, result = self._recent.popleft()
            self._skipped.check(step, result)
            self._hooks.after_step(step, result)

    def write(self, state: TrainState, step: int) -> None:
        """Writes the means of the steps since the last line, and the speed."""
        window = jax.device_get(state.window)
        count = max(float(window.pop("count")), 1.0)
        values = {name: float(total) / count for name, total in window.items()}
        values["lr"] = float(self._learning_rate(step - 1, state.plateaus))
        values["skipped"] = int(state.skipped)
        if self._epoch_length is not None:
            values["epoch"] = -(-step // self._epoch_length)
        speed = self.meter.read()
        self._writer.write(step, "train", values | speed)
        shown = {name: values[name] for name in ("loss", "lr")}
        self._progress.update(step, shown | speed)

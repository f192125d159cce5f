"""Progress: what a user sees: how far a run is, how fast, and when it ends."""

import contextlib
import datetime
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

import jax
from tqdm import tqdm

# Seconds after which a line says that a run without reports is alive.
_SILENCE = 30.0


class Meter:
    """Images per second, and the share of time spent waiting for data, in a window.

        with meter.waiting():
            batch = next(batches)
        state, metrics = train_step(state, batch)
        meter.count(len(batch["img"]))
        ...
        metrics = jax.device_get(metrics)  # the device has done these steps now
        values = meter.read()

    JAX returns from a step before the device has done it, so read the meter after
    fetching a result of the window's last step.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Starts a new window, e.g. after an evaluation."""
        self._start = self._clock()
        self._waited = 0.0
        self._images = 0

    @contextlib.contextmanager
    def waiting(self):
        """Context of a wait for the next batch."""
        start = self._clock()
        try:
            yield
        finally:
            self._waited += self._clock() - start

    def count(self, images: int) -> None:
        """Adds images (over all hosts) to the window."""
        self._images += images

    def read(self) -> dict[str, float]:
        """Returns `images_per_second` and `data_wait` (0 to 1); starts a new window."""
        elapsed = max(self._clock() - self._start, 1e-9)
        values = {
            "images_per_second": self._images / elapsed,
            "data_wait": self._waited / elapsed,
        }
        self.reset()
        return values


class Progress:
    """A bar with the time left on a terminal; elsewhere a line for each report.

    Where no report comes, a line says now and then how far it is.

    Args:
        total: Number of the last step.
        start: Steps done before, where a run is resumed.
        name: Stands in front of every line.
        stream: Where to; default stderr, and nowhere from process 1 on of several.
        clock: Seconds from anywhere.
    """

    def __init__(
        self,
        total: int,
        start: int = 0,
        *,
        name: str = "train",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total = total
        self._name = name
        if stream is None and jax.process_index() == 0:
            stream = sys.stderr
        self._stream = stream
        self._clock = clock
        self._spoken = clock()
        self._first = None
        self._bar = None
        if stream is not None and stream.isatty():
            self._bar = tqdm(
                total=total,
                initial=start,
                desc=name,
                file=self._stream,
                dynamic_ncols=True,
            )

    def update(self, step: int, values: Mapping[str, float] | None = None) -> None:
        """Says that `step` is done; `values` are shown, in their order."""
        now = self._clock()
        if self._first is None:
            # The clock starts after the first step, which compiles.
            self._first = (step, now)
        shown = {name: f"{value:.4g}" for name, value in (values or {}).items()}
        if self._bar is not None:
            self._bar.update(step - self._bar.n)
            if shown:
                self._bar.set_postfix(shown)
        elif shown:
            parts = [f"{name} {text}" for name, text in shown.items()]
            parts = [f"{self._name} {step}/{self._total}", *parts]
            self.write("  ".join([*parts, f"eta {self.time_left(step)}"]))
            self._spoken = now
        elif now - self._spoken >= _SILENCE:
            self.write(f"{self._name} {step}/{self._total}  eta {self.time_left(step)}")
            self._spoken = now

    def time_left(self, step: int) -> str:
        """How long the steps after `step` take, as `h:mm:ss`; ? before the second one."""
        first_step, first_time = self._first
        if step == first_step:
            return "?"
        passed = self._clock() - first_time
        seconds = passed / (step - first_step) * (self._total - step)
        return str(datetime.timedelta(seconds=round(seconds)))

    def write(self, text: str) -> None:
        """Prints `text`, above the bar where there is one."""
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        elif self._stream is not None:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

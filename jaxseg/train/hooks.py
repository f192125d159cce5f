"""Hooks of a run: who of them is called on this process, and in which order."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jaxseg.hooks.hook import Hook, Training
from jaxseg.runtime.metrics_file import FILE_NAME, read_metrics
from jaxseg.train.run import Run


class Hooks:
    """Calls the hooks of a run.

    Attributes:
        training: what they see, and where they ask it to stop.
    """

    def __init__(self, run: Run, step: int):
        """Prepares the hooks of a start that goes on from a step."""
        self.training = Training(
            config=run.config,
            workdir=run.workdir,
            max_iters=run.settings.train_loop.max_iters,
            epoch_length=run.epoch_length,
            step=step,
            history=_history(run, step) if step else (),
        )
        ordered: Sequence[Hook] = sorted(run.settings.hooks, key=lambda hook: hook.rank)
        first = jax.process_index() == 0
        self._hooks = [hook for hook in ordered if first or hook.on_all_processes]

    @property
    def ask_to_stop(self) -> bool:
        """Whether one of them has ended the training."""
        return self.training.stop_reason is not None

    def before_run(self) -> None:
        for hook in self._hooks:
            hook.before_run(self.training)

    def after_step(self, step: int, result: Mapping[str, Any]) -> None:
        for hook in self._hooks:
            hook.after_step(self.training, step, result)

    def after_evaluation(self, step: int, scores: Mapping[str, float]) -> None:
        for hook in self._hooks:
            hook.after_evaluation(self.training, step, scores)

    def after_run(self) -> None:
        for hook in self._hooks:
            hook.after_run(self.training)


def _history(run, step):
    """What earlier starts have evaluated, up to the step that is gone on from."""
    path = run.workdir / FILE_NAME
    lines = read_metrics(path) if path.exists() else []
    not_scores = ("step", "split")
    return [
        (
            line["step"],
            {
                # A score that is not finite is null.
                name: float("nan") if value is None else value
                for name, value in line.items()
                if name not in not_scores
            },
        )
        for line in lines
        if line["split"] == "val" and line["step"] <= step
    ]

"""Validation in a training: when it is due, and what becomes of its scores."""

from collections.abc import Mapping, Sequence

import numpy as np
from jax.experimental import multihost_utils

from jaxseg.metrics.metric import Scores
from jaxseg.optim.plateau import Plateau, follow
from jaxseg.runtime.metrics_file import FILE_NAME, MetricWriter, read_metrics
from jaxseg.runtime.preemption import StopRequested
from jaxseg.runtime.progress import Progress
from jaxseg.train.finish import variables_of
from jaxseg.train.hooks import Hooks
from jaxseg.train.session import Session
from jaxseg.train.sharding import gather
from jaxseg.train.state import TrainState
from jaxseg.train.val_loss import ValLoss


class Validation:
    """The evaluations of a run; without val_dataloader none is ever due."""

    def __init__(
        self,
        session: Session,
        plateaus: Sequence[Plateau],
        writer: MetricWriter,
        progress: Progress,
        hooks: Hooks,
    ):
        self._run = session.run
        self._plateaus = plateaus
        self._val_loss = None
        if session.run.val_loss_order is not None:
            self._val_loss = ValLoss(session.run)
        self._checkpoints = session.checkpoints
        self._stop = session.stop
        self._phases = session.phases
        self._writer = writer
        self._hooks = hooks
        self._progress = progress

    def is_due(self, step: int) -> bool:
        """Whether an evaluation follows a step."""
        if self._run.evaluator is None:
            return False
        return self._run.settings.train_loop.evaluates_after(step)

    def is_missing(self, step: int) -> bool:
        """Whether an evaluation was due after a step, and a signal or a kill came.

        Args:
            step: the step of the checkpoint that this start goes on from.
        """
        if not step or not self.is_due(step):
            return False
        path = self._run.workdir / FILE_NAME
        lines = read_metrics(path) if path.exists() else []
        found = any(line["step"] == step and line["split"] == "val" for line in lines)
        # Process 0 has written it; the others may not see it yet.
        return not multihost_utils.broadcast_one_to_all(np.array(found))

    def __call__(
        self, state: TrainState, step: int
    ) -> tuple[TrainState, Scores | None]:
        """The scores of a state, logged and added to its checkpoint.

        Returns:
            The state, in which a plateau that is found has reduced a rate, and the
            scores; None where a signal came in between: the next start makes up for it.
        """
        try:
            with self._phases.on("step"):
                variables = gather(variables_of(state), self._run.mesh)
            scores = self._evaluate(variables)
            losses = self._losses(state)
        except StopRequested:
            return state, None
        summary = scores.summary | losses
        # Before the line in the log, which says that there is nothing to make up for.
        with self._phases.on("save"):
            self._checkpoints.add_metrics(step, summary)
        self._writer.write(step, "val", summary)
        texts = [f"{name} {value:.2f}" for name, value in scores.summary.items()]
        texts += [f"{name} {value:.4g}" for name, value in losses.items()]
        self._progress.write(f"val {step}  {'  '.join(texts)}")
        self._hooks.after_evaluation(step, summary)
        return self.reduced(state, step, summary), scores

    def reduced(
        self, state: TrainState, step: int, scores: Mapping[str, float]
    ) -> TrainState:
        """The state after an evaluation, if a plateau has not seen it yet."""
        length = self._run.epoch_length
        states = follow(self._plateaus, state.plateaus, step, length, scores)
        return state.replace(plateaus=states)

    def _losses(self, state):
        if self._val_loss is None:
            return {}
        with self._phases.on("evaluation"):
            renew = self._phases.watchdog.renew
            return self._stop.run(self._val_loss, variables_of(state), renew)

    def _evaluate(self, variables):
        with (
            self._phases.on("evaluation"),
            Progress(len(self._run.val_set), name="val") as progress,
        ):

            def report_done(done):
                self._phases.watchdog.renew()
                progress.update(done)

            return self._stop.run(self._run.evaluator, variables, report_done)

"""The training of a config, from its first step or its last checkpoint to the end."""

import collections
import contextlib
import functools
import itertools
import json
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.config import ConfigError
from jaxseg.metrics.iou import Scores
from jaxseg.train.agreement import batch_facts, check_agreement, program_facts
from jaxseg.train.checkpoint import Checkpoints
from jaxseg.train.curves import draw_curves
from jaxseg.train.evaluate import report
from jaxseg.train.log import FILE_NAME, MetricWriter, read_metrics
from jaxseg.train.predict import save_validation_grids
from jaxseg.train.preemption import StopRequested, StopSignal
from jaxseg.train.progress import Meter, Progress
from jaxseg.train.run import Run
from jaxseg.train.sharding import gather, put_batch, state_sharding
from jaxseg.train.skipped import SkippedSteps
from jaxseg.train.starting_weights import find_starting_weights
from jaxseg.train.state import TrainState
from jaxseg.train.step import StepOptions, make_train_step
from jaxseg.train.time_spent import TimeSpent
from jaxseg.train.watchdog import Watchdog
from jaxseg.train.workdir import WorkdirLock, check_shared

_log = logging.getLogger("jaxseg")

CHECKPOINTS = "checkpoints"


def train(config: Mapping[str, Any], workdir: str | pathlib.Path) -> int:
    """Trains, or goes on with what an earlier call left in the work directory.

    Args:
        config: a whole config, from `jaxseg.config.load`.
        workdir: where everything is written.

    Returns:
        The exit code: 0, or that of the signal that stopped the run.

    Raises:
        ConfigError, DataError, WorkdirError: before the first step.
        NotFiniteError: after `MOST_SKIPPED` updates in a row that were not finite.
    """
    workdir = pathlib.Path(workdir)
    with WorkdirLock(workdir), TimeSpent(workdir) as spent, StopSignal() as stop:
        check_shared(workdir)
        try:
            run = stop.run(Run, config, workdir)
        except StopRequested:
            return stop.exit_code
        hook = run.settings.checkpoint
        with Checkpoints(
            workdir / CHECKPOINTS,
            max_keep=hook.max_keep_ckpts,
            best_metric=hook.save_best,
        ) as checkpoints:
            return _train(run, checkpoints, stop, spent)


def _train(
    run: Run, checkpoints: Checkpoints, stop: StopSignal, spent: TimeSpent
) -> int:
    try:
        optimizer, state, start = stop.run(_start, run, checkpoints)
    except StopRequested:
        return stop.exit_code
    spent.resumed(start)
    _write_config(run)
    max_iters = run.settings.train_loop.max_iters
    if start == 0:
        _log.info("optimiser: %s", optimizer.description)
    with (
        MetricWriter(run.workdir, start) as writer,
        Progress(max_iters, start) as progress,
        Watchdog() as watchdog,
        run.batches(start) as batches,
    ):
        loop = _Loop(
            run, optimizer, checkpoints, stop, writer, progress, watchdog, spent
        )
        with spent.on("step"):
            state, scores = loop.run_steps(state, start, batches)
    with spent.on("checkpoint"):
        checkpoints.wait()
    if checkpoints.latest_step() is not None:
        spent.saved(checkpoints.latest_step())
    if stop.requested:
        return stop.exit_code
    spent.switch("other")
    try:
        stop.run(_finish, run, state, scores, spent)
    except StopRequested:
        return stop.exit_code
    return 0


def _write_config(run: Run) -> None:
    """Writes config.json, now that the run is accepted, and all at once."""
    if jax.process_index() == 0:
        draft = run.workdir / "config.json.new"
        draft.write_text(json.dumps(run.config, indent=2) + "\n")
        os.replace(draft, run.workdir / "config.json")


def _start(run: Run, checkpoints: Checkpoints):
    """The optimiser, and a fresh state or the last one that was saved."""
    latest = checkpoints.latest_step()
    check_agreement(program_facts() | run.facts() | {"latest checkpoint": latest})
    resumes = latest is not None
    if resumes and run.config.get("resume") is False:
        raise ConfigError(
            f"resume is False, but {checkpoints.directory} holds a run: use another "
            "--workdir, or leave resume out to go on with it"
        )
    if resumes:
        _check_same_data(run.config, checkpoints.read_config())
    else:
        find_starting_weights(run.config, run.model)
    with run.batches(0) as batches:
        batch = next(batches)
    check_agreement(batch_facts(batch))
    if not resumes:
        return *run.fresh_state(batch), 0
    optimizer, state = run.abstract_state(batch)
    state, start = checkpoints.restore(state)
    _log.info("resumed at step %d of %s", start, checkpoints.directory)
    return optimizer, state, start


def _check_same_data(config, saved):
    """Refuses to resume where the order of the samples would be another one."""
    for path in (("train_dataloader", "batch_size"), ("randomness", "seed")):
        ours, theirs = ((c.get(path[0]) or {}).get(path[1]) for c in (config, saved))
        if ours != theirs:
            raise ConfigError(
                f"{'.'.join(path)} is {ours}, but the run in this work directory has "
                f"{theirs}, and its samples would come in another order. Use another "
                "--workdir, and load_from to start from its weights"
            )


class _Loop:
    """What happens from step to step."""

    def __init__(
        self, run, optimizer, checkpoints, stop, writer, progress, watchdog, spent
    ):
        self._run = run
        self._settings = run.settings
        self._learning_rate = optimizer.learning_rate
        self._checkpoints = checkpoints
        self._stop = stop
        self._writer = writer
        self._progress = progress
        self._watchdog = watchdog
        self._spent = spent
        self._skipped = SkippedSteps(run)
        self._meter = Meter()
        ema = run.settings.ema
        options = StepOptions(
            ema_momentum=None if ema is None else ema.momentum,
            loss_scope=run.settings.train_loop.loss_scope,
            log_interval=run.settings.logger.interval,
        )
        self._make_step = functools.partial(
            make_train_step, run.train_model, optimizer, run.mesh, options
        )

    def run_steps(
        self, state: TrainState, start: int, batches
    ) -> tuple[TrainState, Scores | None]:
        """Trains to the end, or to the step at which a signal stops it.

        Returns:
            The state, and its scores if it was evaluated.
        """
        max_iters = self._settings.train_loop.max_iters
        scores = None
        if start and self._is_due(start) and not self._was_evaluated(start):
            scores = self._evaluate(state, start)
            if scores is not None:
                self._checkpoints.add_metrics(start, scores.summary)
        if start >= max_iters or self._stop.requested:
            return state, scores
        # Results of the last two steps: reading an older one does not keep the
        # device waiting.
        recent = collections.deque()
        try:
            batch = self._next(batches)
            with self._spent.on("compile"):
                step_fn = self._stop.run(self._compile, state, batch)
        except StopRequested:
            return state, None
        self._meter.reset()
        for step in itertools.count(start + 1):
            with self._limit_of_step():
                state, result = step_fn(state, batch)
            recent.append((step, result))
            self._meter.count(self._settings.train_dataloader.batch_size)
            self._progress.update(step)
            if step < max_iters:
                with contextlib.suppress(StopRequested):
                    batch = self._next(batches)  # while the device computes
            while len(recent) > (0 if step == max_iters else 2):
                with self._limit_of_step():
                    self._skipped.check(*recent.popleft())
            if step % self._settings.logger.interval == 0:
                self._log(state, step)
            stopping = self._stop.poll(step)
            scores = None
            if not stopping and self._is_due(step):
                try:
                    scores = self._evaluate(state, step)
                except Exception:
                    # The hours since the last checkpoint are not lost to a bad file.
                    self._save(state, step, None)
                    raise
                stopping = self._stop.requested
            if stopping or scores or self._saves(step):
                self._save(state, step, scores)
            if stopping or step == max_iters:
                return state, scores

    def _compile(self, state, batch):
        places = state_sharding(state, self._run.mesh)
        step = self._make_step(places, state.params)
        return step.lower(state, batch).compile()

    def _next(self, batches):
        # The data may keep a run waiting for longer than a signal's grace.
        limit = self._settings.train_loop.batch_timeout
        with (
            self._meter.waiting(),
            self._spent.on("waiting for data"),
            self._watchdog.limit(limit, "no batch from train_dataloader"),
        ):
            batch = self._stop.run(next, batches)
        return put_batch(batch, self._run.mesh)

    def _limit_of_step(self):
        limit = self._settings.train_loop.step_timeout
        return self._watchdog.limit(limit, "a training step has not ended")

    def _is_due(self, step):
        loop = self._settings.train_loop
        interval = loop.val_interval or loop.max_iters
        return step % interval == 0 or step == loop.max_iters

    def _was_evaluated(self, step):
        """Whether the log holds the scores of a step, or a signal came before them."""
        path = self._run.workdir / FILE_NAME
        lines = read_metrics(path) if path.exists() else []
        found = any(line["step"] == step and line["split"] == "val" for line in lines)
        # Process 0 has written it; the others may not see it yet.
        return bool(multihost_utils.broadcast_one_to_all(np.array(found)))

    def _saves(self, step):
        last = step == self._settings.train_loop.max_iters
        return last or step % self._settings.checkpoint.interval == 0

    def _log(self, state, step):
        window = jax.device_get(state.window)
        count = max(float(window.pop("count")), 1.0)
        values = {name: float(total) / count for name, total in window.items()}
        values["lr"] = float(self._learning_rate(step - 1))
        values["skipped"] = int(state.skipped)
        speed = self._meter.read()
        self._writer.write(step, "train", values | speed)
        shown = {name: values[name] for name in ("loss", "lr")}
        self._progress.update(step, shown | speed)
        self._spent.tick()

    def _evaluate(self, state, step) -> Scores | None:
        """None where a signal came in between; the run then saves without scores."""
        try:
            variables = gather(variables_of(state), self._run.mesh)
            with (
                self._spent.on("evaluation"),
                self._watchdog.limit(
                    self._settings.train_loop.batch_timeout,
                    "no image of the evaluation is done",
                ),
                Progress(len(self._run.val_set), name="val") as progress,
            ):

                def report_done(done):
                    self._watchdog.renew()
                    progress.update(done)

                scores = self._stop.run(self._run.evaluator, variables, report_done)
        except StopRequested:
            return None
        self._writer.write(step, "val", scores.summary)
        text = "  ".join(f"{name} {v:.2f}" for name, v in scores.summary.items())
        self._progress.write(f"val {step}  {text}")
        self._meter.reset()
        return scores

    def _save(self, state, step, scores):
        metrics = None if scores is None else scores.summary
        with self._spent.on("checkpoint"):
            self._checkpoints.save(
                step, state, config=dict(self._run.config), metrics=metrics
            )
        self._spent.saved(step)


def variables_of(state: TrainState) -> dict[str, Any]:
    """What a trained model is evaluated with: the moving average where there is one."""
    params = state.params if state.ema is None else state.ema
    return {"params": params, "batch_stats": state.batch_stats}


def _finish(
    run: Run, state: TrainState, scores: Scores | None, spent: TimeSpent
) -> None:
    """Pictures and the final scores; the last line printed is the first score."""
    variables = gather(variables_of(state), run.mesh)
    if scores is None:  # the run was complete before this call
        with spent.on("evaluation"):
            scores = run.evaluator(variables)
    if jax.process_index() != 0:
        return
    draw_curves(run.workdir / FILE_NAME, run.workdir / "curves.png")
    predictions = run.workdir / "predictions"
    predictor = run.evaluator.predictor
    save_validation_grids(
        predictor, variables, run.val_set, predictions, run.settings.tta
    )
    print(f"curves: {run.workdir / 'curves.png'}; predictions: {predictions}")
    print(predictor.count_of_compilations())
    spent.close()
    report(scores, run.val_set.metainfo["classes"], run.workdir / "eval.json")

"""The training of a config, from its first step or its last checkpoint to the end."""

import collections
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

from jaxseg.checkpoint.store import Checkpoints
from jaxseg.config import ConfigError
from jaxseg.evaluation.evaluate import report
from jaxseg.evaluation.iou import Scores
from jaxseg.inference.pictures import save_validation_grids
from jaxseg.runtime import hosts
from jaxseg.runtime.agreement import batch_facts, check_agreement, program_facts
from jaxseg.runtime.metrics_file import FILE_NAME, MetricWriter, read_metrics
from jaxseg.runtime.preemption import StopRequested, StopSignal
from jaxseg.runtime.progress import Meter, Progress
from jaxseg.runtime.time_spent import TimeSpent
from jaxseg.runtime.watchdog import Watchdog
from jaxseg.runtime.workdir import WorkdirLock, check_shared
from jaxseg.train.curves import draw_curves
from jaxseg.train.run import Run
from jaxseg.train.sharding import gather, put_batch, state_sharding
from jaxseg.train.skipped import SkippedSteps
from jaxseg.train.state import TrainState
from jaxseg.train.step import StepOptions, make_train_step
from jaxseg.weights.starting_weights import find_starting_weights

_log = logging.getLogger("jaxseg")

CHECKPOINTS = "checkpoints"

# What the watchdog may say.
_NO_BATCH = "no batch from train_dataloader"
_NO_STEP = "a training step has not ended"
_NO_CHECKPOINT = "a checkpoint was not written"
_NOT_RESTORED = "a checkpoint was not read"
_NO_IMAGE = "no image of the evaluation is done"


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
    with (
        WorkdirLock(workdir),
        TimeSpent(workdir) as spent,
        StopSignal() as stop,
        Watchdog() as watchdog,
    ):
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
            try:
                return _train(run, checkpoints, stop, watchdog, spent)
            except Exception as error:
                # To close the checkpoints may take all hosts, and they may not come.
                hosts.leave_soon(str(error))
                raise


def _train(
    run: Run,
    checkpoints: Checkpoints,
    stop: StopSignal,
    watchdog: Watchdog,
    spent: TimeSpent,
) -> int:
    try:
        optimizer, state, start = stop.run(_start, run, checkpoints, watchdog)
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
        run.batches(start) as batches,
    ):
        loop = _Loop(
            run, optimizer, checkpoints, stop, writer, progress, watchdog, spent
        )
        with spent.on("step"):
            state, scores = loop.run_steps(state, start, batches)
    limit = run.settings.train_loop.step_timeout
    with spent.on("checkpoint"), watchdog.limit(limit, _NO_CHECKPOINT):
        checkpoints.wait()
    if checkpoints.latest_step() is not None:
        spent.saved(checkpoints.latest_step(), checkpoints.steps())
    if stop.requested:
        return stop.exit_code
    spent.switch("other")
    try:
        stop.run(_finish, run, state, scores, watchdog, spent)
    except StopRequested:
        return stop.exit_code
    return 0


def _write_config(run: Run) -> None:
    """Writes config.json, now that the run is accepted, and all at once."""
    if jax.process_index() == 0:
        draft = run.workdir / "config.json.new"
        draft.write_text(json.dumps(run.config, indent=2) + "\n")
        os.replace(draft, run.workdir / "config.json")


def _start(run: Run, checkpoints: Checkpoints, watchdog: Watchdog):
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
        _check_same_data(run, checkpoints.read_manifest())
    else:
        find_starting_weights(run.config, run.model)
    limit = run.settings.train_loop.batch_timeout
    with run.batches(0) as batches, watchdog.limit(limit, _NO_BATCH):
        batch = next(batches)
    check_agreement(batch_facts(batch))
    if not resumes:
        return *run.fresh_state(batch), 0
    optimizer, state = run.abstract_state(batch)
    with watchdog.limit(run.settings.train_loop.step_timeout, _NOT_RESTORED):
        state, start = checkpoints.restore(state)
    _log.info("resumed at step %d of %s", start, checkpoints.directory)
    return optimizer, state, start


def _check_same_data(run, saved):
    """Refuses to resume where the order of the samples would be another one."""
    ours = len(run.train_set)
    # Converted weights have no number of samples.
    theirs = saved.get("samples") or ours
    facts = [("the number of samples of train_dataloader.dataset is", ours, theirs)]
    for part, key in (("train_dataloader", "batch_size"), ("randomness", "seed")):
        ours, theirs = (
            (c.get(part) or {}).get(key) for c in (run.config, saved["config"])
        )
        facts.append((f"{part}.{key} is", ours, theirs))
    for what, ours, theirs in facts:
        if ours != theirs:
            raise ConfigError(
                f"{what} {ours}, but the run in this work directory has {theirs}, and "
                "its samples would come in another order. Use another --workdir, and "
                "load_from to start from its weights"
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
        # Results of the last steps: reading one that is two steps old does not keep
        # the device waiting.
        self._recent = collections.deque()
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
        self._skipped = SkippedSteps(self._run, start)
        scores = None
        if start and self._is_due(start) and not self._was_evaluated(start):
            scores = self._evaluate(state, start)
        if start >= max_iters or self._stop.requested:
            return state, scores
        try:
            batch = self._next(batches)
            with self._spent.on("compile"):
                step_fn = self._stop.run(self._compile, state, batch)
        except StopRequested:
            return state, None
        self._meter.reset()
        for step in itertools.count(start + 1):
            with self._limit(_NO_STEP):
                state, result = step_fn(state, batch)
            self._recent.append((step, result))
            self._meter.count(self._settings.train_dataloader.batch_size)
            self._progress.update(step)
            failure = None
            if step < max_iters:
                batch, failure = self._following(batches)  # while the device computes
            with self._limit(_NO_STEP):
                self._read_results(2)
                if step % self._settings.logger.interval == 0:
                    self._log(state, step)
            stopping = self._stop.poll(step) or failure is not None
            is_due = self._is_due(step) and not stopping
            # Before the evaluation: whatever happens in it, the steps are not lost.
            if stopping or is_due or self._saves(step):
                self._save(state, step)
            if failure is not None:
                raise failure
            scores = self._evaluate(state, step) if is_due else None
            if self._stop.requested or step == max_iters:
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
            self._watchdog.limit(limit, _NO_BATCH),
        ):
            batch = self._stop.run(next, batches)
        return put_batch(batch, self._run.mesh)

    def _following(self, batches):
        """The next batch, or None and why there is none, which is None on a signal.

        One process alone saves before it ends with that error. Of several, the others
        know nothing of it, and a checkpoint takes all of them.
        """
        try:
            return self._next(batches), None
        except StopRequested:
            return None, None
        except Exception as error:
            if jax.process_count() > 1:
                raise
            return None, error

    def _read_results(self, unread):
        """Looks at the results of the steps but for so many of the last ones."""
        while len(self._recent) > unread:
            self._skipped.check(*self._recent.popleft())

    def _limit(self, what):
        return self._watchdog.limit(self._settings.train_loop.step_timeout, what)

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

    def _evaluate(self, state, step) -> Scores | None:
        """None where a signal came in between; the next start makes up for it."""
        try:
            with self._limit(_NO_STEP):
                variables = gather(variables_of(state), self._run.mesh)
            with (
                self._spent.on("evaluation"),
                self._watchdog.limit(
                    self._settings.train_loop.batch_timeout,
                    _NO_IMAGE,
                ),
                Progress(len(self._run.val_set), name="val") as progress,
            ):

                def report_done(done):
                    self._watchdog.renew()
                    progress.update(done)

                scores = self._stop.run(self._run.evaluator, variables, report_done)
        except StopRequested:
            return None
        # Before the line in the log, which says that there is nothing to make up for.
        with self._spent.on("checkpoint"), self._limit(_NO_CHECKPOINT):
            self._checkpoints.add_metrics(step, scores.summary)
        self._writer.write(step, "val", scores.summary)
        text = "  ".join(f"{name} {v:.2f}" for name, v in scores.summary.items())
        self._progress.write(f"val {step}  {text}")
        self._meter.reset()
        return scores

    def _save(self, state, step):
        with self._limit(_NO_STEP):
            self._read_results(0)
        with self._spent.on("checkpoint"), self._limit(_NO_CHECKPOINT):
            self._checkpoints.save(
                step,
                state,
                config=dict(self._run.config),
                samples=len(self._run.train_set),
            )
        self._spent.saved(step, self._checkpoints.steps())


def variables_of(state: TrainState) -> dict[str, Any]:
    """What a trained model is evaluated with: the moving average where there is one."""
    params = state.params if state.ema is None else state.ema
    return {"params": params, "batch_stats": state.batch_stats}


def _finish(
    run: Run,
    state: TrainState,
    scores: Scores | None,
    watchdog: Watchdog,
    spent: TimeSpent,
) -> None:
    """Pictures and the final scores; the last line printed is the first score."""
    variables = gather(variables_of(state), run.mesh)
    if scores is None:  # the run was complete before this call
        limit = run.settings.train_loop.batch_timeout
        with spent.on("evaluation"), watchdog.limit(limit, _NO_IMAGE):
            scores = run.evaluator(variables, lambda done: watchdog.renew())
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

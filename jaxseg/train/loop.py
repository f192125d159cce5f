"""Training loop of a config, from its first step or its last checkpoint to the end."""

import itertools
import json
import logging
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.checkpoint.layout import FOLDER
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.metrics.metric import Scores
from jaxseg.runtime import hosts
from jaxseg.runtime.metrics_file import MetricWriter
from jaxseg.runtime.preemption import StopRequested, StopSignal
from jaxseg.runtime.progress import Progress
from jaxseg.runtime.time_spent import TimeSpent
from jaxseg.runtime.watchdog import Watchdog
from jaxseg.runtime.workdir import WorkdirLock, check_shared
from jaxseg.train.compiled_step import compiled_step
from jaxseg.train.feed import Feed
from jaxseg.train.finish import finish
from jaxseg.train.hooks import Hooks
from jaxseg.train.phases import Phases
from jaxseg.train.run import Run
from jaxseg.train.session import Session
from jaxseg.train.start import Start, start
from jaxseg.train.state import TrainState
from jaxseg.train.step_log import StepLog
from jaxseg.train.validation import Validation

_log = logging.getLogger("jaxseg")


def train(
    config: Mapping[str, Any],
    workdir: str | pathlib.Path,
    resume_changed: bool = False,
) -> int:
    """Trains, or goes on with what an earlier call left in the work directory.

    Args:
        config: a whole config, from `jaxseg.config.load`.
        workdir: where everything is written. A start that is refused leaves it as it
            was.
        resume_changed: go on although the config gives the weights of the run another
            meaning, or its samples another order.

    Returns:
        The exit code: 0, or that of the signal that stopped the run.

    Raises:
        ConfigError, DataError, WorkdirError: before the first step.
        NotFiniteError: after `MOST_SKIPPED` updates in a row that were not finite.
    """
    workdir = pathlib.Path(workdir)
    with WorkdirLock(workdir) as lock, StopSignal() as stop, Watchdog() as watchdog:
        check_shared(workdir)
        spent = TimeSpent(workdir)
        try:
            run = stop.run(Run, config, workdir)
            phases = Phases(run.settings.train_loop, spent, watchdog)
            hook = run.settings.checkpoint
            with (
                Checkpoints(
                    workdir / FOLDER,
                    max_keep=hook.max_keep_ckpts,
                    best_metric=hook.save_best,
                    best_mode=hook.best_mode,
                ) as checkpoints,
                hosts.leaving_soon(),
            ):
                session = Session(run, checkpoints, stop, phases)
                started = stop.run(start, session, resume_changed)
                lock.keep()
                spent.resumed(started.step)
                with spent:
                    _train(session, started)
        except StopRequested:
            pass
        return stop.exit_code


def _train(session: Session, started: Start) -> None:
    run, phases = session.run, session.phases
    _write_config(run, started)
    with (
        MetricWriter(run.workdir, started.step) as writer,
        Progress(run.settings.train_loop.max_iters, started.step) as progress,
        run.batches(started.step) as batches,
        phases.on("steps"),
    ):
        hooks = Hooks(run, started.step)
        log = StepLog(run, started, writer, progress, hooks)
        feed = Feed(session, batches, log.meter)
        plateaus = started.optimizer.plateaus
        validation = Validation(session, plateaus, writer, progress, hooks)
        hooks.before_run()
        state, scores = _run_steps(session, started, feed, log, validation, hooks)
        if not session.stop.requested:
            hooks.after_run()
    with phases.on("save"):
        session.checkpoints.wait()
    latest = session.checkpoints.latest_step()
    if latest is not None:
        phases.spent.saved(latest, session.checkpoints.steps())
    if not session.stop.requested:
        with phases.on("end"):
            session.stop.run(finish, session, state, scores)


def _run_steps(
    session: Session,
    started: Start,
    feed: Feed,
    log: StepLog,
    validation: Validation,
    hooks: Hooks,
) -> tuple[TrainState, Scores | None]:
    """Trains to the end, or to the step at which a signal or a hook stops it.

    Returns:
        The state, and its scores if it was evaluated.
    """
    stop, phases, settings = session.stop, session.phases, session.run.settings
    state, scores = started.state, None
    last = settings.train_loop.max_iters
    # A checkpoint is older than its scores.
    for done, earlier in hooks.training.history:
        state = validation.reduced(state, done, earlier)
    if validation.is_missing(started.step):
        state, scores = validation(state, started.step)
    if started.is_complete or stop.requested or hooks.ask_to_stop:
        return state, scores
    batch = feed.next()
    _log.info("the training step is compiled, which may take minutes")
    with phases.on("compile"):
        step_fn = stop.run(compiled_step, session.run, started.optimizer, state, batch)
    log.meter.reset()
    for step in itertools.count(started.step + 1):
        with phases.on("step"):
            state, result = step_fn(state, batch)
        log.add(step, result)
        failure = None
        if step < last:
            batch, failure = feed.following()  # while the device computes
        with phases.on("step"):
            log.read(unread=2)
            is_last = step == last or hooks.ask_to_stop
            # A short trial has a loss to show, too.
            if step % settings.logger.interval == 0 or is_last:
                log.write(state, step)
        stopping = stop.poll(step) or failure is not None
        is_due = validation.is_due(step) and not stopping
        is_saved = step % settings.checkpoint.interval == 0 or is_last
        # Before the evaluation: whatever happens in it, the steps are not lost.
        if stopping or is_due or is_saved:
            _save(session, log, state, step)
        if failure is not None:
            raise failure
        scores = None
        if is_due:
            state, scores = validation(state, step)
        if stop.requested or is_last or hooks.ask_to_stop:
            return state, scores
        if is_due:
            log.meter.reset()


def _save(session, log, state, step):
    run, checkpoints, phases = session.run, session.checkpoints, session.phases
    with phases.on("step"):
        log.read(unread=0)
    if not run.settings.checkpoint.save_optimizer:
        state = state.replace(opt_state=())
    with phases.on("save"):
        checkpoints.save(
            step, state, config=dict(run.config), samples=len(run.train_set)
        )
    phases.spent.saved(step, checkpoints.steps())


def _write_config(run: Run, started: Start) -> None:
    """Writes config.json, now that the run is accepted, and all at once.

    That of a complete run says how it was trained, and stays.
    """
    path = run.workdir / "config.json"
    if jax.process_index() == 0 and not (started.is_complete and path.exists()):
        draft = run.workdir / "config.json.new"
        draft.write_text(json.dumps(run.config, indent=2) + "\n")
        os.replace(draft, path)

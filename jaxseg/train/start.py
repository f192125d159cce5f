"""Start of a training: from nothing, weights, its last checkpoint, or another run's."""

import dataclasses
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.layout import run_of
from jaxseg.checkpoint.reader import find_step
from jaxseg.checkpoint.store import read_state
from jaxseg.config import ConfigError
from jaxseg.optim.optimizer import Optimizer
from jaxseg.runtime.agreement import batch_facts, check_agreement, program_facts
from jaxseg.runtime.metrics_file import FILE_NAME
from jaxseg.train.resume import Difference, check_changes, compare, listed
from jaxseg.train.run import Run
from jaxseg.train.session import Session
from jaxseg.train.state import TrainState
from jaxseg.weights.starting_weights import find_starting_weights

_log = logging.getLogger("jaxseg")


@dataclasses.dataclass(frozen=True)
class Start:
    """What a training goes on from.

    Attributes:
        optimizer: the optimizer of the run.
        state: fresh, or the last one that was saved.
        step: updates that the state has seen.
        is_complete: whether those are all that the config asks for.
    """

    optimizer: Optimizer
    state: TrainState
    step: int
    is_complete: bool


def start(session: Session, resume_changed: bool) -> Start:
    """The optimiser, and a fresh state or the last one that was saved.

    Args:
        session: the session of this start.
        resume_changed: go on although the config gives the weights another meaning or
            the samples another order.

    Raises:
        ConfigError: where the run in the work directory is another one.
        HostsDisagreeError: where the hosts are not of one run.
    """
    run, checkpoints, phases = session.run, session.checkpoints, session.phases
    latest = checkpoints.latest_step()
    asked = {"latest checkpoint": latest, "resume_changed": resume_changed}
    check_agreement(program_facts() | run.facts() | asked)
    changes, other, saved = [], None, None
    if latest is None and run.config.get("resume_from"):
        other = _step_of_another_run(run)
        saved = manifest.read(other)
        changes = _changes(saved, run)
        check_changes(changes, other, resume_changed)
    elif latest is None:
        find_starting_weights(run.config, run.model)
    elif run.config.get("resume") is False:
        raise ConfigError(
            f"resume is False, but {checkpoints.directory} holds a run: use another "
            "--workdir, or leave resume out to go on with it"
        )
    else:
        saved = checkpoints.read_manifest()
        changes = _changes(saved, run)
        check_changes(changes, checkpoints.directory, resume_changed)
    with run.batches(0) as batches, phases.on("first batch"):
        batch = next(batches)
    check_agreement(batch_facts(batch))
    max_iters = run.settings.train_loop.max_iters
    if latest is None and other is None:
        optimizer, state = run.fresh_state(batch)
        step = 0
    else:
        optimizer, whole = run.abstract_state(batch)
        wanted = whole if _has_optimizer(saved) else whole.replace(opt_state=())
        with phases.on("restore"):
            if other is None:
                state, step = checkpoints.restore(wanted)
            else:
                state, step = read_state(other, wanted), int(other.name)
                _take_log(other, run.workdir)
            if wanted is not whole:
                state = state.replace(opt_state=_fresh(optimizer, whole, state))
    started = Start(optimizer, state, step, step >= max_iters)
    if jax.process_index() == 0:
        _tell(started, other or checkpoints.directory, changes, max_iters)
    return started


def _step_of_another_run(run: Run) -> Path:
    """The checkpoint of `resume_from`."""
    source, max_iters = run.config["resume_from"], run.settings.train_loop.max_iters
    if run_of(source) is None:
        raise ConfigError(
            f"resume_from: {source} is no work directory of a run, nor one step of its "
            "checkpoints; load_from takes the weights alone, of any file"
        )
    found = find_step(source)
    if int(found.name) >= max_iters:
        raise ConfigError(
            f"resume_from: {found} has done {found.name} iterations, and this run has "
            f"{max_iters}: nothing is left to train"
        )
    return found


def _has_optimizer(saved: Mapping[str, Any]) -> bool:
    return any(name.startswith("opt_state/") for name in saved["arrays"])


def _fresh(optimizer: Optimizer, whole: TrainState, state: TrainState) -> Any:
    """The optimiser's first state for the weights of a checkpoint without one."""
    if jax.tree.leaves(whole.opt_state):
        _log.warning(
            "the checkpoint holds no state of the optimiser (default_hooks.checkpoint."
            "save_optimizer=False): the optimiser begins with a fresh one"
        )
    # Copies: a step donates the state, and no array of it twice.
    make = lambda params: jax.tree.map(jnp.copy, optimizer.transform.init(params))
    places = jax.tree.map(lambda leaf: leaf.sharding, whole.opt_state)
    return jax.jit(make, out_shardings=places)(state.params)


def _changes(saved: Mapping[str, Any], run: Run) -> list[Difference]:
    samples = saved.get("samples"), len(run.train_set)  # None of converted weights
    return compare(saved["config"], run.config, samples)


def _take_log(step_dir: Path, workdir: Path) -> None:
    """The other run's numbers up to its checkpoint begin this one's."""
    log = step_dir.parent.parent / FILE_NAME
    if jax.process_index() == 0 and log.is_file():
        shutil.copyfile(log, workdir / FILE_NAME)
    multihost_utils.sync_global_devices("jaxseg:log_taken")


def _tell(
    started: Start,
    directory: Path,
    changes: list[Difference],
    max_iters: int,
) -> None:
    step = started.step
    if started.is_complete:
        _log.info(
            "this run is complete: %d of %d iterations are done, nothing is trained; %s",
            step,
            max_iters,
            directory,
        )
    elif step:
        _log.info("resumed at step %d of %s", step, directory)
    else:
        _log.info("optimiser: %s", started.optimizer.description)
    if changes:
        _log.warning(
            "%s\n%s",
            "the config differs from the one that the run was trained with, and "
            "config.json stays as it is:"
            if started.is_complete
            else "the config differs from the one of the checkpoint, and training goes "
            "on with the new values:",
            listed(changes),
        )
    if not started.is_complete:
        _warn_of_a_rate_of_zero(started.optimizer, step, max_iters)


def _warn_of_a_rate_of_zero(optimizer: Optimizer, start: int, max_iters: int) -> None:
    """A schedule that ends too early keeps its last value, which is often 0."""
    rates = np.asarray(optimizer.learning_rate(np.arange(max_iters)))
    is_zero = rates == 0
    first = max_iters - int(np.argmin(is_zero[::-1])) if not is_zero.all() else 0
    # The last iteration of mmseg's schedules has the rate eta_min, which may be 0.
    if max_iters - max(first, start) > 1:
        _log.warning(
            "the learning rate is 0 from iteration %d on, to the last, %d: they train "
            "nothing. param_scheduler ends before train_cfg.max_iters=%d",
            max(first, start) + 1,
            max_iters,
            max_iters,
        )

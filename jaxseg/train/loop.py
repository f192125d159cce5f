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

from input_pipeline.loader import train_batches
from input_pipeline.scan import scan
from jaxseg.config import ConfigError, nearest, plain
from jaxseg.metrics.iou import Scores, score_names
from jaxseg.resolve import import_custom, resolve
from jaxseg.segmentors.inference import Predictor
from jaxseg.train.checkpoint import Checkpoints
from jaxseg.train.curves import draw_curves
from jaxseg.train.evaluate import Evaluator, check_classes, report
from jaxseg.train.log import FILE_NAME, MetricWriter, read_metrics
from jaxseg.train.model import check_channels
from jaxseg.train.optim import Optimizer, make_optimizer
from jaxseg.train.predict import save_validation_grids
from jaxseg.train.preemption import StopRequested, StopSignal
from jaxseg.train.progress import Meter, Progress
from jaxseg.train.settings import Settings, read_settings
from jaxseg.train.sharding import gather, make_mesh, put_batch, state_sharding
from jaxseg.train.starting_weights import find_starting_weights, starting_weights
from jaxseg.train.state import TrainState, init_variables, new_state
from jaxseg.train.step import StepOptions, make_train_step, metric_names
from jaxseg.train.workdir import WorkdirLock, check_shared

_log = logging.getLogger("jaxseg")

# So many updates in a row that are not finite end a run: it will not recover.
MOST_SKIPPED = 10

CHECKPOINTS = "checkpoints"


class NotFiniteError(RuntimeError):
    """Too many steps in a row made something that is not finite."""


class Run:
    """The parts of a training, built from a config and checked before any step."""

    def __init__(self, config: Mapping[str, Any], workdir: pathlib.Path):
        """Builds everything but the state.

        Raises:
            ConfigError, DataError: for what is wrong with the config or the data.
        """
        import_custom(config)
        self.workdir = workdir
        for name in ("model", "optim_wrapper"):
            if not config.get(name):
                raise ConfigError(f"{name} is missing: training needs it")
        if config.get("resume") not in (None, True, False):
            raise ConfigError(
                f"resume is {config['resume']!r}, allowed: True, False (Python's)"
            )
        self.settings = read_settings(config)
        _check_parts(self.settings)
        self.model = resolve(config["model"], "model")
        self.train_model = self.model
        if config["optim_wrapper"].get("type") == "AmpOptimWrapper":
            # As in mmseg, the evaluation computes in the model's own type.
            self.train_model = self.model.clone(dtype="bfloat16")
        self.train_set = self.settings.train_dataloader.dataset
        self.val_set = self.settings.val_dataloader.dataset
        # With it a checkpoint can be used where the data is not.
        self.config = plain({**config, "dataset_meta": self.val_set.metainfo})
        check_classes(self.model, self.train_set, "train_dataloader.dataset")
        check_classes(self.model, self.val_set, "val_dataloader.dataset")
        for name, dataset in (("train", self.train_set), ("val", self.val_set)):
            _log.info("%s: %d samples; %s", name, len(dataset), scan(dataset))
        self.mesh = make_mesh(config.get("mesh"))
        self.evaluator = Evaluator(Predictor(self.model), self.settings)
        # What an evaluation would refuse is said now, not after hours.
        self.evaluator.check(self.val_set.sample(0, np.random.default_rng(0)))

    @property
    def seed(self) -> int:
        return self.settings.randomness.seed

    def batches(self, start_step: int):
        """This host's batches from a step on."""
        loader = self.settings.train_dataloader
        return train_batches(
            self.train_set,
            loader.batch_size,
            self.seed,
            start_step=start_step,
            size=self.model.data_preprocessor.size,
            num_workers=loader.num_workers,
            num_threads=loader.num_threads,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    def fresh_state(self, batch: Mapping[str, np.ndarray]):
        """The optimiser, and the state before the first step, on its devices.

        Args:
            batch: any batch of the run.
        """
        variables = starting_weights(self.config, self.model, self._variables(batch))
        optimizer, new = self._state_maker(variables, batch)
        state = new(variables)
        return optimizer, jax.device_put(state, state_sharding(state, self.mesh))

    def abstract_state(self, batch: Mapping[str, np.ndarray]):
        """As `fresh_state`, by shape and place alone: a checkpoint is read into it."""
        variables = jax.eval_shape(lambda: self._variables(batch))
        optimizer, new = self._state_maker(variables, batch)
        state = jax.eval_shape(new, variables)
        place = lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s)
        return optimizer, jax.tree.map(place, state, state_sharding(state, self.mesh))

    def _variables(self, batch):
        sample = {"img": batch["img"][0], "img_path": "train_dataloader.dataset"}
        check_channels(sample, self.model)
        height, width, channels = batch["img"].shape[1:]
        return init_variables(self.model, self.seed, channels, (height, width))

    def _state_maker(self, variables, batch):
        """The optimiser, and a function from variables to the first state."""
        optimizer = self._optimizer(variables["params"])
        names = metric_names(self.model, variables, batch)
        ema = self.settings.ema is not None
        new = functools.partial(
            new_state, optimizer=optimizer, seed=self.seed, ema=ema, metrics=names
        )
        return optimizer, new

    def _optimizer(self, params) -> Optimizer:
        return make_optimizer(
            self.config["optim_wrapper"],
            self.config.get("param_scheduler", []),
            self.settings.train_loop.max_iters,
            params,
            frozen=self.model.frozen_keys(params),
        )


def _check_parts(settings: Settings) -> None:
    for name in ("train_dataloader", "val_dataloader"):
        if getattr(settings, name) is None:
            raise ConfigError(f"{name} is missing: training needs it")
    if settings.train_loop is None:
        raise ConfigError("train_cfg is missing: training needs its max_iters")
    best, metrics = settings.checkpoint.save_best, settings.val_evaluator.iou_metrics
    names = score_names(metrics)
    if best is not None and best not in names:
        raise ConfigError(
            f"default_hooks.checkpoint.save_best is {best!r}{nearest(best, names)}, "
            f"but val_evaluator.iou_metrics={list(metrics)} gives {', '.join(names)}"
        )


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
    with WorkdirLock(workdir), StopSignal() as stop:
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
            return _train(run, checkpoints, stop)


def _train(run: Run, checkpoints: Checkpoints, stop: StopSignal) -> int:
    try:
        optimizer, state, start = stop.run(_start, run, checkpoints)
    except StopRequested:
        return stop.exit_code
    _write_config(run)
    max_iters = run.settings.train_loop.max_iters
    if start == 0:
        _log.info("optimiser: %s", optimizer.description)
    with (
        MetricWriter(run.workdir, start) as writer,
        Progress(max_iters, start) as progress,
        run.batches(start) as batches,
    ):
        loop = _Loop(run, optimizer, checkpoints, stop, writer, progress)
        state, scores = loop.run_steps(state, start, batches)
    checkpoints.wait()
    if stop.requested:
        return stop.exit_code
    try:
        stop.run(_finish, run, state, scores)
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
    resumes = checkpoints.latest_step() is not None
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

    def __init__(self, run, optimizer, checkpoints, stop, writer, progress):
        self._run = run
        self._settings = run.settings
        self._learning_rate = optimizer.learning_rate
        self._checkpoints = checkpoints
        self._stop = stop
        self._writer = writer
        self._progress = progress
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
            step_fn = self._stop.run(self._compile, state, batch)
        except StopRequested:
            return state, None
        self._meter.reset()
        for step in itertools.count(start + 1):
            state, result = step_fn(state, batch)
            recent.append((step, result))
            self._meter.count(self._settings.train_dataloader.batch_size)
            self._progress.update(step)
            if step < max_iters:
                with contextlib.suppress(StopRequested):
                    batch = self._next(batches)  # while the device computes
            if len(recent) > 2 or step == max_iters:
                _check_finite(*recent.popleft())
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
        step = self._make_step(state_sharding(state, self._run.mesh))
        return step.lower(state, batch).compile()

    def _next(self, batches):
        # The data may keep a run waiting for longer than a signal's grace.
        with self._meter.waiting():
            batch = self._stop.run(next, batches)
        return put_batch(batch, self._run.mesh)

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
        """None where a signal came in between; the run then saves without scores."""
        try:
            variables = gather(variables_of(state), self._run.mesh)
            with Progress(len(self._run.val_set), name="val") as progress:
                scores = self._stop.run(self._run.evaluator, variables, progress.update)
        except StopRequested:
            return None
        self._writer.write(step, "val", scores.summary)
        text = "  ".join(f"{name} {v:.2f}" for name, v in scores.summary.items())
        self._progress.write(f"val {step}  {text}")
        self._meter.reset()
        return scores

    def _save(self, state, step, scores):
        metrics = None if scores is None else scores.summary
        self._checkpoints.save(
            step, state, config=dict(self._run.config), metrics=metrics
        )


def _check_finite(step: int, result: Mapping[str, jax.Array]) -> None:
    in_a_row = int(result["skipped_in_a_row"])
    if in_a_row >= MOST_SKIPPED:
        raise NotFiniteError(
            f"the loss, its gradient or the new weights were not finite in {in_a_row} "
            f"steps in a row, up to step {step} (loss {float(result['loss'])}). Their "
            "updates were left out, so the checkpoints are sound. Try a smaller "
            "learning rate, optim_wrapper.clip_grad, or float32 compute"
        )


def variables_of(state: TrainState) -> dict[str, Any]:
    """What a trained model is evaluated with: the moving average where there is one."""
    params = state.params if state.ema is None else state.ema
    return {"params": params, "batch_stats": state.batch_stats}


def _finish(run: Run, state: TrainState, scores: Scores | None) -> None:
    """Pictures and the final scores; the last line printed is the first score."""
    variables = gather(variables_of(state), run.mesh)
    if scores is None:  # the run was complete before this call
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
    report(scores, run.val_set.metainfo["classes"], run.workdir / "eval.json")

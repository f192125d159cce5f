"""Run: the parts of a training, built from a config and checked before any step."""

import functools
import logging
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from input_pipeline.batch_order import BatchOrder
from input_pipeline.loader import train_batches
from input_pipeline.scan import scan
from jaxseg.config import ConfigError, nearest, plain
from jaxseg.evaluation.checks import (
    check_classes,
    check_ignored,
    check_model_sizes,
    check_sides,
    check_targets,
)
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.inference.loaded import check_channels
from jaxseg.inference.predictor import Predictor
from jaxseg.optim.optimizer import Optimizer, make_optimizer
from jaxseg.optim.plateau import Plateau
from jaxseg.optim.schedule import make_plateaus
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.loop import EpochBasedTrainLoop
from jaxseg.settings.read import Settings, read_settings
from jaxseg.train.class_weights import with_class_weights
from jaxseg.train.model_of_weights import with_model
from jaxseg.train.sharding import make_mesh, state_sharding
from jaxseg.train.state import new_state
from jaxseg.train.step import metric_names
from jaxseg.weights.starting_weights import starting_weights

_log = logging.getLogger("jaxseg")


class Run:
    """The parts of a training, built from a config and checked before any step.

    Attributes:
        workdir: where the run writes.
        config: the whole config, with the data set's `dataset_meta`, and numbers in the
            place of class weights that are asked for by name.
        settings: its parts but the model, the optimiser and the mesh; what counts
            epochs is counted in iterations.
        order: which samples make a batch.
        epoch_length: iterations of an epoch; None in a run of iterations.
        model: the segmentor.
        train_model: the same, computing in the type that the steps do.
        train_set: the training data.
        val_set: the validation data, or None.
        val_loss_order: the batches of train_cfg.val_loss, or None.
        evaluator: what scores the model on val_set, or None.
        mesh: the mesh of the devices.
    """

    def __init__(self, config: Mapping[str, Any], workdir: pathlib.Path):
        """Builds everything but the state.

        Raises:
            ConfigError, DataError: for what is wrong with the config or the data.
        """
        self.workdir = workdir
        if not config.get("optim_wrapper"):
            raise ConfigError("optim_wrapper is missing: training needs it")
        if config.get("resume") not in (None, True, False):
            raise ConfigError(
                f"resume is {config['resume']!r}, allowed: True, False (Python's)"
            )
        if not isinstance(config.get("resume_from"), (str, type(None))):
            raise ConfigError(
                f"resume_from is {config['resume_from']!r:.80}, it takes the work "
                "directory of a run, WORKDIR:best, or one step of its checkpoints"
            )
        self.settings = read_settings(config)
        _check_parts(self.settings, make_plateaus(config.get("param_scheduler", [])))
        loader = self.settings.train_dataloader
        self.train_set = loader.dataset
        config = with_model(config, self.train_set.metainfo["classes"])
        self.model = resolve_model(config["model"])
        by_epoch = isinstance(self.settings.train_loop, EpochBasedTrainLoop)
        if loader.drop_last and not by_epoch:
            _log.info(
                "train_dataloader.drop_last: without effect in a run of iterations, "
                "whose batches run on across the end of a pass"
            )
        self.order = BatchOrder(
            len(self.train_set), loader.batch_size, by_epoch, loader.drop_last
        )
        self.epoch_length = self.order.epoch_length if by_epoch else None
        self.settings = self.settings.by_iterations(self.order.epoch_length)
        loader = self.settings.val_dataloader
        self.val_set = None if loader is None else loader.dataset
        self.val_loss_order = _val_loss_order(self.settings)
        sets = {"train": self.train_set, "val": self.val_set}
        sets = {name: found for name, found in sets.items() if found is not None}
        for name, dataset in sets.items():
            check_classes(self.model, dataset, f"{name}_dataloader.dataset")
        check_ignored(self.model, self.train_set, "train_dataloader.dataset")
        allowed = self.settings.train_dataloader.max_bad_samples
        scanned = {}
        for name, dataset in sets.items():
            found = scanned[name] = scan(
                dataset, max_bad=allowed if name == "train" else 0
            )
            _log.info("%s: %d samples; %s", name, len(dataset), found)
            path = f"{name}_dataloader.dataset"
            check_sides(dataset, found.size_of, path)
            if name == "val":
                tta = self.settings.tta
                check_model_sizes(self.model, dataset, found.size_of, tta, path)
        model = with_class_weights(config["model"], self.train_set, allowed)
        self.model = self.train_model = resolve_model(model)
        if config["optim_wrapper"].get("type") == "AmpOptimWrapper":
            # As in mmseg, the evaluation computes in the model's own type.
            self.train_model = self.model.clone(dtype="bfloat16")
        # With it a checkpoint can be used where the data is not.
        meta = [*sets.values()][-1].metainfo
        self.config = plain({**config, "model": model, "dataset_meta": meta})
        self.mesh = make_mesh(config.get("mesh"))
        self.evaluator = None
        if self.val_set is None:
            _log.warning("there is no val_dataloader: nothing will be evaluated")
        else:
            predictor = Predictor(self.model, xla_flags=self.settings.xla_flags)
            self.evaluator = Evaluator(predictor, self.settings, scanned=scanned["val"])
            # What an evaluation would refuse is said now, not after hours.
            self.evaluator.check(self.val_set.sample(0, np.random.default_rng(0)))

    @property
    def seed(self) -> int:
        return self.settings.randomness.seed

    def facts(self) -> dict[str, Any]:
        """What every host of a run must have alike."""
        return {
            "config": self.config,
            "seed": self.seed,
            "steps": self.settings.train_loop.max_iters,
            "training samples": len(self.train_set),
            "validation samples": 0 if self.val_set is None else len(self.val_set),
            "classes": list(self.train_set.metainfo["classes"]),
        }

    def batches(self, start_step: int):
        """This host's batches from a step on."""
        loader = self.settings.train_dataloader
        return train_batches(
            self.train_set,
            loader.batch_size,
            self.seed,
            start_step=start_step,
            by_epoch=self.order.by_epoch,
            drop_last=self.order.drop_last,
            size=self.model.data_preprocessor.size,
            num_workers=loader.num_workers,
            num_threads=loader.num_threads,
            max_bad_samples=loader.max_bad_samples,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    def val_loss_batches(self):
        """This host's batches of `val_loss_order`, the same in every evaluation."""
        loader = self.settings.val_loss_dataloader
        return train_batches(
            loader.dataset,
            loader.batch_size,
            self.seed,
            by_epoch=True,
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
        check_targets(self.model, batch, "train_dataloader.dataset")
        height, width, channels = batch["img"].shape[1:]
        return init_variables(self.model, self.seed, channels, (height, width))

    def _state_maker(self, variables, batch):
        """The optimiser, and a function from variables to the first state."""
        optimizer = self._optimizer(variables["params"])
        # A host's batch is its part of the whole one.
        whole = {
            name: jax.ShapeDtypeStruct(
                (len(part) * jax.process_count(), *part.shape[1:]), part.dtype
            )
            for name, part in batch.items()
        }
        names = metric_names(self.model, variables, whole, self.mesh)
        ema = self.settings.ema is not None
        if ema and optimizer.averages:
            raise ConfigError(
                "ema: a schedule-free optimiser has an average of its own, which is what "
                "is evaluated; leave ema out"
            )
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
            epoch_length=self.epoch_length,
        )


def _val_loss_order(settings: Settings) -> BatchOrder | None:
    """Each sample once; the first ones fill up the last batch."""
    loader = settings.val_loss_dataloader
    if loader is None:
        return None
    samples, batch_size = len(loader.dataset), loader.batch_size
    if samples < batch_size:
        raise ConfigError(
            f"train_cfg.val_loss: val_dataloader.dataset has {samples} samples, fewer "
            f"than one batch, train_dataloader.batch_size={batch_size}"
        )
    return BatchOrder(samples, batch_size, by_epoch=True, drop_last=False)


def _check_parts(settings: Settings, plateaus: Mapping[int, Plateau]) -> None:
    if settings.train_dataloader is None:
        raise ConfigError("train_dataloader is missing: training needs it")
    if settings.train_loop is None:
        raise ConfigError(
            "train_cfg is missing: training needs its max_iters or max_epochs"
        )
    metrics = settings.val_evaluator
    names = [name for metric in metrics for name in metric.score_names()]
    names += ["loss"] if settings.val_loss_dataloader is not None else []
    asked = {"default_hooks.checkpoint.save_best": settings.checkpoint.save_best}
    for i, hook in enumerate(settings.hooks):
        asked[f"custom_hooks.{i}.monitor"] = hook.monitor
    for i, plateau in plateaus.items():
        path = f"param_scheduler.{i}"
        if settings.val_dataloader is None:
            raise ConfigError(
                f"{path}: {type(plateau).__name__} goes by evaluations, and there is no "
                "val_dataloader"
            )
        asked[f"{path}.monitor"] = plateau.monitor
    for path, name in asked.items():
        if name is not None and name not in names:
            raise ConfigError(
                f"{path} is {name!r}{nearest(name, names)}, but val_evaluator gives "
                f"{', '.join(names)}"
            )

"""What is timed: the training step and the predictor of a config, ready to run."""

import functools
import logging
import pathlib
import time
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from input_pipeline.loader import train_batches
from jaxseg.inference.predictor import images_together
from jaxseg.ops.compiler_options import compiler_options
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.train.run import Run
from jaxseg.train.sharding import put_batch, state_sharding
from jaxseg.train.step import StepOptions, make_train_step
from scripts.benchmark.measuring.program import compile_program
from scripts.benchmark.measuring.setup import Setup, prepare_config
from scripts.benchmark.measuring.synthetic import (
    missing_folders,
    typical_size,
    with_synthetic_data,
)

_log = logging.getLogger("jaxseg")

# Synthetic images of a data set, at least: fewer would stay in the caches.
_FEWEST_IMAGES = 16


class Workload:
    """A config's training and its data, from `jaxseg.train.loop.Run`.

    Attributes:
        run: the parts of the training.
        data: where the images come from, for the report.
        train_batch: one batch of the training, on the host.
        images: test images (N, H, W, C), as loaded.
        result_size: (height, width) of their label maps.
    """

    def __init__(
        self, config: Mapping[str, Any], setup: Setup, folder: pathlib.Path
    ) -> None:
        """Builds everything but the programs, and reads one batch.

        Args:
            config: a whole config.
            setup: what of it is changed.
            folder: an empty one, for synthetic images.

        Raises:
            ConfigError: if the config cannot be used.
            DataError: if synthetic images do not suit it.
        """
        config = prepare_config(config, setup)
        self.run, self.data = _start(config, setup, folder)
        with self.batches_of_one_thread() as batches:
            self.train_batch = next(batches)
        self.images, self.result_size = self._test_images(setup.size)

    def batches_of_one_thread(self):
        """The training's batches, made in the thread that asks for them."""
        run = self.run
        return train_batches(
            run.train_set,
            run.settings.train_dataloader.batch_size,
            run.seed,
            size=run.model.data_preprocessor.size,
            num_threads=0,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    def _test_images(self, size):
        sample = self.run.val_set.sample(0, np.random.default_rng(0))
        image, result_size = sample["img"], tuple(sample["ori_shape"][:2])
        if size is not None:
            # Of the size asked for, whatever the pixels.
            shape = (*size, image.shape[-1])
            image, result_size = np.resize(image, shape), tuple(size)
        settings, predictor = self.run.settings, self.run.evaluator.predictor
        count = images_together(settings.val_dataloader.batch_size, predictor.devices)
        return np.stack([image] * count), result_size

    @functools.cached_property
    def training(self) -> "Training":
        return Training(self.run, self.train_batch)

    @functools.cached_property
    def network(self) -> "Network":
        return Network(self)

    @functools.cached_property
    def label_maps(self) -> "LabelMaps":
        return LabelMaps(self)

    @functools.cached_property
    def variables(self) -> Any:
        """Fresh params and batch_stats, where the predictor runs."""
        height, width, channels = self.train_batch["img"].shape[1:]
        run = self.run
        fresh = init_variables(run.model, run.seed, channels, (height, width))
        return run.evaluator.predictor.put_variables(fresh)


def _start(config, setup, folder):
    size = setup.synthetic
    if size is None:
        missing = missing_folders(config)
        if not missing:
            return Run(config, folder), "the config's own data set"
        size = typical_size(config)
        _log.info("%s does not exist: synthetic images instead", ", ".join(missing))
    count = max(_FEWEST_IMAGES, config["train_dataloader"].get("batch_size", 1))
    config = with_synthetic_data(config, folder / "data", [size] * count)
    return Run(config, folder), f"{count} synthetic JPEG images of {size[0]}x{size[1]}"


class Training:
    """The training step of `jaxseg.train.step`, compiled, with its state and a batch.

    Attributes:
        facts: from `compile_program`.
        images: of a step.
        step: `(state, batch) -> (state, result)`.
        state: what the next step starts from; a step donates it.
    """

    def __init__(self, run: Run, batch: Mapping[str, np.ndarray]):
        optimizer, self.state = run.fresh_state(batch)
        settings = run.settings
        options = StepOptions(
            ema_momentum=None if settings.ema is None else settings.ema.momentum,
            loss_scope=settings.train_loop.loss_scope,
            log_interval=settings.logger.interval,
            xla_flags=settings.xla_flags,
        )
        sharding = state_sharding(self.state, run.mesh)
        step = make_train_step(
            run.train_model, optimizer, run.mesh, options, sharding, self.state.params
        )
        self._batch = put_batch(batch, run.mesh)
        self.images = len(batch["img"]) * jax.process_count()
        self.step, self.facts = compile_program(step, self.state, self._batch)

    def turn(self, steps: int) -> float:
        """Seconds of some steps with a batch that is on the devices already."""
        start = time.perf_counter()
        for _ in range(steps):
            self.state, _ = self.step(self.state, self._batch)
        jax.block_until_ready(self.state)
        return time.perf_counter() - start


class Network:
    """The model alone: normalised images on the devices -> logits at their own size."""

    def __init__(self, workload: Workload):
        run = workload.run
        self._variables = workload.variables
        images = jax.jit(run.model.data_preprocessor)(workload.images)
        devices = run.evaluator.predictor.devices
        mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
        split = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("batch"))
        self._images = jax.device_put(images, split)
        self.images = len(images)
        logits = functools.partial(run.model.apply, method="logits")
        flags = run.settings.xla_flags
        options = compiler_options(self._variables, devices[0], flags)
        self._logits, self.facts = compile_program(
            jax.jit(logits, compiler_options=options), self._variables, self._images
        )

    def turn(self, steps: int) -> float:
        """Seconds of some forward passes."""
        start = time.perf_counter()
        for _ in range(steps):
            logits = self._logits(self._variables, self._images)
        jax.block_until_ready(logits)
        return time.perf_counter() - start


class LabelMaps:
    """The run's predictor: images as loaded -> label maps, both on the host."""

    def __init__(self, workload: Workload):
        self._predictor = workload.run.evaluator.predictor
        self._arguments = workload.variables, workload.images, workload.result_size
        self.images = len(workload.images)

    def turn(self, steps: int) -> float:
        """Seconds of some predictions, each waited for."""
        start = time.perf_counter()
        for _ in range(steps):
            np.asarray(self._predictor.label_maps(*self._arguments))
        return time.perf_counter() - start

"""What a training step, or one image, needs of each device, without running it."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.benchmark.program import compile_program, program_memory
from jaxseg.inference.bands import BandPredictor
from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.train.sharding import BATCH_AXES, make_mesh, state_sharding
from jaxseg.train.state import TrainState, new_state
from jaxseg.train.step import StepOptions, make_train_step, metric_names


def abstract_step(
    config: Mapping[str, Any],
    mesh_sizes: Mapping[str, int],
    batch_size: int,
    size: tuple[int, int],
    channels: int = 3,
) -> tuple[Any, TrainState, dict[str, jax.ShapeDtypeStruct]]:
    """The step of a config on a mesh, and what it takes, by shape and place alone.

    Args:
        config: with `model` and `optim_wrapper`.
        mesh_sizes: devices along each axis, as a config's `mesh`.
        batch_size: images of a batch, over all devices.
        size: (height, width) of them.
        channels: of them.

    Returns:
        The jitted step, a state and a batch, for `step.lower(state, batch)`.

    Raises:
        ConfigError: if the parts do not fit, or the mesh not the devices.
    """
    mesh = make_mesh(mesh_sizes)
    model = resolve(config["model"], "model")
    variables = jax.eval_shape(lambda: init_variables(model, 0, channels, size))
    params = variables["params"]
    optimizer = make_optimizer(
        config["optim_wrapper"], [], 1, params, frozen=model.frozen_keys(params)
    )
    shapes = {
        "img": jax.ShapeDtypeStruct((batch_size, *size, channels), np.uint8),
        "img_shape": jax.ShapeDtypeStruct((batch_size, 2), np.int32),
    }
    label = jax.ShapeDtypeStruct((batch_size, *size), np.uint8)
    shapes |= dict.fromkeys(model.target_keys, label)
    new = functools.partial(
        new_state,
        optimizer=optimizer,
        seed=0,
        ema=False,
        metrics=metric_names(model, variables, shapes),
    )
    state = jax.eval_shape(new, variables)
    places = state_sharding(state, mesh)
    step = make_train_step(model, optimizer, mesh, StepOptions(), places, params)
    rows = NamedSharding(mesh, P(BATCH_AXES))
    batch = {name: _put(leaf, rows) for name, leaf in shapes.items()}
    return step, jax.tree.map(_put, state, places), batch


def _put(leaf, place):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)


def mesh_memory(*arguments: Any, **options: Any) -> dict[str, int]:
    """Bytes of one device for a step; the arguments are those of `abstract_step`.

    Returns:
        params, optimizer: of the device's part of the state.
        temporaries: of the program, beside its arguments and results.
        total: with the batch and the rest of the state.
    """
    step, state, batch = abstract_step(*arguments, **options)
    _, facts = compile_program(step, state, batch)
    memory = facts["memory"]
    return {
        "params": _part_bytes(state.params),
        "optimizer": _part_bytes(state.opt_state),
        "temporaries": memory["temporaries"],
        "total": memory["total"],
    }


def inference_memory(
    config: Mapping[str, Any], devices: int, size: tuple[int, int]
) -> dict[str, int]:
    """Bytes of one device for a label map, where several split the image's rows.

    Args:
        config: with `model`.
        devices: that each take a band.
        size: (height, width) of the image and of the label map.

    Returns:
        params, temporaries, and the total with image and label map.

    Raises:
        ConfigError: if the model or the image cannot be split.
    """
    model = resolve(config["model"], "model")
    channels = model.backbone.in_channels
    variables = jax.eval_shape(lambda: init_variables(model, 0, channels, (64, 64)))
    predictor = BandPredictor(model, jax.devices()[:devices])
    memory = program_memory(predictor.compile(variables, size, size))
    return {
        "params": sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(variables)),
        "temporaries": memory["temporaries"],
        "total": memory["total"],
    }


def _part_bytes(tree):
    """Of one device's part of a tree."""
    return sum(
        int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )

"""Abstract step: a config's training step by shapes alone, to be lowered and read."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve_model
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
    devices: Sequence[jax.Device] | None = None,
) -> tuple[Any, TrainState, dict[str, jax.ShapeDtypeStruct]]:
    """The step of a config on a mesh, and what it takes, by shape and place alone.

    Args:
        config: with `model` and `optim_wrapper`, perhaps `xla_flags`.
        mesh_sizes: devices along each axis, as a config's `mesh`.
        batch_size: images of a batch, over all devices.
        size: (height, width) of them.
        channels: the number of channels of the images.
        devices: of the mesh, by default all that there are; as of `make_mesh`.

    Returns:
        The jitted step, a state and a batch, for `step.lower(state, batch)`.

    Raises:
        ConfigError: if the parts do not fit, or the mesh not the devices.
    """
    mesh = make_mesh(mesh_sizes, devices)
    model = resolve_model(config["model"])
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
        metrics=metric_names(model, variables, shapes, mesh),
    )
    state = jax.eval_shape(new, variables)
    places = state_sharding(state, mesh)
    options = StepOptions(xla_flags=config.get("xla_flags") or {})
    step = make_train_step(model, optimizer, mesh, options, places, params)
    rows = NamedSharding(mesh, P(BATCH_AXES))
    batch = {name: _put(leaf, rows) for name, leaf in shapes.items()}
    return step, jax.tree.map(_put, state, places), batch


def _put(leaf, place):
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)

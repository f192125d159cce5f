"""What a training step, or one image, needs of each device, without running it."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxseg.inference.bands import BandPredictor
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.xla_flags import read_xla_flags
from jaxseg.train.abstract_step import abstract_step
from scripts.benchmark.measuring.program import compile_program, program_memory


def mesh_memory(
    config: Mapping[str, Any], *arguments: Any, **options: Any
) -> dict[str, int]:
    """Bytes of one device for a step; the arguments are those of `abstract_step`.

    Returns:
        params, optimizer: of the device's part of the state.
        temporaries: of the program, beside its arguments and results.
        total: with the batch and the rest of the state.
    """
    read_xla_flags(config)
    step, state, batch = abstract_step(config, *arguments, **options)
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
    model = resolve_model(config["model"])
    channels = model.in_channels
    variables = jax.eval_shape(lambda: init_variables(model, 0, channels, (64, 64)))
    flags = read_xla_flags(config)
    predictor = BandPredictor(model, jax.devices()[:devices], flags)
    memory = program_memory(predictor.lower(variables, size, size).compile())
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

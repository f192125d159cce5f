"""Abstract programs: a config's step or network, compiled by shapes for any devices."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.errors import JaxsegError
from jaxseg.inference.bands import BandPredictor, devices_of_image
from jaxseg.inference.programs import Programs
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.xla_flags import read_xla_flags
from jaxseg.train.abstract_step import abstract_step
from jaxseg.train.sharding import BATCH_AXES, make_mesh
from scripts.benchmark.measuring.program import compile_program


class DoesNotFit(JaxsegError, ValueError):
    """A program that the compiler finds no room for in a device's memory."""


@dataclasses.dataclass(frozen=True)
class Compiled:
    """A program for some devices, with the bytes of one device's part of what it takes.

    Attributes:
        text: of the compiled module.
        parts: bytes by kind: parameters, optimizer, ..., batch.
        memory: as of `measuring.program.program_memory`.
        flops: of one device, None where XLA does not say.
        xla_bytes: that XLA's own cost analysis counts, None as for `flops`.
        compile_seconds: with the trace.
        then: the program that takes its results, None where these are all.
        kept: bytes that stay in memory beside what the program takes.
    """

    text: str
    parts: dict[str, int]
    memory: dict[str, int] | None
    flops: float | None
    xla_bytes: float | None
    compile_seconds: float
    then: "Compiled | None" = None
    kept: int = 0

    @property
    def most_memory(self) -> int:
        """Bytes of this program or the next, whichever takes more."""
        total = self.memory["total"] + self.kept
        return total if self.then is None else max(total, self.then.most_memory)


def batch_parts(config: Mapping[str, Any], devices: Sequence[jax.Device]) -> int:
    """Over how many parts of the mesh of a config a training batch is split."""
    shape = make_mesh(config.get("mesh"), devices).shape
    return math.prod(shape[axis] for axis in BATCH_AXES)


def compile_step(
    config: Mapping[str, Any],
    devices: Sequence[jax.Device],
    batch_size: int,
    size: tuple[int, int],
) -> Compiled:
    """Compiles a training step.

    Args:
        config: with `model` and `optim_wrapper`, perhaps `mesh` and `xla_flags`.
        devices: of the mesh.
        batch_size: images of a step, over all devices.
        size: (height, width) of them.

    Raises:
        ConfigError: if the parts do not fit, or the mesh not the devices.
        DoesNotFit: if a device's memory is too small.
    """
    read_xla_flags(config, devices[0])
    if batch_size % (parts := batch_parts(config, devices)):
        raise ConfigError(
            f"--batch_size {batch_size} is the size over all devices: mesh.data * "
            f"mesh.fsdp = {parts} must divide it"
        )
    channels = resolve_model(config["model"]).in_channels
    step, state, batch = abstract_step(
        config, config.get("mesh") or {}, batch_size, size, channels, devices
    )
    parts = {
        "parameters": _part_bytes(state.params),
        "optimizer": _part_bytes(state.opt_state),
    }
    parts["other state"] = _part_bytes(state) - sum(parts.values())
    parts["batch"] = _part_bytes(batch)
    # The step itself is written for a part of the batch; along `spatial` XLA divides.
    undivided = batch["img"].sharding.mesh.shape["spatial"]
    return _compile(step, (state, batch), parts, undivided)


def compile_inference(
    config: Mapping[str, Any],
    devices: Sequence[jax.Device],
    batch_size: int,
    size: tuple[int, int],
) -> Compiled:
    """Compiles what predicts label maps of images of one size.

    Without `mesh.spatial` that is two programs of one device: the network, and what
    resizes its maps to the images' size and picks classes. With it, it is one program
    of as many devices, for one image.

    Args:
        config: with `model`, perhaps `mesh` and `xla_flags`.
        devices: of which the first get the programs.
        batch_size: images, or windows in mode `slide`, of one device.
        size: (height, width) of them.

    Raises:
        ConfigError: if the parts do not fit.
        DoesNotFit: if the device's memory is too small.
    """
    flags = read_xla_flags(config, devices[0])
    model = resolve_model(config["model"])
    devices = devices_of_image(config.get("mesh"), devices)
    if len(devices) > 1:
        return _compile_bands(model, devices, flags, batch_size, size)
    channels = model.in_channels
    variables = jax.eval_shape(lambda: init_variables(model, 0, channels, size))
    programs = Programs(model, devices, flags)
    shape = (batch_size, *size, channels)
    network, variables, images = programs.abstract_network(variables, shape)
    parts = _network_parts(variables, _part_bytes(images))
    first = _compile(network, (variables, images), parts)
    maps = jax.eval_shape(network, variables, images)
    finish, arguments, options = programs.abstract_finish(maps, size)
    parts = {name: _part_bytes(arguments[i]) for i, name in enumerate(_FINISH)}
    then = _compile(finish, arguments, parts, **options)
    kept = sum(_network_parts(variables, 0).values())
    return dataclasses.replace(first, then=dataclasses.replace(then, kept=kept))


# What the second program takes, of which the last are the heights of the results.
_FINISH = ("maps", "tables of the resize", "rows")


def _compile_bands(model, devices, flags, batch_size, size):
    """The program of one image whose rows several devices share."""
    if batch_size != 1:
        raise ConfigError(
            f"--batch_size is {batch_size}, and mesh.spatial splits one image over "
            f"{len(devices)} devices: give --batch_size 1"
        )
    channels = model.in_channels
    variables = jax.eval_shape(lambda: init_variables(model, 0, channels, size))
    predictor = BandPredictor(model, devices, flags)
    image = size[0] * size[1] * channels // len(devices)
    parts = _network_parts(variables, image)
    return _compile(predictor, (variables, size, size), parts)


def _network_parts(variables, batch):
    whole = {"parameters": variables["params"], "other state": variables}
    sizes = {
        name: sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
        for name, tree in whole.items()
    }
    sizes["other state"] -= sizes["parameters"]
    return {**sizes, "batch": batch} if batch else sizes


def _compile(function, arguments, parts, undivided=1, **options):
    try:
        compiled, facts = compile_program(function, *arguments, **options)
    except jax.errors.JaxRuntimeError as error:
        # The TPU's compiler ends here; others tell when the program is loaded.
        _, refused, said = str(error).partition("RESOURCE_EXHAUSTED: ")
        if not refused:
            raise
        raise DoesNotFit(
            f"the program does not fit a device's memory: {said.splitlines()[0]}"
        ) from None
    costs = compiled.cost_analysis() or {}
    flops = facts["flops"]
    # A TPU's are counted after the partitioner, and are those of the compiled program.
    if flops is not None and flops != costs.get("flops"):
        flops /= undivided
    return Compiled(
        text=compiled.as_text(),
        parts=parts,
        memory=facts["memory"],
        flops=flops,
        xla_bytes=costs.get("bytes accessed"),
        compile_seconds=facts["trace_seconds"] + facts["compile_seconds"],
    )


def _part_bytes(tree):
    """Of one device's part of a tree."""
    return sum(
        int(np.prod(leaf.sharding.shard_shape(leaf.shape))) * leaf.dtype.itemsize
        for leaf in jax.tree.leaves(tree)
    )

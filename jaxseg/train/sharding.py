"""Sharding: the mesh of devices, and where state and batches lie on it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.config import ConfigError, nearest

AXES = ("data", "fsdp", "spatial")

# Those that split the batch by samples.
BATCH_AXES = ("data", "fsdp")

# A parameter smaller than this costs more to gather than its copies take.
_SMALLEST_SPLIT = 1 << 16


def make_mesh(
    sizes: Mapping[str, int] | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Mesh:
    """The mesh of all devices of all hosts.

    Args:
        sizes: number of devices along each axis; -1, by default that of `data`,
            takes those that are left. `data` splits the batch; `fsdp` splits the batch
            further, and the parameters and the optimiser's state; `spatial` splits the
            images by rows. SyncBN reduces over all of them.
        devices: others, which may be those of a topology that is compiled for.

    Raises:
        ConfigError: unless the sizes multiply to the number of devices, and at most
            two of them are above 1.
    """
    sizes = dict.fromkeys(AXES, 1) | {"data": -1} | dict(sizes or {})
    for name, size in sizes.items():
        if name not in AXES:
            raise ConfigError(f"mesh.{name}: no such axis{nearest(name, AXES)}")
        if not isinstance(size, int) or (size < 1 and size != -1):
            raise ConfigError(
                f"mesh.{name} is {size!r}; allowed are 1, 2, ..., or -1 for the "
                "devices that are left"
            )
    devices = jax.devices() if devices is None else devices
    count = len(devices)
    known = math.prod(size for size in sizes.values() if size != -1)
    sizes = {
        name: count // known if size == -1 else size for name, size in sizes.items()
    }
    if math.prod(sizes.values()) != count:
        raise ConfigError(f"mesh: {sizes} does not multiply to the {count} devices")
    if min(sizes.values()) > 1:
        # XLA's partitioner aborts the process in a convolution's gradient (jaxlib
        # 0.10.2, spmd_partitioner_util.cc:497); any two axes work.
        raise ConfigError(
            f"mesh: {sizes} splits along all three axes, which XLA cannot compile; set "
            "one of data, fsdp and spatial to 1"
        )
    # Explicit axes, jax's default, refuse to merge a split dimension in a reshape.
    kinds = (AxisType.Auto,) * len(AXES)
    shape = tuple(sizes[name] for name in AXES)
    return jax.make_mesh(shape, AXES, axis_types=kinds, devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds all of it."""
    return NamedSharding(mesh, P())


def state_sharding(state: Any, mesh: Mesh) -> Any:
    """Where each array of a state lies: large ones split over `fsdp`.

    Args:
        state: pytree of arrays or ShapeDtypeStructs.
        mesh: from `make_mesh`.

    Returns:
        The same pytree of shardings.
    """
    parts = mesh.shape["fsdp"]

    def place(leaf):
        spec = [None] * leaf.ndim
        if parts > 1 and leaf.size >= _SMALLEST_SPLIT:
            axes = [i for i, size in enumerate(leaf.shape) if size % parts == 0]
            if axes:
                spec[max(axes, key=lambda i: leaf.shape[i])] = "fsdp"
        return NamedSharding(mesh, P(*spec))

    return jax.tree.map(place, state)


def put_batch(batch: Mapping[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """This host's part of a batch -> the global batch, split over the mesh.

    Raises:
        ConfigError: if the global batch does not divide over the devices.
    """
    parts = mesh.shape["data"] * mesh.shape["fsdp"]
    size = len(batch["img"]) * jax.process_count()
    if size % parts:
        raise ConfigError(
            f"train_dataloader.batch_size is {size}, the size over all devices: "
            f"mesh.data * mesh.fsdp = {parts} must divide it"
        )

    def put(array):
        spec = [BATCH_AXES]
        if array.ndim > 2 and array.shape[1] % mesh.shape["spatial"] == 0:
            spec.append("spatial")
        sharding = NamedSharding(mesh, P(*spec))
        return jax.make_array_from_process_local_data(sharding, array)

    return {name: put(array) for name, array in batch.items()}


def gather(tree: Any, mesh: Mesh) -> Any:
    """Whole arrays on this host, from arrays that lie anywhere on the mesh."""
    if jax.process_count() == 1:
        return jax.device_put(tree, replicated(mesh))
    whole = jax.jit(lambda leaves: leaves, out_shardings=replicated(mesh))(tree)
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), whole)

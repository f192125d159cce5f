"""Topologies: the devices of a TPU slice that programs are compiled for, without it."""

import importlib.util
import os
import re
from collections.abc import Sequence

import jax
from jax.experimental import topologies

from jaxseg.errors import JaxsegError

LOCAL = "local"
_SLICE = re.compile(r"(?P<kind>v\w+):(?P<sides>\d+x\d+(x\d+)?)")

# What libtpu asks the machine for: a host of a slice knows them, others do not. They
# name no real host, and say nothing of the topology that is compiled for.
_ENVIRONMENT = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": "v5litepod-4",
    "TPU_WORKER_HOSTNAMES": "localhost",
    # Otherwise a second compilation at the same time finds libtpu locked.
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}


class TopologyError(JaxsegError, ValueError):
    """A topology that nothing can be compiled for, or not what is asked for."""


def topology_devices(name: str) -> Sequence[jax.Device]:
    """The devices of a topology.

    Must be called before JAX has looked for devices: for a slice, JAX is told to use
    this machine's CPU alone.

    Args:
        name: `local` for those of this machine, or a slice such as `v5e:4x4`.

    Raises:
        TopologyError: if libtpu does not know the slice, or is not installed.
    """
    if name == LOCAL:
        return jax.devices()
    found = _SLICE.fullmatch(name)
    if found is None:
        raise TopologyError(f"--topology {name!r} is {_ALLOWED}")
    if not (importlib.util.find_spec("libtpu") or os.environ.get("TPU_LIBRARY_PATH")):
        raise TopologyError(
            f"--topology {name} needs the TPU's compiler, libtpu, which is not "
            "installed here: pip install 'jax[tpu]', best into an environment of its "
            "own; no TPU is needed"
        )
    for variable, value in _ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    jax.config.update("jax_platforms", "cpu")
    try:
        return topologies.get_topology_desc(name, "tpu", **_details(found)).devices
    except jax.errors.JaxRuntimeError as error:
        raise TopologyError(
            f"--topology {name!r} is {_ALLOWED}; libtpu says: {error}"
        ) from error


_ALLOWED = (
    f"no topology: allowed are {LOCAL}, and slices such as v5e:2x2, v6e:4x4, "
    "v4:2x2x1 and v5p:2x2x2"
)


def _details(found):
    """What libtpu needs beside the name."""
    sides = [int(side) for side in found["sides"].split("x")]
    # Of four chips a host; slices of one or two are a part of one.
    host = [min(side, 2) for side in sides[:2]]
    details = {"chips_per_host_bounds": (*host, 1)}
    if found["kind"] == "v4":
        # The two cores of a chip as one device, as JAX has them there.
        details["chip_config_name"] = "megacore"
    return details

"""What a measurement ran on."""

import os
import resource
import sys
from typing import Any

import jax

# bfloat16 TFLOP/s of one chip without sparsity, from the makers' data sheets, by the
# start of jax's `device_kind`; the first that fits counts. TPU v2 and v3 are left out:
# there a device is half a chip.
_PEAK_TFLOPS = {
    "NVIDIA H200": 989,
    "NVIDIA H100 PCIe": 756,
    "NVIDIA H100": 989,
    "NVIDIA A100": 312,
    "NVIDIA L40S": 362,
    "NVIDIA L4": 121,
    "NVIDIA A10": 125,
    "TPU v4": 275,
    "TPU v5 lite": 197,
    "TPU v5e": 197,
    "TPU v5": 459,
    "TPU v6": 918,
}


def describe_devices() -> dict[str, Any]:
    """Platform, kind and number of the devices, and the CPUs of this process."""
    device = jax.devices()[0]
    return {
        "platform": device.platform,
        "kind": device.device_kind,
        "count": jax.device_count(),
        "cpus": usable_cpus(),
        "jax": jax.__version__,
    }


def usable_cpus() -> int:
    """CPUs that this process may use: XLA starts as many threads."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def peak_flops(kind: str) -> float | None:
    """bfloat16 FLOP/s of a device of a kind, None where it is not known."""
    for start, tflops in _PEAK_TFLOPS.items():
        if kind.startswith(start):
            return tflops * 1e12
    return None


def peak_memory() -> dict[str, int | None]:
    """Bytes at most so far: of this process, and of its first device where it says."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    stats = jax.local_devices()[0].memory_stats() or {}
    return {
        "host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "device": stats.get("peak_bytes_in_use"),
    }

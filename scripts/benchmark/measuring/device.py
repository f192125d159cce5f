"""What a measurement ran on."""

import os
import resource
import sys
from typing import Any

import jax

from scripts.benchmark.measuring.chip import find_chip


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
    chip = find_chip(kind)
    return None if chip is None else chip.flops


def peak_memory() -> dict[str, int | None]:
    """Bytes at most so far: of this process, and of its first device where it says."""
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    stats = jax.local_devices()[0].memory_stats() or {}
    return {
        "host": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        "device": stats.get("peak_bytes_in_use"),
    }

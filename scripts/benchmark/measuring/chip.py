"""Chips: the peaks of accelerators, from their makers' data sheets."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Chip:
    """The peaks of one chip.

    Attributes:
        flops: bfloat16 FLOP/s, without sparsity.
        bandwidth: bytes/s of its memory.
        memory: bytes of it.
        source: where the three are from.
    """

    flops: float
    bandwidth: float
    memory: float
    source: str


# TFLOP/s, GB/s, GB and source, by the start of jax's `device_kind`; the first that
# fits counts. TPU v2 and v3 are left out: there a device is half a chip.
_CLOUD = "cloud.google.com/tpu/docs"
_NVIDIA = "NVIDIA data sheet"
_CHIPS = {
    "NVIDIA H200": (989, 4800, 141, _NVIDIA),
    "NVIDIA H100 PCIe": (756, 2000, 80, _NVIDIA),
    "NVIDIA H100": (989, 3350, 80, _NVIDIA),
    "NVIDIA A100-SXM4-80GB": (312, 2039, 80, _NVIDIA),
    "NVIDIA A100 80GB PCIe": (312, 1935, 80, _NVIDIA),
    "NVIDIA A100": (312, 1555, 40, _NVIDIA),
    "NVIDIA L40S": (362, 864, 48, _NVIDIA),
    "NVIDIA L4": (121, 300, 24, _NVIDIA),
    "NVIDIA A10": (125, 600, 24, _NVIDIA),
    "TPU v4": (275, 1200, 32, f"{_CLOUD}/v4"),
    "TPU v5 lite": (197, 819, 16, f"{_CLOUD}/v5e"),
    "TPU v5e": (197, 819, 16, f"{_CLOUD}/v5e"),
    "TPU v5": (459, 2765, 95, f"{_CLOUD}/v5p"),
    "TPU v6": (918, 1640, 32, f"{_CLOUD}/v6e"),
}


def find_chip(kind: str) -> Chip | None:
    """The chip of a device of a kind, None where its peaks are not known."""
    for start, (tflops, gigabytes, memory, source) in _CHIPS.items():
        if kind.startswith(start):
            return Chip(tflops * 1e12, gigabytes * 1e9, memory * 1e9, source)
    return None

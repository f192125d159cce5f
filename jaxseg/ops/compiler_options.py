"""Compiler options of XLA that are set per program."""

import functools
from collections.abc import Mapping
from typing import Any

import jax

# What YNNPACK computes on a CPU. By default that is convolutions and matrix products
# too, which is faster than XLA's own up to some 256 channels, and 1.2 to 1.7 times
# slower for convolutions of 512 channels or more, where most of the time goes where
# there are any: with them left to XLA, a training step of PSPNet-R50 takes 0.78 of
# the time and its inference 0.82, of UNet 0.91 and 0.79.
_SUMS_ALONE = {
    "xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE",
}
_WIDE = 512

# As JAX names those of a device, and XLA those of its flags.
PLATFORMS = ("cpu", "gpu", "tpu")


def compiler_options(
    variables: Any, device: jax.Device, flags: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """`compiler_options` for the `jax.jit` of a model's programs.

    Args:
        variables: the variables of the model, or its parameters, or their shapes.
        device: one of those that the programs are compiled for.
        flags: what a config asks for (`settings.xla_flags`); those of other platforms
            are left out.
    """
    asked = {
        k: v for k, v in (flags or {}).items() if platform_of(k) == device.platform
    }
    wide = any(_is_wide_conv(leaf.shape) for leaf in jax.tree.leaves(variables))
    if wide and device.platform == "cpu" and _is_known():
        return {**_SUMS_ALONE, **asked}
    return asked


def platform_of(flag: str) -> str | None:
    """The platform that a flag of XLA is for: `gpu` of `xla_gpu_autotune_level`.

    None where the name does not begin with a platform that JAX has.
    """
    for platform in PLATFORMS:
        if flag.startswith(f"xla_{platform}_"):
            return platform
    return None


def _is_wide_conv(shape):
    """Whether a shape is of a wide kernel (kh, kw, in, out) with more than one tap."""
    return len(shape) == 4 and shape[:2] != (1, 1) and shape[2] >= _WIDE


@functools.cache
def _is_known():
    """The option is experimental: another jaxlib may not have it."""
    try:
        with jax.default_device(jax.devices("cpu")[0]):
            jax.jit(lambda: 0, compiler_options=_SUMS_ALONE).lower().compile()
    except (jax.errors.JaxRuntimeError, ValueError):
        return False
    return True

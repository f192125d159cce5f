"""Compiler options of XLA that are set per program."""

import functools
from collections.abc import Mapping
from typing import Any

import jax

# Options of jaxseg itself, by platform.
_OWN = {
    # What YNNPACK computes on a CPU. By default that is convolutions and matrix
    # products too, which is faster than XLA's own up to some 256 channels, and 1.2 to
    # 1.7 times slower for convolutions of 512 channels or more, where most of the time
    # goes where there are any: with them left to XLA, a training step of PSPNet-R50
    # takes 0.78 of the time and its inference 0.82, of UNet 0.91 and 0.79.
    "cpu": {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"},
    # A TPU's compiler cuts small batches of large images into many small ones, to fill
    # the matrix unit of earlier chips. By its own estimate two convolutions of 128
    # channels on 4 images of 64x128 take 2.4 (v5e) and 2.5 times (v6e) the cycles so,
    # and every change between both forms copies an activation, often in float32. It
    # takes both options to leave that out.
    "tpu": {
        "xla_tpu_run_space_to_batch": False,
        "xla_tpu_run_space_to_batch_on_new_platforms": False,
    },
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
    platform = device.platform
    asked = {k: v for k, v in (flags or {}).items() if platform_of(k) == platform}
    leaves = jax.tree.leaves(variables)
    unneeded = platform == "cpu" and not any(
        _is_wide_conv(leaf.shape) for leaf in leaves
    )
    if platform not in _OWN or unneeded or not _is_known(device):
        return asked
    return {**_OWN[platform], **asked}


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
def _is_known(device):
    """Whether the compiler of a device knows jaxseg's options: another's may not."""
    program = jax.jit(
        lambda: 0,
        out_shardings=jax.sharding.SingleDeviceSharding(device),
        compiler_options=_OWN[device.platform],
    )
    try:
        program.lower().compile()
    except (jax.errors.JaxRuntimeError, ValueError):
        return False
    return True

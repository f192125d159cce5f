"""XLA's flags of a config: `xla_flags`, for its programs and for no others.

They go to the compiler with the training step and with the network of an inference
(`compiler_options` of `jax.jit`), not by the environment's `XLA_FLAGS`, which holds for
every program of a process.
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

import jax

from jaxseg.config import ConfigError
from jaxseg.ops.compiler_options import PLATFORMS, platform_of

_log = logging.getLogger("jaxseg")

# A config is data: it cannot say where XLA writes or what it reads.
_WORDS = re.compile(r"[\w,+-]*")


def read_xla_flags(
    config: Mapping[str, Any], device: jax.Device | None = None
) -> dict[str, bool | int | float | str]:
    """`xla_flags` of a config, checked by the compiler of the devices' platform.

    Of flags for other platforms than the devices' the log says that they are not used.

    Args:
        config: with or without `xla_flags`.
        device: one of those that programs are compiled for, by default one of this
            process.

    Raises:
        ConfigError: for a flag or a value that is none, naming its path.
    """
    flags = config.get("xla_flags") or {}
    if not isinstance(flags, Mapping):
        raise ConfigError(f"xla_flags is {flags!r:.80}, it takes a dict")
    if not flags:  # no backend is started for nothing
        return {}
    device = device or jax.local_devices()[0]
    for name, value in flags.items():
        _check_form(name, value)
        platform = platform_of(name)
        if platform != device.platform:
            _log.info("xla_flags.%s: not used on a %s", name, device.platform)
        # Every jaxlib knows the flags of CPUs and GPUs; a TPU's are its compiler's own.
        if platform == device.platform or "tpu" not in (platform, device.platform):
            _check_by_compiler(name, value, device)
    return dict(flags)


def _check_form(name, value):
    if not isinstance(name, str) or platform_of(name) is None:
        starts = ", ".join(f"xla_{platform}_" for platform in PLATFORMS)
        raise ConfigError(
            f"xla_flags.{name}: a flag's name begins with its platform, one of {starts}"
        )
    if not isinstance(value, (bool, int, float, str)):
        raise ConfigError(
            f"xla_flags.{name} is {value!r:.80}, it takes True, False, a number or text"
        )
    if isinstance(value, str) and value.lower() in ("true", "false"):
        # A TPU's compiler takes the text, and does nothing.
        raise ConfigError(
            f"xla_flags.{name} is the text {value!r}: write {value.capitalize()}"
        )
    if isinstance(value, str) and not _WORDS.fullmatch(value):
        raise ConfigError(
            f"xla_flags.{name} is {value!r:.80}; a text is made of words with commas "
            "between them: paths belong into the environment's XLA_FLAGS"
        )


def _check_by_compiler(name, value, device):
    program = jax.jit(
        lambda: 0,
        out_shardings=jax.sharding.SingleDeviceSharding(device),
        compiler_options={name: value},
    )
    try:
        program.lower().compile()
    except (jax.errors.JaxRuntimeError, ValueError) as error:
        raise ConfigError(f"xla_flags.{name}={value!r}: {error}") from error

"""Platform: an operation in the form that is fast where its program will run."""

import functools
from collections.abc import Callable, Hashable
from typing import Any

import jax


def by_platform(
    cpu: Callable[..., Any], elsewhere: Callable[..., Any], *args: Any
) -> Any:
    """`cpu(*args)` in a program for a CPU, `elsewhere(*args)` in any other.

    What decides is the platform that a program is lowered for, not the host that traces
    it: one that is exported or compiled ahead of time for another machine gets the
    forms of that machine, and one that runs on the CPU of a machine with an accelerator
    gets those of the CPU. Both are traced, and the one that is not wanted is dropped
    when the program is lowered.

    Args:
        cpu, elsewhere: give arrays of the same shapes and types. Under `shard_map`
            both results vary over the same axes. Functions that are the same object
            in every call (`bound`) are traced once for all layers of one shape.
        args: arrays, or trees of arrays.
    """
    return jax.lax.platform_dependent(*args, cpu=cpu, default=elsewhere)


def on_tpu(tpu: Callable[..., Any], elsewhere: Callable[..., Any], *args: Any) -> Any:
    """`tpu(*args)` in a program for a TPU, `elsewhere(*args)` in any other.

    As `by_platform` otherwise.
    """
    return jax.lax.platform_dependent(*args, tpu=tpu, default=elsewhere)


@functools.lru_cache(maxsize=1024)
def bound(function: Callable[..., Any], **static: Hashable) -> Callable[..., Any]:
    """`functools.partial`, which is the same object for the same arguments.

    The trace of a form and its gradient are kept by its identity: with a new object for
    each layer, those of a layer norm take five times as long.
    """
    return functools.partial(function, **static)

"""Precision of products: how many passes an accelerator multiplies float32 in.

A TPU multiplies float32 matrices in one pass of bfloat16, and recent GPUs in TF32, if a
program does not ask for more; a CPU always has all digits. A model says what it asks for
(`model.precision`, `segmentors/segmentor.py`), by JAX's own setting while it is traced.
What JAX differentiates by itself takes the precision of the forward pass over; a
backward pass that is written by hand is traced elsewhere, and needs `custom_vjp`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax


def custom_vjp(
    function: Callable[..., Any], nondiff_argnums: tuple[int, ...] = ()
) -> Callable[..., Any]:
    """`jax.custom_vjp` whose backward pass has the precision of its forward pass.

    Args:
        function: of positional arguments.
        nondiff_argnums: as of `jax.custom_vjp`.

    Returns:
        The function, with `defvjp(forward, backward)`.
    """

    @functools.partial(
        jax.custom_vjp, nondiff_argnums=(0, *(n + 1 for n in nondiff_argnums))
    )
    def with_precision(precision, *args):
        with jax.default_matmul_precision(precision):
            return function(*args)

    @functools.wraps(function)
    def call(*args):
        return with_precision(jax.config.jax_default_matmul_precision, *args)

    def defvjp(forward, backward):
        def run(function, precision, *args):
            with jax.default_matmul_precision(precision):
                return function(*args)

        with_precision.defvjp(
            functools.partial(run, forward), functools.partial(run, backward)
        )

    call.defvjp = defvjp
    return call

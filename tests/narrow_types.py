"""Narrow types: what a traced program computes in bfloat16 and should not."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

# What PyTorch's autocast keeps in float32, as primitives of JAX: exp, log, pow, rsqrt,
# sum, prod, cumsum, norm and what is made of them (softmax, losses, layer and group
# norms). https://docs.pytorch.org/docs/stable/amp.html#cuda-ops-that-autocast-to-float32
# Batch norm is not among them there, since cuDNN computes it in float32 by itself.
_WIDE = {
    *("exp", "exp2", "expm1", "log", "log1p", "pow", "integer_pow", "square"),
    *("sqrt", "rsqrt", "erf", "erfc", "erf_inv", "sin", "cos", "tan", "digamma"),
    *("reduce_prod", "cumsum", "cumprod", "cumlogsumexp", "reduce_window_sum"),
}
# Sums over places: these two are gradients of what takes or repeats a value.
_SUMS = {"reduce_sum", "scatter-add"}
_SCALED = {"mul", "div", "add", "sub", "broadcast_in_dim"}
# Binary digits of the numbers that bfloat16 is taken to have been meant to hold.
_DIGITS = 4


def lost_digits(program: ClosedJaxpr) -> list[str]:
    """A line for each operation that loses digits where PyTorch's autocast does not.

    Those are the functions and sums that autocast computes in float32, and constants
    that bfloat16 has rounded: a factor of 0.9 or weights of 1/3, which change all
    values alike. The forms of every platform are read.
    """
    found = []
    for equation in equations(program.jaxpr):
        name = equation.primitive.name
        arrays = [v for v in (*equation.invars, *equation.outvars) if _narrow(v)]
        rounded = [v.val for v in equation.invars if isinstance(v, Literal)]
        if arrays and (
            name in _WIDE
            or (name in _SUMS and _is_sum(equation))
            or (name in _SCALED and any(map(_is_rounded, rounded)))
        ):
            where = equation.source_info.name_stack
            numbers = [value for value in rounded if np.ndim(value) == 0]
            found.append(f"{name} of {arrays[0].aval} {numbers} in {where}")
    return found + [
        f"constant {value.dtype}{list(np.shape(value))}"
        for value in _constants(program)
        if _is_rounded(value)
    ]


def equations(program: Jaxpr) -> Iterator[Any]:
    """All operations of a program, those of its parts too."""
    for equation in program.eqns:
        yield equation
        for inner in _programs(list(equation.params.values())):
            yield from equations(inner.jaxpr if _is_closed(inner) else inner)


def _programs(value):
    if isinstance(value, (ClosedJaxpr, Jaxpr)):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _programs(part)


def _is_closed(program):
    return isinstance(program, ClosedJaxpr)


def _constants(program):
    """The arrays that a program holds, those of its parts too."""
    yield from program.consts
    for equation in equations(program.jaxpr):
        for variable in equation.invars:
            if isinstance(variable, Literal) and np.ndim(variable.val):
                yield variable.val
        for inner in _programs(list(equation.params.values())):
            if _is_closed(inner):
                yield from inner.consts


def _narrow(variable):
    return getattr(variable.aval, "dtype", None) == jnp.bfloat16


def _is_sum(equation):
    """Whether several values become one."""
    if equation.primitive.name == "scatter-add":
        return True
    before, after = equation.invars[0].aval, equation.outvars[0].aval
    return before.size > after.size


def _is_rounded(value):
    """Whether a constant has as many digits as bfloat16 leaves of a longer number."""
    if getattr(value, "dtype", None) != jnp.bfloat16:
        return False
    value = np.asarray(value, np.float64)
    digits, _ = np.frexp(value[np.isfinite(value)])
    return bool((digits * 2**_DIGITS % 1 != 0).any())


def trace(function, *args, axes=()) -> tuple[ClosedJaxpr, Any]:
    """What a function computes, and the shapes of what it gives.

    Args:
        function, args: it is called with the shapes of these.
        axes: (name, size) of each mesh axis over which it runs.
    """
    return jax.make_jaxpr(function, axis_env=axes, return_shape=True)(*args)

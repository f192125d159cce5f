"""Plain sums: what a trace in a bucket adds up over pixels without `ops`.

A class that opts into padding has to look at whole maps through `ops/context`. One that
forgets it would be wrong in silence: `x.mean((1, 2))` counts the padding. Such sums stand
in the trace, each with the line of code that it comes from.
"""

import pathlib
from collections.abc import Iterator
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxseg import ops
from jaxseg.ops.padded.valid_size import ValidSizes

_OPS = str(pathlib.Path(ops.__file__).parent)
_JAX = str(pathlib.Path(jax.__file__).parent)


def find_plain_sum(traced: ClosedJaxpr, sizes: ValidSizes) -> str | None:
    """A sum, maximum, product or order over the pixels of a map, outside of `ops`.

    Args:
        traced: a network in a bucket.
        sizes: the sizes of the bucket, after the trace.

    Returns:
        What it is and the line of code, or None.
    """
    for eqn, place in _equations(traced.jaxpr):
        for operand, axes in _reduced(eqn):
            if sizes.axes_of_map(operand.aval.shape) & set(axes):
                return f"{eqn.primitive.name} over the pixels at {place}"
    return None


def _equations(jaxpr: Jaxpr, call: str | None = None) -> Iterator[tuple[Any, str]]:
    """The equations outside of `ops`, those of inner functions too, and their lines.

    Args:
        jaxpr: the jaxpr of a function.
        call: where a function of JAX's own is called. It is traced once for all who
            call it, so its equations do not say from where.
    """
    for eqn in jaxpr.eqns:
        if call is None and any(f.file_name.startswith(_OPS) for f in _frames(eqn)):
            continue
        place = call or _place(eqn)
        yield eqn, place
        for inner in _inner(eqn):
            is_jax = _JAX in str(inner.debug_info.func_src_info or "")
            yield from _equations(inner, place if call or is_jax else None)


def _frames(eqn):
    traceback = eqn.source_info.traceback
    return traceback.frames if traceback else ()


def _inner(eqn):
    values = jax.tree.leaves(
        list(eqn.params.values()),
        is_leaf=lambda value: isinstance(value, (Jaxpr, ClosedJaxpr)),
    )
    for value in values:
        if isinstance(value, ClosedJaxpr):
            yield value.jaxpr
        elif isinstance(value, Jaxpr):
            yield value


def _reduced(eqn):
    """Pairs of an operand and those of its axes that do not stay apart."""
    name, params = eqn.primitive.name, eqn.params
    if name == "dot_general":
        contracted, _ = params["dimension_numbers"]
        return zip(eqn.invars, contracted, strict=True)
    if name.startswith(("reduce_", "arg")) and "axes" in params:
        return [(eqn.invars[0], params["axes"])]
    if name.startswith("cum"):
        return [(eqn.invars[0], (params["axis"],))]
    if name == "sort":
        return [(operand, (params["dimension"],)) for operand in eqn.invars]
    return []


def _place(eqn):
    own = [f for f in _frames(eqn) if not f.file_name.startswith((_JAX, _OPS))]
    return f"{own[0].file_name}:{own[0].line_num}" if own else "an unknown place"

"""Strip sums: sums over the pixels of upsampled logits, with their gradient.

All sums of one call share the strips: a strip is resized once, and every term's sums
are taken of it.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.ops.precision import custom_vjp
from jaxseg.ops.strips.arrays import Arrays
from jaxseg.ops.strips.upsampled import Plan, Upsampled


@dataclasses.dataclass(frozen=True, eq=False)
class Term:
    """Something that is summed over the pixels.

    Attributes:
        fn: (logits (N, rows, W, C) in float32 at least, inside (1, rows, 1) bool,
            *arrays) -> a pytree of sums. It must leave out rows that are not inside,
            and gets all traced values that it needs as arrays.
        arrays: pytrees of what fn gets: of arrays (N, H, W, ...) the strip's rows,
            anything of fewer axes as it is. They have no gradient.
        passes: how the gradient is found. 0: there is none. 1: together with the
            value, so each number among the sums costs an array of the logits' size;
            for one or a few. 2: the strips are gone through once more when the
            cotangents of the sums are known; for sums of any number and shape that a
            loss is no linear function of.
    """

    fn: Callable[..., Any]
    arrays: tuple[Any, ...] = ()
    passes: int = 1

    def __post_init__(self):
        if self.passes not in (0, 1, 2):
            raise ValueError(f"strip_sums takes 0, 1 or 2 passes, not {self.passes}")


def strip_sums(terms: Sequence[Term], logits: Upsampled) -> list[Any]:
    """Sums over the pixels of upsampled logits.

    Returns:
        The total sums of each term, differentiable by the logits where the term's
        passes say so.
    """
    given = Arrays.of([term.arrays for term in terms])
    functions = tuple(term.fn for term in terms)
    passes = tuple(term.passes for term in terms)
    structure = given.replaced((), ())
    source = logits.source if any(passes) else jax.lax.stop_gradient(logits.source)

    def sums(plan, *arrays):
        return _sums(_Static(functions, passes, plan, structure), *arrays)

    return logits.by_plan(sums, source, given.maps, given.constants)


@dataclasses.dataclass(frozen=True, eq=False)
class _Static:
    """What is no array: functions, how many passes each takes, plan, structure."""

    functions: tuple[Callable[..., Any], ...]
    passes: tuple[int, ...]
    plan: Plan
    arrays: Arrays

    def sums_of(self, source, strip, constants, differentiated):
        """Sums of a strip from its input rows, {passes: those of its terms}.

        The terms that take `differentiated` passes are all that has a gradient; in
        the second pass the others are left out.
        """
        _, to_rows, inside, rows = strip
        x = self.plan.upsample(source, to_rows)
        fixed = jax.lax.stop_gradient(x)
        arrays = self.arrays.replaced((), constants).with_rows(rows)
        sums = {0: [], 1: [], 2: []}
        for fn, passes, own in zip(self.functions, self.passes, arrays, strict=True):
            if passes == differentiated:
                sums[passes].append(fn(x, inside, *own))
            elif differentiated != 2:
                sums[passes].append(fn(fixed, inside, *own))
        return sums

    def totals(self, sums):
        """The terms' total sums in the terms' order, of sums stacked by strips."""
        rest = {passes: iter(of_terms) for passes, of_terms in sums.items()}
        of_terms = [next(rest[passes]) for passes in self.passes]
        return jax.tree.map(lambda strips: strips.sum(0), of_terms)


@functools.partial(custom_vjp, nondiff_argnums=(0,))
def _sums(static, x, maps, constants):
    plan = static.plan

    def body(carry, strip):
        source = plan.take(x, strip[0])
        return carry, static.sums_of(source, strip, constants, None)

    _, sums = jax.lax.scan(body, None, plan.cut(maps))
    return static.totals(sums)


def _gradients(static, x, maps, constants, passes, cotangents_of):
    """Gradients of the terms that take so many passes, and sums.

    Args:
        static, x, maps, constants: as of `_sums`.
        passes: 1 or 2.
        cotangents_of: those terms' sums of a strip -> K cotangents of them.

    Returns:
        Gradients (K, *x.shape), and the sums as `_Static.sums_of` gives them, stacked
        by strips.
    """
    plan = static.plan

    def of_strip(strip):
        def sums_of(source):
            sums = static.sums_of(source, strip, constants, passes)
            return sums[passes], sums

        source = plan.take(x, strip[0]).astype(_wide(x))
        wanted, pull, sums = jax.vjp(sums_of, source, has_aux=True)
        pulled = [pull(cotangent)[0] for cotangent in cotangents_of(wanted)]
        return jnp.stack(pulled), sums

    def body(gradients, strip):
        new, sums = of_strip(strip)
        old = jax.lax.dynamic_slice_in_dim(gradients, strip[0], plan.extent, axis=2)
        new = old + new.astype(old.dtype)
        gradients = jax.lax.dynamic_update_slice_in_dim(
            gradients, new, strip[0], axis=2
        )
        return gradients, sums

    strips = plan.cut(maps)
    like, _ = jax.eval_shape(
        lambda strips: of_strip(jax.tree.map(lambda array: array[0], strips)), strips
    )
    # Where strips share input rows their gradients are added, in float32.
    dtype = x.dtype if plan.columns is None else _wide(x)
    zeros = jnp.zeros_like(x, dtype, shape=(like.shape[0], *x.shape))
    return jax.lax.scan(body, zeros, strips)


def _wide(x):
    return jnp.promote_types(x.dtype, jnp.float32)


def _units(sums):
    """Every cotangent that is one for one number among the sums and zero elsewhere."""
    leaves, structure = jax.tree.flatten(sums)
    units = []
    for i, leaf in enumerate(leaves):
        for k in range(leaf.size):
            unit = [jnp.zeros_like(other) for other in leaves]
            unit[i] = unit[i].ravel().at[k].set(1).reshape(leaf.shape)
            units.append(jax.tree.unflatten(structure, unit))
    return units


def _forward(static, x, maps, constants):
    if 1 in static.passes:
        gradients, sums = _gradients(static, x, maps, constants, 1, _units)
        totals = static.totals(sums)
    else:
        gradients, totals = None, _sums(static, x, maps, constants)
    # An empty array carries x's dtype.
    kept = (x, maps, constants) if 2 in static.passes else (x[:0], (), ())
    return totals, (gradients, kept)


def _backward(static, saved, cotangents):
    gradients, (x, maps, constants) = saved
    by_passes = {0: [], 1: [], 2: []}
    for passes, cotangent in zip(static.passes, cotangents, strict=True):
        by_passes[passes].append(cotangent)
    parts = []
    if gradients is not None:
        factors = [leaf.ravel() for leaf in jax.tree.leaves(by_passes[1])]
        factors = jnp.concatenate(factors).astype(_wide(gradients))
        # Not a dot product: it would copy narrow gradients to float32 at full size.
        parts += [f * g for f, g in zip(factors, gradients, strict=True)]
    if 2 in static.passes:
        known = [by_passes[2]]
        again, _ = _gradients(static, x, maps, constants, 2, lambda sums: known)
        parts.append(again[0])
    return sum(parts).astype(x.dtype), None, None


_sums.defvjp(_forward, _backward)

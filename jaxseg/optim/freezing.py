"""Freezing of parameters by patterns of their names, for good or until an iteration.

A parameter that is frozen has no update; until it is trained, the state of its optimiser
stays as it began, and the norm of clip_grad does not count its gradient.
"""

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxseg.errors import FieldError
from jaxseg.optim.parameters import require_match
from jaxseg.resolve import build

PATH = "optim_wrapper.frozen"


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """An entry of `optim_wrapper.frozen`.

    Attributes:
        keys: A parameter's or a module's PyTorch key, or a pattern of one as a shell's:
            'backbone', 'backbone.layer[12]', '*.norm*'. A module stands for all that is
            in it.
        until: Iterations after which it is trained; None freezes it for good.
    """

    keys: str
    until: int | None = None

    def __post_init__(self):
        if self.until is not None and self.until < 1:
            raise FieldError(f"until: needs to be >= 1, found {self.until}")


def frozen_until(
    entries: Sequence[str | Mapping[str, Any]], keys: Collection[str]
) -> dict[str, int | None]:
    """The parameters that are frozen, each until which iteration.

    Args:
        entries: `optim_wrapper.frozen`; a text freezes for good.
        keys: PyTorch keys of all parameters.

    Returns:
        By key the iteration, None for good; of several entries the latest holds.

    Raises:
        ConfigError: An entry is wrong, or fits no parameter.
    """
    found: dict[str, int | None] = {}
    for i, entry in enumerate(entries):
        path = f"{PATH}.{i}"
        given = {"keys": entry} if isinstance(entry, str) else entry
        frozen = build(Frozen, given, path)
        matches = [key for key in keys if _fits(key, frozen.keys)]
        require_match(frozen.keys, matches, keys, path)
        for key in matches:
            before = found.get(key, 0)
            ends = None in (before, frozen.until)
            found[key] = None if ends else max(before, frozen.until)
    return found


def _fits(key, pattern):
    return any(fnmatch.fnmatchcase(key, name) for name in (pattern, f"{pattern}.*"))


def without_frozen(until: Any) -> optax.GradientTransformationExtraArgs:
    """Takes the gradients of parameters that are still frozen for zero.

    Args:
        until: Tree of the parameters' structure: the iterations before which each is
            frozen, 0 for one that is not.
    """

    def update(grads, state, params=None, *, step, **_):
        grads = jax.tree.map(lambda g, u: jnp.where(step < u, 0, g), grads, until)
        return grads, state

    return optax.GradientTransformationExtraArgs(optax.init_empty_state, update)


def trained_from(
    transform: optax.GradientTransformationExtraArgs, until: int
) -> optax.GradientTransformationExtraArgs:
    """A transformation that begins in iteration `until`, from its first state."""
    if not until:
        return transform

    def update(updates, state, params=None, *, step, **extra):
        new, new_state = transform.update(updates, state, params, step=step, **extra)
        keep = lambda x, old: jnp.where(step < until, old, x)
        updates = jax.tree.map(lambda u: jnp.where(step < until, 0, u), new)
        return updates, jax.tree.map(keep, new_state, state)

    return optax.GradientTransformationExtraArgs(transform.init, update)

"""Data axis: what the layers and losses of one device know of the other devices.

The training step runs on every device of the mesh's axes that split the batch, each
on its own part. Inside `over_data_axis` SyncBN and the losses reach the other parts, and
dropout draws by the sample's place in the whole batch, so that the result does not
depend on the number of devices. Outside of it there is one device.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class _Scope:
    axes: tuple[str, ...]
    loss_scope: str


_scope: contextvars.ContextVar[_Scope | None] = contextvars.ContextVar(
    "data_axis", default=None
)


@contextlib.contextmanager
def over_data_axis(
    axis: str | tuple[str, ...], loss_scope: str = "device"
) -> Iterator[None]:
    """Names the mesh axes that split the batch, while a model is traced.

    Args:
        axis: a manual axis of the enclosing `jax.shard_map`, or several, the slowest
            one first.
        loss_scope: `device`: a loss divides by what its own device counts, as in
            mmseg; `global`: by what all devices count.
    """
    if loss_scope not in ("device", "global"):
        raise ValueError(f"loss_scope is {loss_scope!r}, allowed: device, global")
    axes = (axis,) if isinstance(axis, str) else tuple(axis)
    token = _scope.set(_Scope(axes, loss_scope))
    try:
        yield
    finally:
        _scope.reset(token)


def mean_over_devices(x: jax.Array) -> jax.Array:
    """The mean of x over the data axis; x itself on one device."""
    scope = _scope.get()
    return x if scope is None else jax.lax.pmean(x, scope.axes)


def data_axes() -> tuple[str, ...]:
    """The mesh axes that split the batch; none on one device."""
    scope = _scope.get()
    return () if scope is None else scope.axes


def count_of_devices() -> int:
    """The size of the data axis."""
    scope = _scope.get()
    return 1 if scope is None else jax.lax.axis_size(scope.axes)


def loss_divisor(count: jax.Array) -> jax.Array:
    """What a loss divides its sum by, where `count` was counted on this device."""
    scope = _scope.get()
    if scope is None or scope.loss_scope == "device":
        return count
    return jax.lax.pmean(count, scope.axes)


def sample_keys(key: jax.Array, batch: int) -> jax.Array:
    """One random key a sample, (batch,), by its place in the whole batch."""
    scope = _scope.get()
    first = 0 if scope is None else jax.lax.axis_index(scope.axes) * batch
    return jax.vmap(jax.random.fold_in, (None, 0))(key, first + jnp.arange(batch))

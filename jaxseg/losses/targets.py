"""Targets: what a loss compares logits with."""

import dataclasses
import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("label", "weight", "avg_factor", "maps"),
    meta_fields=("ignore_index",),
)
@dataclasses.dataclass(frozen=True, eq=False)
class Targets:
    """A label, and what is known of its pixels.

    Attributes:
        label: (N, H, W) class numbers, or what else the loss takes: an edge map, a
            depth, the logits of a teacher.
        ignore_index: the label that counts nowhere, or None.
        weight: a factor of every pixel's loss, (N, H, W), as a sampler gives it; of
            a loss that has a value a sample, (N,). Or None.
        avg_factor: what a mean is divided by in place of the number of its terms, or
            None.
        maps: all maps of the batch by name, for a loss that needs a second one:
            `gt_edge_map`, ...
    """

    label: jax.Array
    ignore_index: int | None = 255
    weight: jax.Array | None = None
    avg_factor: float | jax.Array | None = None
    maps: Mapping[str, jax.Array] = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def classes(self) -> jax.Array:
        """The label as signed integers, and -1 where it counts nowhere."""
        narrow = jnp.dtype(self.label.dtype).itemsize == 1
        label = self.label.astype(jnp.int16 if narrow else jnp.int32)
        counts = label >= 0
        if self.ignore_index is not None:
            counts &= label != self.ignore_index
        # One array, however often it is asked for: strips cut it once.
        return jnp.where(counts, label, -1)

    def ignoring(self, ignore_index: int | None) -> "Targets":
        """The same targets with another ignored label."""
        if ignore_index == self.ignore_index:
            return self
        return dataclasses.replace(self, ignore_index=ignore_index)

"""Arrays beside logits: which of them a loop over strips cuts, each of them once."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True, eq=False)
class Arrays:
    """Pytrees of arrays, flat, without those that stand in them twice.

    Attributes:
        maps: arrays (N, H, W, ...), which are cut.
        constants: arrays of fewer axes, which every strip gets as they are.
        places: for each leaf of the pytrees, which of `maps + constants` it is.
        structure: the pytrees without their leaves.
    """

    maps: tuple[jax.Array, ...]
    constants: tuple[jax.Array, ...]
    places: tuple[int, ...]
    structure: Any

    @classmethod
    def of(cls, trees: Any) -> "Arrays":
        """The arrays of pytrees; one object that stands in them twice is cut once."""
        leaves, structure = jax.tree.flatten(trees)
        unique = {id(leaf): jnp.asarray(leaf) for leaf in leaves}
        maps = {key: leaf for key, leaf in unique.items() if leaf.ndim >= 3}
        constants = {key: leaf for key, leaf in unique.items() if leaf.ndim < 3}
        order = {key: place for place, key in enumerate([*maps, *constants])}
        places = tuple(order[id(leaf)] for leaf in leaves)
        return cls(tuple(maps.values()), tuple(constants.values()), places, structure)

    def with_rows(self, rows) -> Any:
        """The pytrees, with a strip's rows in the place of the maps."""
        leaves = (*rows, *self.constants)
        return jax.tree.unflatten(self.structure, [leaves[i] for i in self.places])

    def replaced(self, maps, constants) -> "Arrays":
        """The same pytrees of other arrays."""
        return dataclasses.replace(self, maps=tuple(maps), constants=tuple(constants))

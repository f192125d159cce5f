"""Case: a small configuration of an entry, and what goes in and comes out."""

import dataclasses
from typing import Any

BN = dict(type="BN", requires_grad=True)


@dataclasses.dataclass(frozen=True)
class Case:
    """An entry built from `config`, called with random maps of the shapes `inputs`.

    Attributes:
        config: its keys besides `type`.
        inputs: (H, W, C) of each map; odd sizes wherever they are legal. A pair of
            them is a map with a class token, (C,).
        outputs: (h, w, c) of each map that it returns, in the order of the pytree.
        rate: the key of a dropout rate, or None where it has none.
        previous: (h, w, c) of what the head before it in a cascade gives.
    """

    config: dict[str, Any]
    inputs: tuple[tuple, ...]
    outputs: tuple[tuple[int, int, int], ...]
    rate: str | None = None
    previous: tuple[int, int, int] | None = None


# Maps of three stages of a backbone.
PYRAMID = ((17, 13, 4), (9, 7, 6), (5, 4, 8))

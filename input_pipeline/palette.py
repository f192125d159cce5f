"""Palette: colours for classes that have none."""

import numpy as np

# Each is the colour that is farthest from those before it, from black (no class) and
# from white, by CIEDE2000, among 16 steps of red, green and blue. The least distance
# of two of them is 18, of two of the first eleven 26; 2 to 3 is what an eye sees.
DISTINCT = (
    (230, 25, 75), (51, 136, 0), (0, 119, 221), (204, 136, 0),
    (119, 0, 153), (221, 119, 255), (136, 255, 0), (0, 170, 170),
    (102, 68, 0), (0, 85, 85), (255, 170, 153), (102, 0, 17),
    (119, 102, 119), (255, 221, 0), (0, 255, 204), (0, 51, 102),
    (136, 136, 119), (136, 204, 255), (0, 68, 0), (187, 68, 0),
    (187, 204, 153), (170, 170, 187), (51, 17, 51), (255, 204, 255),
    (204, 51, 153), (153, 153, 0), (119, 85, 238), (255, 119, 170),
    (68, 68, 68), (0, 187, 102), (187, 255, 255), (170, 119, 102),
)  # fmt: skip


def distinct_palette(num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """Colours that are told apart: the first of `DISTINCT`.

    From the 33rd class on they are drawn at random, always the same ones.
    """
    draws = np.random.RandomState(42).randint(0, 255, size=(num_classes, 3))
    drawn = (tuple(color) for color in draws.tolist())
    return (*DISTINCT, *drawn)[:num_classes]

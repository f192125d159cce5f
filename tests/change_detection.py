"""Pairs of images with squares that come and go, in the folders of LEVIR-CD."""

import cv2
import numpy as np


def make_pairs(folder, count):
    """Writes A, B and label with images 0.png, 1.png, ... of 32x48 pixels."""
    rng = np.random.default_rng(0)
    for side in ("A", "B", "label"):
        (folder / side).mkdir(parents=True)
    for i in range(count):
        ground = rng.integers(0, 120, (32, 48, 3), np.uint8)
        later, label = ground.copy(), np.zeros((32, 48), np.uint8)
        y, x = rng.integers(0, 16, 2)
        later[y : y + 16, x : x + 16] += 120
        label[y : y + 16, x : x + 16] = 1
        for side, array in (("A", ground), ("B", later), ("label", label)):
            cv2.imwrite(str(folder / side / f"{i}.png"), array)

"""A picture, its label, and a generator that replays MMSegmentation's draws."""

import numpy as np
import pytest


class ReplayedDraws:
    """Draws of NumPy's global generator, which MMSegmentation takes, after a seed."""

    def __init__(self, seed: int):
        self._state = np.random.RandomState(seed)

    def random(self):
        return self._state.random_sample()

    def integers(self, low, high=None):
        return self._state.randint(low, high)

    def uniform(self, low, high):
        return self._state.uniform(low, high)

    def choice(self, count, p):
        return self._state.choice(count, p=p)


@pytest.fixture
def replay():
    """`replay(seed)`: the draws that MMSegmentation makes after np.random.seed(seed)."""
    return ReplayedDraws


@pytest.fixture
def picture() -> np.ndarray:
    """(60, 80, 3) uint8 RGB with many colours; a formula, the same everywhere."""
    y, x = np.indices((60, 80))
    return np.stack([y * 4, x * 3, (x * y) % 256], axis=-1).astype(np.uint8)


@pytest.fixture
def label() -> np.ndarray:
    """(60, 80) uint8: class 0, class 1 from row 20 on, 255 in the last five columns."""
    ids = np.zeros((60, 80), np.uint8)
    ids[20:] = 1
    ids[:, 75:] = 255
    return ids

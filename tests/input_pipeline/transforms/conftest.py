"""A picture and its label."""

import numpy as np
import pytest


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

"""Label files: index PNGs with a palette."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def save_palette_png(path: Path, label_map: np.ndarray, palette: Any) -> None:
    """Writes an index PNG: its pixels are the classes, its palette their colours.

    Of more than 256 classes it is a 16-bit grey PNG, which has no palette.
    """
    if label_map.dtype != np.uint8:
        Image.fromarray(label_map).save(path)
        return
    image = Image.frombytes("P", label_map.shape[::-1], label_map.tobytes())
    image.putpalette(np.asarray(palette, np.uint8).ravel().tolist())
    image.save(path)

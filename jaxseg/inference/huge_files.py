"""Huge files: what `--mode predict` writes of an image that does not fit into memory."""

import contextlib
import logging
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.formats.tiff_writer import TiledTiff
from input_pipeline.windows import Windows
from jaxseg.config import ConfigError
from jaxseg.inference.loaded import SegModel
from jaxseg.inference.stream import stream
from jaxseg.visualize import as_rgb, colorize, overlay

_log = logging.getLogger("jaxseg")

FORMATS = ("mask", "color", "overlay")

# The longer side of an overlay, about.
_OVERVIEW = 4096


def stream_to_files(model: SegModel, windows: Windows, files: dict[str, Path]) -> None:
    """Predicts an image by windows, and writes it while it goes.

    Label maps and colours become tiled TIFFs with the georeference of the image; the
    overlay is a small picture of every n-th pixel.

    Args:
        model: from `load_model`.
        windows: the image.
        files: by format, some of `FORMATS`; the suffix is put in place.

    Raises:
        ConfigError: another format, or a model that looks at whole images.
        DataError: if the image is damaged.
    """
    path, size = windows.tiff.path, windows.shape[:2]
    for name in files:
        if name not in FORMATS:
            raise ConfigError(
                f"{path}: {size[0]}x{size[1]} (h x w) is predicted by windows, of which "
                f"{name!r} cannot be written; output_format may be {', '.join(FORMATS)}"
            )
    where = {"georeference": windows.tiff.georeference, "order": windows.tiff.order}
    if not where["georeference"]:
        _log.info("%s has no georeference, and neither have its label maps", path)
    dtype = np.uint8 if model.segmentor.out_channels <= 256 else np.uint16
    overview = _Overview(size) if "overlay" in files else None
    with contextlib.ExitStack() as stack:
        mask = color = None
        if "mask" in files:
            palette = model.palette if dtype == np.uint8 else None
            tiff = TiledTiff(files["mask"], size, dtype, palette=palette, **where)
            mask = stack.enter_context(tiff)
        if "color" in files:
            tiff = TiledTiff(files["color"], size, np.uint8, samples=3, **where)
            color = stack.enter_context(tiff)
        for rows in stream(model, windows):
            if mask is not None:
                mask.add(rows.top, rows.left, rows.classes)
            if color is not None:
                painted = colorize(rows.classes, model.palette)
                color.add(rows.top, rows.left, painted)
            if overview is not None:
                overview.add(rows)
    if overview is not None:
        pixels, classes = overview.pixels, overview.classes
        shown = overlay(as_rgb(pixels), classes, model.palette)
        Image.fromarray(shown).save(files["overlay"], quality=95)


class _Overview:
    """Every n-th pixel of an image and of its label map."""

    def __init__(self, size: tuple[int, int]):
        self._step = -(-max(size) // _OVERVIEW)
        self._size = tuple(-(-side // self._step) for side in size)
        self.pixels: Any = None
        self.classes: Any = None

    def add(self, rows):
        if self.pixels is None:
            shape = self._size + rows.pixels.shape[2:]
            self.pixels = np.zeros(shape, rows.pixels.dtype)
            self.classes = np.zeros(self._size, rows.classes.dtype)
        step = self._step
        first = -rows.top % step, -rows.left % step
        some = np.s_[first[0] :: step, first[1] :: step]
        top, left = (rows.top + first[0]) // step, (rows.left + first[1]) // step
        part = rows.classes[some]
        place = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        self.classes[place] = part
        self.pixels[place] = rows.pixels[some]

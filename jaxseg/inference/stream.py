"""Stream: windows of an image that does not fit into memory, from its top to its bottom.

The logits of a row of windows are added up in a band as tall as a window. What no
window further down covers becomes classes, the rest moves up. Classes are those of mode
`slide` on the whole image: sums are taken in the same order.
"""

import dataclasses
import functools
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline.formats.tiff_writer import TILE
from input_pipeline.transforms import LoadImageFromFile
from input_pipeline.windows import Windows
from jaxseg.config import ConfigError
from jaxseg.inference.bands import BandPredictor
from jaxseg.inference.loaded import SegModel, check_channels
from jaxseg.inference.slide import Grid

_log = logging.getLogger("jaxseg")

# Of the sums of a band. A wider image is done in panels; where two of them meet, up to
# two columns of windows are computed twice.
_BAND_BYTES = 1 << 29

# Seconds between two lines of progress.
_SILENCE = 15.0


@dataclasses.dataclass(frozen=True)
class Rows:
    """Some rows of a panel of the image, whose classes are known.

    Attributes:
        top, left: where they begin.
        classes: (N, W) uint8, or uint16 of more than 256 classes.
        pixels: (N, W, C), as they were read.
    """

    top: int
    left: int
    classes: np.ndarray
    pixels: np.ndarray


def windows_of(model: SegModel, path: Path) -> Windows | None:
    """An image that is too large to be decoded whole, if it can be read by windows.

    Raises:
        DataError: a damaged file.
    """
    load = model.pipeline[0]
    if not isinstance(load, LoadImageFromFile):
        return None
    windows = load.windows(str(path))
    if windows is None or windows.shape[0] * windows.shape[1] <= load.max_pixels:
        return None
    return windows


def stream(model: SegModel, windows: Windows) -> Iterator[Rows]:
    """Predicts an image by windows.

    Args:
        model: from `load_model`.
        windows: the image.

    Yields:
        All rows of a panel, from the top to the bottom, and then those of the next one.

    Raises:
        ConfigError: if the model looks at whole images, or takes other channels.
        DataError: if the file is damaged.
    """
    _check(model, windows)
    segmentor = model.segmentor
    size, test_cfg = windows.shape[:2], segmentor.test_cfg
    grid = Grid(size, test_cfg.window, test_cfg.stride)
    channels = segmentor.out_channels
    wide = _BAND_BYTES // (grid.window[0] * channels * 4)
    wide = max(wide // TILE, 1) * TILE
    started = said = time.monotonic()
    for left in range(0, size[1], wide):
        panel = range(left, min(left + wide, size[1]))
        for rows in _stream_panel(model, windows, grid, panel):
            yield rows
            if time.monotonic() - said > _SILENCE:
                said = time.monotonic()
                done = left * size[0] + (rows.top + len(rows.classes)) * len(panel)
                share = done / (size[0] * size[1])
                remaining = (said - started) * (1 - share) / share
                _log.info(
                    "%s: %.1f %%, %.0f min left",
                    windows.tiff.path,
                    100 * share,
                    remaining / 60,
                )


def _check(model, windows):
    path = windows.tiff.path
    height, width = windows.shape[:2]
    large = (
        f"{path}: {height}x{width} (h x w) is predicted by windows, for it has more "
        f"pixels than max_pixels={model.pipeline[0].max_pixels} allows; "
    )
    check_channels({"img": windows, "img_path": path}, model.segmentor)
    if isinstance(model.predictor, BandPredictor):
        raise ConfigError(large + "set mesh.spatial to 1")
    if model.segmentor.test_cfg.mode == "whole":
        raise ConfigError(
            large + "model.test_cfg.mode is 'whole': set model.test_cfg to "
            "dict(mode='slide', crop_size=(512, 512), stride=(384, 384))"
        )
    if model.tta is not None:
        raise ConfigError(large + "tta needs whole images: set tta.enabled to False")
    if model.segmentor.data_preprocessor.test_cfg is not None:
        raise ConfigError(
            large + "model.data_preprocessor.test_cfg pads whole images: take it out"
        )
    for step in model.pipeline[1:]:
        if getattr(step, "touches_pixels", True):
            raise ConfigError(
                large + f"{type(step).__name__} of val_dataloader.dataset.pipeline "
                "needs the whole image: take it out for predictions"
            )


def _stream_panel(model, windows, grid, panel):
    """The rows of one panel, a range of columns."""
    tall, wide = grid.window
    tops, lefts = (np.unique(grid.corners[:, axis]) for axis in range(2))
    lefts = lefts[(lefts < panel.stop) & (lefts + wide > panel.start)]
    span = slice(int(lefts[0]), int(lefts[-1]) + wide)
    kept = slice(panel.start - span.start, panel.stop - span.start)
    rows, columns = grid.covers(windows.shape[:2])
    columns = jnp.asarray(columns[span])
    band = _Band(model, tall, span.stop - span.start)
    bottom = windows.shape[0]
    for top, following in zip(tops, [*tops[1:], bottom], strict=True):
        pixels = windows[top : top + tall, span]
        band.add(pixels, lefts - span.start, wide)
        count = following - top
        classes = band.classes(rows[top : top + tall], columns)
        yield Rows(int(top), panel.start, classes[:count, kept], pixels[:count, kept])
        band.move_up(count)


class _Band:
    """The sums of the logits of a band of rows, on the first device."""

    def __init__(self, model: SegModel, height: int, width: int):
        self._model = model
        self._device = model.predictor.devices[0]
        shape = height, width, model.segmentor.out_channels
        self._total = jax.device_put(jnp.zeros(shape, jnp.float32), self._device)

    def add(self, pixels: np.ndarray, lefts: np.ndarray, width: int):
        """Adds the logits of windows of a band of pixels (h, W, C), in their order."""
        predictor, variables = self._model.predictor, self._model.variables
        together = self._model.images_together
        size = pixels.shape[0], width
        for start in range(0, len(lefts), together):
            some = lefts[start : start + together]
            images = [pixels[:, left : left + width] for left in some]
            images += images[-1:] * (together - len(images))
            logits = predictor.logits(variables, np.stack(images), size)
            logits = jax.device_put(logits, self._device)
            for place, left in enumerate(some):
                self._total = _add(self._total, logits, place, left)

    def classes(self, rows: np.ndarray, columns: jax.Array) -> np.ndarray:
        """(h, W) classes of the sums, which some rows and columns of windows cover."""
        mean = _mean(self._total, rows, columns)
        return np.asarray(self._model.predictor.classes(mean))[0]

    def move_up(self, count: int):
        """Lets the first rows go; those that come in at the bottom are 0."""
        self._total = _move_up(self._total, count)


@functools.partial(jax.jit, donate_argnums=0)
def _add(total, logits, place, left):
    block = logits[place]
    at = 0, left, 0
    new = jax.lax.dynamic_slice(total, at, block.shape) + block
    return jax.lax.dynamic_update_slice(total, new, at)


@jax.jit
def _mean(total, rows, columns):
    return (total / (rows[:, None] * columns)[..., None])[None]


@functools.partial(jax.jit, donate_argnums=0)
def _move_up(total, count):
    padded = jnp.concatenate([total, jnp.zeros_like(total)])
    return jax.lax.dynamic_slice(padded, (count, 0, 0), total.shape)

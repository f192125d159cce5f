"""Output formats: what `--mode predict` writes of an image."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.formats.georeference import Georeference, read_georeference
from jaxseg.config import ConfigError, nearest
from jaxseg.inference.huge_files import stream_to_files
from jaxseg.inference.label_files import save_palette_png
from jaxseg.inference.loaded import SegModel
from jaxseg.inference.outlines import annotations_of, geojson_of
from jaxseg.inference.postprocess import probabilities
from jaxseg.inference.stream import windows_of
from jaxseg.visualize import as_rgb, colorize, overlay

# Each with its folder and suffix.
FORMATS = {
    "mask": ("labels", ".png"),
    "color": ("colors", ".png"),
    "overlay": ("overlays", ".jpg"),
    "probability": ("probabilities", ".npy"),
    "polygons": ("polygons", ".json"),
    "rle": ("rle", ".json"),
}
DEFAULT_FORMATS = ("mask", "overlay")


def check_formats(formats: Sequence[str]) -> tuple[str, ...]:
    """The formats, each once.

    Raises:
        ConfigError: if there is none, or one that is unknown.
    """
    for name in formats or ("",):
        if name not in FORMATS:
            raise ConfigError(
                f"output_format has {name!r}{nearest(name, FORMATS)}; allowed: "
                f"{', '.join(FORMATS)}"
            )
    return tuple(dict.fromkeys(formats))


def predict_to_files(
    model: SegModel, path: Path, stem: Path, output: Path, formats: tuple[str, ...]
) -> Path:
    """Predicts an image, and writes it in some formats.

    Args:
        model: from `load_model`.
        path: the image.
        stem: name of its files, without a suffix.
        output: the folder above those of the formats.
        formats: some of `FORMATS`.

    Returns:
        The file of the first format.

    Raises:
        DataError, ConfigError: as `SegModel.predict`.
    """
    files = {}
    for name in formats:
        folder, suffix = FORMATS[name]
        files[name] = output / folder / f"{stem}{suffix}"
        files[name].parent.mkdir(parents=True, exist_ok=True)
    windows = windows_of(model, path)
    if windows is not None:
        files |= {
            name: file.with_name(f"{stem.name}.tif")
            for name, file in files.items()
            if name != "overlay"
        }
        stream_to_files(model, windows, files)
        return files[formats[0]]
    mean = None
    if "probability" in formats:
        label_map, values = model.predict(path, return_logits=True)
        # With tta they are probabilities already.
        mean = values if model.tta is not None else np.asarray(probabilities(values))
    else:
        label_map = model.predict(path)
    pixels = as_rgb(model.read_pixels(path)) if "overlay" in formats else None
    where = read_georeference(path) if "polygons" in formats else None
    for name, file in files.items():
        write_format(name, file, model, label_map, mean, pixels, where)
    return files[formats[0]]


def write_format(
    name: str,
    file: Path,
    model: SegModel,
    label_map: np.ndarray,
    mean: Any = None,
    pixels: Any = None,
    georeference: Georeference | None = None,
) -> None:
    """Writes a label map in a format.

    Args:
        name: of `FORMATS`.
        file: the file.
        model: whose classes and palette they are.
        label_map: (H, W).
        mean: the probabilities, for `probability`.
        pixels: (H, W, 3) uint8, for `overlay`.
        georeference: of the image, for `polygons`.
    """
    if name == "mask":
        save_palette_png(file, label_map, model.palette)
    elif name == "color":
        Image.fromarray(colorize(label_map, model.palette)).save(file)
    elif name == "overlay":
        shown = overlay(pixels, label_map, model.palette)
        Image.fromarray(shown).save(file, quality=95)
    elif name == "probability":
        np.save(file, mean)
    elif name == "polygons":
        collection = geojson_of(label_map, model.classes, georeference)
        file.write_text(json.dumps(collection))
    elif name == "rle":
        file.write_text(json.dumps(annotations_of(label_map, model.classes)))

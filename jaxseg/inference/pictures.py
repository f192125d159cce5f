"""Predictions as pictures."""

import collections
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from input_pipeline.decode import SUFFIXES
from jaxseg.config import ConfigError
from jaxseg.inference.label_maps import predict_label_maps
from jaxseg.inference.loaded import SegModel
from jaxseg.inference.predictor import Predictor
from jaxseg.settings.tta import TestTimeAug
from jaxseg.visualize import as_rgb, overlay, save_prediction_grid


def find_images(pattern: str) -> list[Path]:
    """The image files of a path: one file, a folder's (at any depth), or a glob's.

    Raises:
        ConfigError: if there is none.
    """
    path = Path(pattern)
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES]
    elif path.is_file():
        found = [path]
    else:
        found = [Path(name) for name in glob.glob(pattern, recursive=True)]
        found = [p for p in found if p.is_file()]
    if not found:
        raise ConfigError(
            f"--input {pattern}: no image there; it takes a file, a glob, or a folder "
            f"with {', '.join(SUFFIXES)}"
        )
    return sorted(found)


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


def predict_files(
    model: SegModel, images: list[Path], output: Path
) -> Iterator[tuple[Path, Path]]:
    """Predicts images one by one; of several processes each takes its share.

    Args:
        model: from `load_model`.
        images: files.
        output: folder; gets `labels/NAME.png` (class indices with the palette) and
            `overlays/NAME.jpg`. Names keep their folders below the common one.

    Yields:
        (image, index PNG) of each image that is done by this process.
    """
    whole = [path.absolute() for path in images]
    root = os.path.commonpath([path.parent for path in whole])
    stems = [path.relative_to(root).with_suffix("") for path in whole]
    counts = collections.Counter(stems)
    # Several processes share the images.
    mine = slice(jax.process_index(), None, jax.process_count())
    for path, stem in zip(images[mine], stems[mine], strict=True):
        if counts[stem] > 1:  # they differ in the suffix alone
            stem = stem.with_name(path.name.replace(".", "_"))
        label_map = model.predict(path)
        index_png = output / "labels" / f"{stem}.png"
        picture = output / "overlays" / f"{stem}.jpg"
        for file in (index_png, picture):
            file.parent.mkdir(parents=True, exist_ok=True)
        save_palette_png(index_png, label_map, model.palette)
        shown = overlay(as_rgb(model.read_pixels(path)), label_map, model.palette)
        Image.fromarray(shown).save(picture, quality=95)
        yield path, index_png


def save_validation_grids(
    predictor: Predictor,
    variables: Any,
    dataset: Any,
    output: Path,
    tta: TestTimeAug | None = None,
    count: int = 6,
) -> None:
    """Writes image | ground truth | prediction of a few validation images.

    Args:
        predictor: of the model.
        variables: its params and batch_stats.
        dataset: with labels.
        output: folder, gets `NN.png`.
        tta: as in the evaluation.
        count: number of images, evenly spread over the data set.
    """
    variables = predictor.put_variables(variables)
    output.mkdir(parents=True, exist_ok=True)
    chosen = np.linspace(0, len(dataset) - 1, min(count, len(dataset))).astype(int)
    for place, index in enumerate(chosen):
        sample = dataset.sample(int(index), np.random.default_rng(0))
        truth = sample["gt_seg_map"]
        images = np.stack([sample["img"]] * len(predictor.devices))
        label_maps = predict_label_maps(predictor, variables, images, truth.shape, tta)
        image = Image.fromarray(as_rgb(sample["img"]))
        # The image is at the test scale, the maps at its original size.
        image = np.asarray(image.resize(truth.shape[::-1], Image.BILINEAR))
        save_prediction_grid(
            output / f"{place:02d}.png",
            image,
            truth,
            np.asarray(label_maps)[0],
            dataset.metainfo["classes"],
            dataset.metainfo["palette"],
        )

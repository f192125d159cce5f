"""Predictions as pictures."""

import collections
import dataclasses
import glob
import logging
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from PIL import Image

from input_pipeline.decode import SUFFIXES
from input_pipeline.errors import DataError
from jaxseg.config import ConfigError
from jaxseg.errors import JaxsegError
from jaxseg.inference import videos
from jaxseg.inference.label_maps import predict_label_maps
from jaxseg.inference.loaded import SegModel, check_predicts_classes
from jaxseg.inference.output_formats import DEFAULT_FORMATS, predict_to_files
from jaxseg.inference.predictor import Predictor
from jaxseg.inference.videos import VIDEO_SUFFIXES, is_camera, is_video
from jaxseg.settings.tta import TestTimeAug
from jaxseg.visualize import as_rgb, save_depth_grid, save_prediction_grid

_log = logging.getLogger("jaxseg")


class NotPredictedError(JaxsegError):
    """Images that could not be read, or that the model does not take."""


def find_images(pattern: str, output: Path | None = None) -> list[Path]:
    """The image files of a path: one file, a folder's (at any depth), or a glob's.

    A video is taken where it is named, and a number that is no file is a camera's.

    Args:
        pattern: the path.
        output: the folder that predictions go to; what a folder or a glob has in it is
            left out, for it would be the pictures of an earlier run.

    Raises:
        ConfigError: if there is none, or the path is a URL.
    """
    if pattern.startswith(("http://", "https://")):
        raise ConfigError(
            f"--input {pattern} is a URL; fetch it first: curl -LO {shlex.quote(pattern)}"
        )
    path = Path(pattern)
    if path.is_file() or is_camera(path):
        return [path]
    if path.is_dir():
        found = _images_below(path)
    else:
        found = [Path(name) for name in glob.glob(pattern, recursive=True)]
        found = [p for p in found if p.is_file()]
    if output is not None:
        folder = output.absolute()
        found = [p for p in found if not p.absolute().is_relative_to(folder)]
    if not found:
        raise ConfigError(
            f"--input {pattern}: no image there; it takes a file, a glob, a folder with "
            f"{', '.join(SUFFIXES)}, a video ({', '.join(VIDEO_SUFFIXES)}), or the "
            "number of a camera"
        )
    return sorted(found)


def _images_below(folder):
    """A folder's images at any depth; the log says what it leaves out."""
    files = [p for p in folder.rglob("*") if p.is_file()]
    found = [p for p in files if p.suffix.lower() in SUFFIXES]
    suffixes = (p.suffix.lower() for p in files)
    others = collections.Counter(
        s or "no suffix" for s in suffixes if s not in SUFFIXES
    )
    if others:
        kinds = ", ".join(f"{number} of {kind}" for kind, number in others.items())
        _log.info("%s: left out are files with other suffixes: %s", folder, kinds)
    return found


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What became of one image.

    Attributes:
        image: its file.
        file: the file of the first format, such as its index PNG; or None.
        error: why there is none, or None.
    """

    image: Path
    file: Path | None = None
    error: Exception | None = None


def predict_files(
    model: SegModel,
    images: list[Path],
    output: Path,
    formats: tuple[str, ...] | None = None,
) -> Iterator[Prediction]:
    """Predicts images one by one; of several processes each takes its share.

    An image that cannot be read, or that the model does not take, ends nothing: the
    others are predicted.

    Args:
        model: from `load_model`.
        images: files of images and videos, and numbers of cameras.
        output: folder; gets a folder a format: `labels/NAME.png` (class indices with
            the palette), `overlays/NAME.jpg`, ... Names keep their folders below the
            common one.
        formats: some of `FORMATS`; by default `DEFAULT_FORMATS`, of a video
            `videos.DEFAULT_FORMATS`.

    Yields:
        Each image of this process, when it is done.
    """
    check_predicts_classes(model.segmentor, "files of label maps are written")
    stems = unique_stems(images)
    # Several processes share the images.
    mine = slice(jax.process_index(), None, jax.process_count())
    for path, stem in zip(images[mine], stems[mine], strict=True):
        try:
            if is_video(path):
                chosen = formats or videos.DEFAULT_FORMATS
                file = videos.predict_video(model, path, stem, output, chosen)
            else:
                chosen = formats or DEFAULT_FORMATS
                file = predict_to_files(model, path, stem, output, chosen)
        except (JaxsegError, DataError) as error:
            yield Prediction(path, error=error)
            continue
        yield Prediction(path, file)


def unique_stems(images: Sequence[Path]) -> list[Path]:
    """Names of results, below the common folder of their images, no two the same.

    The file's name without its suffix; where several would have it, `a_png` of a.png;
    where another file has that, the whole name.
    """
    whole = [path.absolute() for path in images]
    root = os.path.commonpath([path.parent for path in whole])
    files = [path.relative_to(root) for path in whole]
    forms = (
        lambda file: file.with_suffix(""),
        lambda file: file.with_name(file.name.replace(".", "_")),
        lambda file: file,
    )
    stems = [forms[0](file) for file in files]
    for form in forms[1:]:
        counts = collections.Counter(stems)
        stems = [
            form(file) if counts[stem] > 1 else stem
            for file, stem in zip(files, stems, strict=True)
        ]
    return stems


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
        predictor: the predictor of the model.
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
        size = sample[predictor.model.predicted_key].shape
        images = np.stack([sample["img"]] * len(predictor.devices))
        label_maps = predict_label_maps(predictor, variables, images, size, tta)
        label_map = np.asarray(label_maps)[0]
        save_sample_grid(output / f"{place:02d}.png", sample, label_map, dataset)


def save_sample_grid(
    path: Path, sample: Mapping[str, Any], label_map: np.ndarray, dataset: Any
) -> None:
    """Writes image | ground truth, where there is one | prediction of a sample.

    Args:
        path: the picture.
        sample: its image is at the test scale, its label at the original size.
        label_map: the prediction, at the original size; depths where it is of floats.
        dataset: whose classes and palette they are.
    """
    image = Image.fromarray(as_rgb(sample["img"]))
    image = np.asarray(image.resize(label_map.shape[::-1], Image.BILINEAR))
    if label_map.dtype.kind == "f":
        save_depth_grid(path, image, sample.get("gt_depth_map"), label_map)
        return
    save_prediction_grid(
        path,
        image,
        sample.get("gt_seg_map"),
        label_map,
        dataset.metainfo["classes"],
        dataset.metainfo["palette"],
    )

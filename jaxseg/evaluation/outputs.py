"""Outputs of a run over a data set: a submission, label maps, pictures."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from input_pipeline.sources import SegDataset
from input_pipeline.submission import submitted_names, submitted_values
from jaxseg.config import ConfigError
from jaxseg.inference.label_files import save_palette_png
from jaxseg.inference.pictures import save_sample_grid, unique_stems


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What is written of each image; None writes nothing.

    Attributes:
        format_only: folder of a submission, for which no labels are needed. Nothing is
            scored then.
        show_dir: folder of pictures: image, label where there is one, prediction.
        out: folder of label maps, palette PNGs of the classes.
        out_probabilities: whether `out` also gets NAME.npy, float32 (H, W,
            out_channels), the probabilities.
    """

    format_only: Path | None = None
    show_dir: Path | None = None
    out: Path | None = None
    out_probabilities: bool = False

    def writers(self, dataset: SegDataset) -> list[Any]:
        """One sink for each of the folders, which are made.

        Args:
            dataset: whose images are predicted.

        Raises:
            DataError: if it has no form of a submission.
        """
        makers = {"format_only": Submission, "show_dir": Pictures, "out": LabelMaps}
        folders = {key: getattr(self, key) for key in makers}
        return [
            makers[key](folder, dataset)
            for key, folder in folders.items()
            if folder is not None
        ]


NO_OUTPUTS = Outputs()


class Submission:
    """Writes label maps with the values and under the names that a test server takes."""

    def __init__(self, folder: Path, dataset: SegDataset):
        self._folder = folder
        self._values = submitted_values(dataset.parts()[0])
        self._names = submitted_names(dataset)
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(
        self, sample: Mapping[str, Any], pred: np.ndarray, probabilities: Any
    ) -> None:
        if pred.dtype.kind == "f":
            raise ConfigError(
                "format_only writes submissions of classes, not of depths"
            )
        name = self._names[sample["img_path"]]
        Image.fromarray(self._values[pred]).save(self._folder / name)


class _Named:
    """Writes files under names that no two images share."""

    def __init__(self, folder: Path, dataset: SegDataset):
        self._folder = folder
        self._dataset = dataset
        images = list(dict.fromkeys(image for image, _ in dataset.files()))
        stems = unique_stems([Path(image) for image in images]) if images else []
        self._stems = dict(zip(images, stems, strict=True))
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, sample: Mapping[str, Any], suffix: str) -> Path:
        # What a source that holds pixels calls them may be no name of a file.
        stem = self._stems.get(sample["img_path"], f"{sample['number']:06d}")
        path = self._folder / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


class LabelMaps(_Named):
    """Writes index PNGs with the palette, and the probabilities where it gets them.

    Of depths it writes NAME.npy, float32 (H, W).
    """

    def __call__(
        self, sample: Mapping[str, Any], pred: np.ndarray, probabilities: Any
    ) -> None:
        if pred.dtype.kind == "f":
            np.save(self._path(sample, ".npy"), pred)
            return
        palette = self._dataset.metainfo["palette"]
        save_palette_png(self._path(sample, ".png"), pred, palette)
        if probabilities is not None:
            np.save(self._path(sample, ".npy"), probabilities)


class Pictures(_Named):
    """Writes image | label | prediction, with a legend."""

    def __call__(
        self, sample: Mapping[str, Any], pred: np.ndarray, probabilities: Any
    ) -> None:
        save_sample_grid(self._path(sample, ".png"), sample, pred, self._dataset)

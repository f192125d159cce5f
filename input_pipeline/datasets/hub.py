"""Hugging Face data sets with an image and a mask column (https://hf.co/docs/datasets)."""

import dataclasses
import os
from typing import Any

from input_pipeline.datasets.encoded import EncodedDataset
from input_pipeline.errors import DataError
from input_pipeline.formats.files import read_bytes


@dataclasses.dataclass(eq=False)
class HubDataset(EncodedDataset):
    """A split of a data set of the Hub, or of a folder in one of its forms.

    Attributes:
        path: name on the Hub ('USER/NAME'), a folder that `save_to_disk` wrote, or a
            folder of parquet files.
        name: its configuration, where it has several.
        split: 'train', 'validation', 'train[:90%]'.
        image_key, label_key: columns with pictures.
        revision: commit or tag on the Hub; name one, so that the data stay the same.
        cache_dir: where downloads go; '' is the library's own default.
        The others are EncodedDataset's.

    Raises:
        DataError: the library is not installed, or finds no such data set; no such
            column, or one without pictures.
    """

    path: str = ""
    name: str | None = None
    split: str = "train"
    image_key: str = "image"
    label_key: str = "label"
    revision: str | None = None
    cache_dir: str = ""

    def _open(self):
        try:
            import datasets  # seconds to import; few data sets need it
        except ImportError as error:
            raise DataError(
                "HubDataset needs Hugging Face's datasets: pip install 'jaxseg[hub]'."
            ) from error
        try:
            table = self._load(datasets)
        except Exception as error:  # the library has errors of every type
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self._label()} cannot be loaded: {reason}") from error
        for key in (self.image_key, self.label_key):
            kind = table.features.get(key)
            if not isinstance(kind, datasets.Image):
                raise DataError(
                    f"{self._label()}: {key!r} is no column of pictures; those are "
                    f"{[k for k, f in table.features.items() if isinstance(f, datasets.Image)]} "
                    "(image_key, label_key)."
                )
            # As bytes: the library would decode with Pillow, without a limit.
            table = table.cast_column(key, datasets.Image(decode=False))
        self._table = table.select_columns([self.image_key, self.label_key])

    def _load(self, datasets: Any):
        if os.path.isfile(os.path.join(self.path, "state.json")):
            return datasets.load_from_disk(self.path)
        if os.path.isfile(os.path.join(self.path, "dataset_dict.json")):
            return datasets.load_from_disk(self.path)[self.split]
        return datasets.load_dataset(
            self.path,
            self.name,
            split=self.split,
            revision=self.revision,
            cache_dir=self.cache_dir or None,
        )

    def __len__(self) -> int:
        return len(self._table)

    def _encoded(self, index: int) -> tuple[str, bytes, bytes]:
        row = self._table[index]
        cells = row[self.image_key], row[self.label_key]
        name = f"{self.path}_{self.split}_{index:06d}"
        if None in cells:
            raise DataError(f"{name}: no image, or no label.")
        image, label = (c["bytes"] or read_bytes(c["path"]) for c in cells)
        return name, image, label

    def _label(self) -> str:
        return f"HubDataset {self.path}, split {self.split!r}"

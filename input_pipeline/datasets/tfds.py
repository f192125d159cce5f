"""Data sets of TensorFlow Datasets, read by index and without TensorFlow."""

import dataclasses

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset, resolve_classes
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class TFDSDataset(SegDataset):
    """A split of a TFDS data set that is prepared as array_record files.

    `tfds build NAME --file_format=array_record` prepares one (this step alone may need
    TensorFlow, as the data set's own script wishes).

    Attributes:
      name: TFDS name, for instance 'scene_parse150' or 'oxford_iiit_pet:4.0.0'.
      split: TFDS split, for instance 'train' or 'train[:90%]'.
      data_dir: where TFDS keeps its data; '' is TFDS's own default.
      image_key: feature with the image, (H, W, C).
      label_key: feature with the label, (H, W), (H, W, 1), or (H, W, 3) where classes
        are given as colours.
      metainfo: `classes` and `palette`; see `resolve_classes`. Holds the resolved
        ones afterwards.
      reduce_zero_label: label 0 means "ignore", label 1 is class 0, and so on.
      ignore_index: label of pixels that count nowhere.
      label_map: class of each label, where they differ.
      pipeline: transforms of a sample.

    Raises:
      DataError: no such data set or split on disk, an empty split, or no such
        feature.
    """

    name: str
    split: str
    data_dir: str = ""
    image_key: str = "image"
    label_key: str = "segmentation_mask"
    metainfo: dict = dataclasses.field(default_factory=dict)
    reduce_zero_label: bool = False
    ignore_index: int = 255
    label_map: dict | None = None
    pipeline: tuple[Transform, ...] = ()

    def __post_init__(self):
        self.metainfo, _, self.file_palette = resolve_classes(
            f"TFDSDataset {self.name}", (), self.metainfo
        )
        self._source = self._open()
        features = self._source.dataset_info.features
        for key in (self.image_key, self.label_key):
            if key not in features:
                raise DataError(
                    f"{self._label()} has no feature {key!r}; it has {list(features)} "
                    "(image_key, label_key)."
                )

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        example = self._source[index]
        labels = np.asarray(example[self.label_key])
        if labels.ndim == 3 and labels.shape[-1] == 1:
            labels = labels[..., 0]
        sample = {
            "img": np.asarray(example[self.image_key]),
            "gt_seg_map": labels,
            "img_path": f"{self.name}_{self.split}_{index:06d}.png",
        }
        return sample | self.facts()

    def __getstate__(self) -> dict:
        # The open files do not travel to a worker process; it opens its own.
        return {k: v for k, v in vars(self).items() if k != "_source"}

    def __setstate__(self, state: dict):
        vars(self).update(state)
        self._source = self._open()

    def _label(self) -> str:
        return f"TFDSDataset {self.name}, split {self.split!r}"

    def _open(self):
        import tensorflow_datasets as tfds  # a second to import; few data sets need it

        try:
            return tfds.data_source(
                self.name,
                split=self.split,
                data_dir=self.data_dir or None,
                download=False,
            )
        except (tfds.core.DatasetNotFoundError, AssertionError, ValueError) as error:
            reason = str(error).partition("\n")[0]  # then every data set TFDS knows
            raise DataError(
                f"{self._label()} cannot be read from "
                f"{self.data_dir or 'the default TFDS folder'}: {reason} "
                "Where it is missing, prepare it as array_record files: "
                f"tfds build {self.name} --file_format=array_record"
            ) from error

"""TensorFlow Datasets, read by index and without TensorFlow."""

import dataclasses
import inspect
import os

import numpy as np

from input_pipeline.class_list import resolve_classes
from input_pipeline.decode import decode_image, decode_label
from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS, check_size
from input_pipeline.formats.tfds_folder import check_features, find_folder
from input_pipeline.scan import reading
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class TFDSDataset(SegDataset):
    """A split of a TFDS data set that is prepared as array_record files.

    `tfds build NAME --file_format=array_record` prepares one (this step alone may need
    TensorFlow, as the data set's own script wishes).

    Attributes:
        name: TFDS name, for instance 'scene_parse150' or 'oxford_iiit_pet:4.0.0'. The
            newest version on disk is read if none is said.
        split: TFDS split, for instance 'train' or 'train[:90%]'.
        data_dir: where TFDS keeps its data; '' is TFDS's own default, TFDS_DATA_DIR or
            ~/tensorflow_datasets.
        image_key: feature with the image, (H, W, C).
        label_key: feature with the label, (H, W), (H, W, 1), or (H, W, 3) where classes
            are given as colours.
        metainfo: `classes` and `palette`; see `resolve_classes`. Holds the resolved
            ones afterwards.
        reduce_zero_label: label 0 means "ignore", label 1 is class 0, and so on.
        ignore_index: label of pixels that count nowhere.
        label_map: class of each label, where they differ.
        pipeline: transforms of a sample.

    Pictures are decoded as those of files are, 'unchanged', within the limit of the
    pipeline's LoadImageFromFile.

    Raises:
        DataError: no such data set or split on disk, an empty split, no such feature,
            or features that are not of TFDS's own classes.
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
        self.metainfo, self.label_map, self.file_palette = resolve_classes(
            f"TFDSDataset {self.name}",
            (),
            self.metainfo,
            self.ignore_index,
            self.label_map,
            self.reduce_zero_label,
            self.data_dir,
        )
        self._source, self._features = self._open()

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < len(self):
            raise IndexError(f"sample {index} of a data set of {len(self)}")
        try:
            example = self._features.deserialize_example_np(
                self._source[index], decoders=self._decoders()
            )
        except Exception as error:  # those of ArrayRecord and of protobuf
            raise DataError(
                f"{self._label()}: example {index} is damaged ({error})."
            ) from error
        labels = self._pixels(example, self.label_key, index, decode_label)
        if labels.ndim == 3 and labels.shape[-1] == 1:
            labels = labels[..., 0]
        sample = {
            "img": self._pixels(example, self.image_key, index, _decode_unchanged),
            "gt_seg_map": labels,
            "img_path": f"{self.name}_{self.split}_{index:06d}.png",
        }
        return sample | self.facts()

    def _pixels(self, example, key, index, decode):
        """The array of a feature: a picture is decoded here, numbers are there."""
        source = f"{self._label()}, example {index}, {key}"
        max_pixels = reading(self).get("max_pixels", MAX_PIXELS)
        if isinstance(example[key], bytes):
            return decode(example[key], source, max_pixels=max_pixels)
        array = np.asarray(example[key])
        if array.ndim in (2, 3):
            check_size(source, array.shape, array.dtype, max_pixels)
        return array

    def _decoders(self):
        """The decoders of TFDS; pictures have none, so that their bytes stay."""
        import tensorflow_datasets as tfds

        return {
            key: tfds.decode.SkipDecoding()
            for key, feature in self._features.items()
            if isinstance(feature, tfds.features.Image)
        }

    def __getstate__(self) -> dict:
        # The open files do not travel to a worker process; it opens its own.
        opened = ("_source", "_features")
        return {k: v for k, v in vars(self).items() if k not in opened}

    def __setstate__(self, state: dict):
        vars(self).update(state)
        self._source, self._features = self._open()

    def _label(self) -> str:
        return f"TFDSDataset {self.name}, split {self.split!r}"

    def _open(self):
        """The examples as bytes, and the two features that are read of them."""
        import tensorflow_datasets as tfds  # a second to import; few data sets need it

        default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
        data_dir = os.path.expanduser(self.data_dir or default)
        try:
            folder = find_folder(self.name, data_dir)
            check_features(folder, _own_classes(tfds.features))
            builder = tfds.builder_from_directory(folder)
            source = builder.as_data_source(
                split=self.split,
                deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES,
            )
            features = builder.info.features
        except Exception as error:  # TFDS has errors of every type for damaged files
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"{self._label()} cannot be read from {data_dir}: {reason} "
                "Where it is missing, prepare it as array_record files: "
                f"tfds build {self.name} --file_format=array_record"
            ) from error
        for key in (self.image_key, self.label_key):
            if key not in features:
                raise DataError(
                    f"{self._label()} has no feature {key!r}; it has {sorted(features)} "
                    "(image_key, label_key)."
                )
            if not isinstance(
                features[key], tfds.features.Tensor | tfds.features.Image
            ):
                raise DataError(
                    f"{self._label()}: the feature {key!r} is of type "
                    f"{type(features[key]).__name__}; allowed are Image and Tensor."
                )
        wanted = {key: features[key] for key in (self.image_key, self.label_key)}
        return source, tfds.features.FeaturesDict(wanted)


def _decode_unchanged(data: bytes, source: str, max_pixels: int) -> np.ndarray:
    return decode_image(data, source, "unchanged", max_pixels)


def _is_read(feature, module) -> bool:
    """Whether a feature is of pictures or plain numbers; packed ones have no limit."""
    stored = feature.get_serialized_info()
    is_plain = not isinstance(stored, dict) and stored.dtype != np.object_
    is_numbers = isinstance(feature, module.Tensor) and is_plain
    return is_numbers or isinstance(feature, module.Image)


def _own_classes(module) -> set[str]:
    """Full names of TFDS's own features."""
    kinds = [kind for kind in vars(module).values() if inspect.isclass(kind)]
    return {f"{kind.__module__}.{kind.__name__}" for kind in kinds}

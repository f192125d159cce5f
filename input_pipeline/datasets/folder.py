"""A data set of two folders, images and labels, in MMSegmentation's vocabulary."""

import collections
import dataclasses
import os
from typing import ClassVar

from input_pipeline.class_list import resolve_classes
from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset, some_of
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(eq=False)
class BaseSegDataset(SegDataset):
    """Images and labels in two folders, paired by name; sub-folders are walked.

    With paths and a class list it serves for one's own data; a subclass sets `CLASSES`
    and the defaults of a published data set. Files are listed and paired when the
    object is made, so that what is missing shows before training. Samples are sorted
    by image path, or in the order of `ann_file`.

    Attributes:
      data_root: prefix of the other paths.
      data_prefix: `img_path` and `seg_map_path`, the two folders. Without (or with
        None for) `seg_map_path` the samples have no labels.
      ann_file: a text file of one stem a line (a path below the image folder, without
        the suffix); '' takes every image of the folder.
      img_suffix: end of an image's name, or several ('.jpg', '.png') to choose from.
      seg_map_suffix: what stands instead of it in the label's name.
      metainfo: `classes` and `palette`; see `resolve_classes`. Holds the resolved
        ones afterwards.
      reduce_zero_label: label 0 means "ignore", label 1 is class 0, and so on.
      ignore_index: label of pixels that count nowhere.
      label_map: class of each label in the files, for instance {0: 0, 255: 1}.
      pipeline: transforms of a sample.

    Raises:
      DataError: a folder or list file that does not exist, an image without its label
        or a label without its image, a split without images.
    """

    CLASSES: ClassVar[tuple] = ()  # (name, (r, g, b)) by label

    data_root: str = ""
    data_prefix: dict = dataclasses.field(
        default_factory=lambda: {"img_path": "", "seg_map_path": ""}
    )
    ann_file: str = ""
    img_suffix: str | tuple[str, ...] = ".jpg"
    seg_map_suffix: str = ".png"
    metainfo: dict = dataclasses.field(default_factory=dict)
    reduce_zero_label: bool = False
    ignore_index: int = 255
    label_map: dict | None = None
    pipeline: tuple[Transform, ...] = ()

    def __post_init__(self):
        self.metainfo, self.label_map, self.file_palette = resolve_classes(
            type(self).__name__,
            self.CLASSES,
            self.metainfo,
            self.ignore_index,
            self.label_map,
            self.reduce_zero_label,
            self.data_root,
        )
        self._pairs = self._list_files()

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict:
        image, label = self._pairs[index]
        paths = {"img_path": image}
        if label is not None:
            paths["seg_map_path"] = label
        return paths | self.facts()

    def files(self) -> list[tuple[str, str | None]]:
        return self._pairs

    def _list_files(self) -> list[tuple[str, str | None]]:
        unknown = sorted(set(self.data_prefix) - {"img_path", "seg_map_path"})
        if unknown:
            raise DataError(
                f"{type(self).__name__}: data_prefix has the unknown keys {unknown}; "
                "it may have 'img_path' and 'seg_map_path'."
            )
        img_dir = self._folder("img_path", self.data_prefix.get("img_path") or "")
        found = _walk(img_dir)
        images = self._listed(img_dir, found) if self.ann_file else self._all(found)
        if not images:
            raise DataError(self._nothing(img_dir, found))

        if self.data_prefix.get("seg_map_path") is None:
            return [(os.path.join(img_dir, image), None) for image in images]
        seg_dir = self._folder("seg_map_path", self.data_prefix["seg_map_path"])
        labels = self._pair(images, img_dir, seg_dir)
        return [
            (os.path.join(img_dir, image), os.path.join(seg_dir, label))
            for image, label in zip(images, labels, strict=True)
        ]

    def _folder(self, key: str, prefix: str) -> str:
        folder = os.path.join(self.data_root, prefix).rstrip("/") or "."
        if not os.path.isdir(folder):
            raise DataError(
                f"{type(self).__name__}: the folder {folder} does not exist "
                f"(data_root={self.data_root!r}, data_prefix.{key}={prefix!r})."
            )
        return folder

    def _suffix(self, name: str) -> str:
        """The longest image suffix that `name` ends in, or ''."""
        several = isinstance(self.img_suffix, tuple)
        suffixes = self.img_suffix if several else (self.img_suffix,)
        return max((s for s in suffixes if name.endswith(s)), key=len, default="")

    def _all(self, found: list[str]) -> list[str]:
        return [name for name in found if self._suffix(name)]

    def _listed(self, img_dir: str, found: list[str]) -> list[str]:
        """Images named in `ann_file`, in its order."""
        path = os.path.join(self.data_root, self.ann_file)
        if not os.path.isfile(path):
            raise DataError(
                f"{type(self).__name__}: the list file {path} does not exist "
                f"(data_root={self.data_root!r}, ann_file={self.ann_file!r})."
            )
        with open(path, encoding="utf-8") as lines:
            stems = [line.strip() for line in lines if line.strip()]
        by_stem = {
            name.removesuffix(self._suffix(name)): name for name in self._all(found)
        }
        absent = [stem for stem in stems if stem not in by_stem]
        if absent:
            raise DataError(
                f"{type(self).__name__}: {path} names {len(absent)} of {len(stems)} "
                f"images that are not in {img_dir} with the suffix "
                f"{self.img_suffix!r} (it holds {found[:1] or 'no files'}, ...):\n"
                f"{some_of(absent)}"
            )
        return [by_stem[stem] for stem in stems]

    def _pair(self, images: list[str], img_dir: str, seg_dir: str) -> list[str]:
        """Label names of `images`; every one exists, and no label is left over."""
        owner = type(self).__name__
        labels = [
            image.removesuffix(self._suffix(image)) + self.seg_map_suffix
            for image in images
        ]
        existing = {n for n in _walk(seg_dir) if n.endswith(self.seg_map_suffix)}
        missing = [
            f"{image} -> {label}"
            for image, label in zip(images, labels, strict=True)
            if label not in existing
        ]
        if missing:
            raise DataError(
                f"{owner}: {len(missing)} of {len(images)} images in {img_dir} have "
                f"no label in {seg_dir}:\n{some_of(missing)}"
            )
        if self.ann_file:
            return labels
        if len(set(labels)) < len(labels):
            shared = sorted(n for n, k in collections.Counter(labels).items() if k > 1)
            raise DataError(
                f"{owner}: several images in {img_dir} share one label in {seg_dir}:\n"
                f"{some_of(shared)}"
            )
        alone = sorted(
            existing.difference(labels, images if img_dir == seg_dir else ())
        )
        if alone:
            raise DataError(
                f"{owner}: {len(alone)} labels in {seg_dir} have no image in {img_dir} "
                f"(image suffix {self.img_suffix!r}):\n{some_of(alone)}\n"
                "Remove them, or name the wanted ones in ann_file."
            )
        return labels

    def _nothing(self, img_dir: str, found: list[str]) -> str:
        if self.ann_file:
            path = os.path.join(self.data_root, self.ann_file)
            return f"{type(self).__name__}: the list file {path} names no image."
        kinds = collections.Counter(os.path.splitext(name)[1] for name in found)
        held = ", ".join(f"{n} {kind or 'others'}" for kind, n in kinds.most_common(5))
        return (
            f"{type(self).__name__}: no image in {img_dir}: no name there ends in "
            f"{self.img_suffix!r} (it holds {held or 'no files'}; img_suffix)."
        )


def _walk(folder: str) -> list[str]:
    """Files below `folder`, hidden ones aside, as sorted paths relative to it."""
    names = []
    # Data folders are often links to another disk.
    for place, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inner = os.path.relpath(place, folder)
        visible = (name for name in files if not name.startswith("."))
        names.extend(os.path.normpath(os.path.join(inner, name)) for name in visible)
    return sorted(names)

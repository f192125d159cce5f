"""Folder data set: images and labels in two folders, in MMSegmentation's vocabulary."""

import collections
import dataclasses
import logging
import os
from collections.abc import Collection
from typing import ClassVar

from input_pipeline.class_list import resolve_labels
from input_pipeline.decode import SUFFIXES
from input_pipeline.errors import DataError
from input_pipeline.folders import files_below
from input_pipeline.lists import read_names
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.match import (
    has_shapes,
    is_for_all,
    shapes_in_file,
    shapes_of_masks,
)
from input_pipeline.shapes.paint import Painter
from input_pipeline.shapes.shape import ImageShapes
from input_pipeline.sources import SegDataset, some_of
from input_pipeline.transforms.transform import Transform

_log = logging.getLogger("jaxseg")


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
            None for) `seg_map_path` the samples have no labels. It may be one file with
            the annotations of all images, or have a '*' for the names of several masks
            an image; see docs/data.md.
        ann_file: a text file of one stem a line (a path below the image folder, without
            the suffix); '' takes every image of the folder.
        img_suffix: end of an image's name, or several ('.jpg', '.png') to choose from;
            small and capital letters are the same.
        seg_map_suffix: what stands instead of it in the label's name.
        metainfo: `classes` and `palette`; see `resolve_classes`. Holds the resolved
            ones afterwards.
        reduce_zero_label: label 0 means "ignore", label 1 is class 0, and so on.
        ignore_index: label of pixels that count nowhere.
        label_map: class of each label in the files: of a number, as {0: 0, 255: 1}, of
            a name, or of a colour, as {'#ff0000': 1}. Holds the numbers afterwards.
        pipeline: transforms of a sample.
        annotations: how polygons, masks and tables are read and painted.

    Raises:
        DataError: a folder or list file that does not exist, an image without its label
            or a label without its image, a split without images.
    """

    CLASSES: ClassVar[tuple] = ()  # (name, (r, g, b)) by label
    PREFIXES: ClassVar[tuple[str, ...]] = ("img_path", "seg_map_path")
    # Which of them holds the labels, and what a record calls the file of one.
    LABEL_PATH: ClassVar[str] = "seg_map_path"
    # What its test server takes: see `input_pipeline.submission`.
    SUBMITTED: ClassVar[tuple[int, ...]] = ()
    SUBMITTED_SUFFIX: ClassVar[str] = ".png"

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
    annotations: Annotations = dataclasses.field(default_factory=Annotations)

    def __post_init__(self):
        self.metainfo, self.label_map, self.file_palette, self._names = resolve_labels(
            type(self).__name__,
            self.CLASSES,
            self.metainfo,
            self.ignore_index,
            self.label_map,
            self.reduce_zero_label,
            self.data_root,
        )
        self._painter = None
        self._shapes: dict[str, ImageShapes] = {}  # by path of an image
        self._pairs = self._list_files()

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> dict:
        image, label = self._pairs[index]
        paths = {"img_path": image}
        if label is not None:
            paths[self.LABEL_PATH] = label
            if self._painter is not None:
                paths["painter"] = self._painter
            if image in self._shapes:
                paths["shapes"] = self._shapes[image]
        return paths | self.facts()

    def files(self) -> list[tuple[str, str | None]]:
        if self._painter is not None:
            return [(image, None) for image, _ in self._pairs]
        return self._pairs

    def stems(self) -> list[str]:
        """The path of each sample's image below the image folder, without its suffix."""
        folder = os.path.join(self.data_root, self.data_prefix.get("img_path") or "")
        names = [os.path.relpath(image, folder or ".") for image, _ in self._pairs]
        return [name.removesuffix(self._suffix(name)) for name in names]

    def make_painter(self) -> Painter:
        """What draws shapes with the classes of this data set."""
        return Painter(
            self.metainfo["classes"],
            self._names,
            self.label_map or {},
            self.reduce_zero_label,
            self.ignore_index,
            self.annotations,
        )

    def _list_files(self) -> list[tuple[str, str | None]]:
        self._check_prefixes()
        img_dir, found = self._open_folder("img_path")
        images = self._listed(img_dir, found) if self.ann_file else self._all(found)
        if not images:
            raise DataError(self._nothing(img_dir, found))
        if self.data_prefix.get(self.LABEL_PATH) is None:
            self._say_what_is_left(img_dir, found)
            return [(os.path.join(img_dir, image), None) for image in images]
        seg_path = os.path.join(self.data_root, self.data_prefix[self.LABEL_PATH])
        if is_for_all(seg_path, self.seg_map_suffix):
            self._painter = self.make_painter()
            return self._with_shapes(images, img_dir, seg_path)
        seg_dir, stored = self._open_folder(self.LABEL_PATH)
        paths = (os.path.join(seg_dir, name) for name in stored)
        if has_shapes(paths, self.seg_map_suffix):
            self._painter = self.make_painter()
        self._say_what_is_left(img_dir, found, seg_dir)
        labels = self._pair(images, img_dir, seg_dir, stored)
        return self._complete(dict(zip(images, labels, strict=True)), img_dir, seg_dir)

    def _with_shapes(self, images: list[str], img_dir: str, seg_path: str):
        """Pairs of images and the file, or folder, of their shapes."""
        stems = {image.removesuffix(self._suffix(image)): image for image in images}
        if os.path.isfile(seg_path):
            found = shapes_in_file(
                seg_path, stems, self.annotations, bool(self.ann_file)
            )
        else:
            by_stem = shapes_of_masks(seg_path, self.seg_map_suffix, list(stems))
            found = {stems[stem]: shapes for stem, shapes in by_stem.items()}
        self._shapes = {os.path.join(img_dir, k): shapes for k, shapes in found.items()}
        labels = {image: "" if image in found else None for image in images}
        missing = [image for image, label in labels.items() if label is None]
        if missing and self.annotations.missing == "refuse":
            raise DataError(
                f"{type(self).__name__}: {len(missing)} of {len(images)} images in "
                f"{img_dir} have no annotation in {seg_path}:\n{some_of(missing)}\n"
                "If nothing is in them, set annotations=dict(missing='background'); to "
                "do without them, 'leave_out'."
            )
        return self._complete(labels, img_dir, seg_path)

    def _complete(self, labels: dict[str, str | None], img_dir: str, seg_dir: str):
        """Pairs of paths; of an image without a label (None) as `missing` says."""
        pairs = []
        for name, label in labels.items():
            image = os.path.join(img_dir, name)
            if label is None and self.annotations.missing == "leave_out":
                continue
            if label is None:
                self._shapes[image] = ImageShapes("", ())
            pairs.append((image, os.path.join(seg_dir, label) if label else seg_dir))
        if not pairs:
            raise DataError(
                f"{type(self).__name__}: no image in {img_dir} has a label."
            )
        return pairs

    def _check_prefixes(self):
        unknown = sorted(set(self.data_prefix) - set(self.PREFIXES))
        if unknown:
            raise DataError(
                f"{type(self).__name__}: data_prefix has the unknown keys {unknown}; "
                f"it may have {' and '.join(map(repr, self.PREFIXES))}."
            )
        for key, prefix in self.data_prefix.items():
            if not isinstance(prefix, str | None):
                raise DataError(
                    f"{type(self).__name__}: data_prefix.{key} is {prefix!r}; it takes "
                    "the path of a folder."
                )

    def _open_folder(self, key: str) -> tuple[str, list[str]]:
        """A folder of `data_prefix`, and the names of the files below it."""
        prefix = self.data_prefix.get(key) or ""
        folder = os.path.join(self.data_root, prefix).rstrip("/") or "."
        try:
            return folder, files_below(folder)
        except DataError as error:
            cause = error.__cause__
            if not isinstance(cause, FileNotFoundError | NotADirectoryError):
                raise
            raise DataError(
                f"{type(self).__name__}: the folder {folder} does not exist "
                f"(data_root={self.data_root!r}, data_prefix.{key}={prefix!r})."
            ) from error

    def _suffix(self, name: str) -> str:
        """How `name` ends, if that is an image suffix (the longest) in either case."""
        several = isinstance(self.img_suffix, tuple)
        suffixes = self.img_suffix if several else (self.img_suffix,)
        return max((_end(name, suffix) for suffix in suffixes), key=len, default="")

    def _all(self, found: list[str]) -> list[str]:
        return [name for name in found if self._suffix(name)]

    def _say_what_is_left(self, img_dir: str, found: list[str], seg_dir: str = ""):
        """Warns of pictures in the image folder that are neither images nor labels."""
        if self.ann_file:
            return
        inner = os.path.relpath(seg_dir, img_dir) + "/" if seg_dir else "../"
        kinds = collections.Counter(
            os.path.splitext(name)[1].lower()
            for name in found
            if not self._suffix(name)
            and not name.startswith(inner)
            and not (inner == "./" and _end(name, self.seg_map_suffix))
        )
        kinds = {kind: n for kind, n in kinds.items() if kind in SUFFIXES}
        if kinds:
            _log.warning(
                "%s: %s in %s are left out: their names do not end in img_suffix=%r",
                type(self).__name__,
                ", ".join(f"{n} {kind} files" for kind, n in sorted(kinds.items())),
                img_dir,
                self.img_suffix,
            )

    def _listed(self, img_dir: str, found: list[str]) -> list[str]:
        """Images named in `ann_file`, in its order."""
        path = os.path.join(self.data_root, self.ann_file)
        if not os.path.isfile(path):
            raise DataError(
                f"{type(self).__name__}: the list file {path} does not exist "
                f"(data_root={self.data_root!r}, ann_file={self.ann_file!r})."
            )
        stems = read_names(path)
        by_stem = collections.defaultdict(list)
        for name in self._all(found):
            by_stem[name.removesuffix(self._suffix(name))].append(name)
        absent = [stem for stem in stems if stem not in by_stem]
        if absent:
            raise DataError(
                f"{type(self).__name__}: {path} names {len(absent)} of {len(stems)} "
                f"images that are not in {img_dir} with the suffix "
                f"{self.img_suffix!r} (it holds {found[:1] or 'no files'}, ...):\n"
                f"{some_of(absent)}{self._what_to_strip(absent[0], by_stem)}"
            )
        several = [name for stem in stems for name in by_stem[stem][1:]]
        if several:
            raise DataError(
                f"{type(self).__name__}: {path} names {len(several)} stems of which "
                f"{img_dir} has two images:\n{some_of(several)}"
            )
        return [by_stem[stem][0] for stem in stems]

    def _what_to_strip(self, line: str, stems: Collection[str]) -> str:
        """What a line of a list file should be, if one with less in it is an image."""
        image = line.replace(",", " ").split()[:1] or [line]
        parts = image[0].split("/")
        for first in range(len(parts)):
            name = "/".join(parts[first:])
            for stem in (name, name.removesuffix(self._suffix(name))):
                if stem in stems:
                    return (
                        f"\nIn place of {line!r} it should say {stem!r}: one image a "
                        "line, by its path below the image folder, without its suffix. "
                        "Its label is found by data_prefix.seg_map_path and "
                        "seg_map_suffix."
                    )
        return ""

    def _pair(
        self, images: list[str], img_dir: str, seg_dir: str, stored: list[str]
    ) -> list[str | None]:
        """Label names of `images`, and no label is left over.

        A label that does not exist is None, if `annotations.missing` allows it.
        """
        owner = type(self).__name__
        wanted = [
            image.removesuffix(self._suffix(image)) + self.seg_map_suffix
            for image in images
        ]
        labels = [name for name in stored if _end(name, self.seg_map_suffix)]
        existing = {
            name.removesuffix(_end(name, self.seg_map_suffix))
            + self.seg_map_suffix: name
            for name in labels
        }
        existing |= {name: name for name in labels}  # of two, the one as it is said
        missing = [
            f"{image} -> {label}"
            for image, label in zip(images, wanted, strict=True)
            if label not in existing
        ]
        rule = self.annotations.missing
        if missing and (rule, self._painter) == ("background", None):
            raise DataError(
                f"{owner}: annotations.missing='background' is for polygons and masks; "
                f"of {len(missing)} images in {img_dir} the class map is missing in "
                f"{seg_dir}."
            )
        if missing and rule == "refuse":
            raise DataError(
                f"{owner}: {len(missing)} of {len(images)} images in {img_dir} have "
                f"no label in {seg_dir}:\n{some_of(missing)}"
            )
        paired = [existing.get(label) for label in wanted]
        if self.ann_file:
            return paired
        counts = collections.Counter(label for label in paired if label is not None)
        if counts.total() > len(counts):
            shared = sorted(name for name, count in counts.items() if count > 1)
            raise DataError(
                f"{owner}: several images in {img_dir} share one label in {seg_dir}:\n"
                f"{some_of(shared)}"
            )
        alone = sorted(
            set(labels).difference(paired, images if img_dir == seg_dir else ())
        )
        if alone:
            raise DataError(
                f"{owner}: {len(alone)} labels in {seg_dir} have no image in {img_dir} "
                f"(image suffix {self.img_suffix!r}):\n{some_of(alone)}\n"
                "Remove them, or name the wanted ones in ann_file."
            )
        return paired

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


def _end(name: str, suffix: str) -> str:
    """The end of `name` that is `suffix`, but for the case of its letters; or ''."""
    matches = name.lower().endswith(suffix.lower())
    return name[len(name) - len(suffix) :] if matches else ""

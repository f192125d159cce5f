"""Splits: the data sets of a config, or of two folders, even if files are missing."""

import collections
import dataclasses
import os
from collections.abc import Collection, Mapping
from typing import Any

from input_pipeline import datasets, transforms
from input_pipeline.datasets import BaseSegDataset, ConcatDataset
from input_pipeline.decode import SUFFIXES, read_image
from input_pipeline.errors import DataError
from input_pipeline.folders import files_below
from input_pipeline.shapes.match import has_shapes, is_for_all
from input_pipeline.shapes.paint import Painter
from input_pipeline.shapes.read import SUFFIXES as SHAPE_SUFFIXES
from input_pipeline.sources import SegDataset
from jaxseg.config import ConfigError
from jaxseg.diagnose.findings import Finding, error
from jaxseg.diagnose.shape_names import settings_of_shapes
from jaxseg.registry import lookup
from jaxseg.resolve import resolve

TABLES = (datasets, transforms)

LABEL_SUFFIXES = (*SUFFIXES, ".mat", *SHAPE_SUFFIXES)


@dataclasses.dataclass
class Split:
    """One data set to look at.

    Attributes:
        name: 'train', 'val', or 'data' for a pair of folders.
        path: where it stands in the config, or the folders.
        dataset: every sample once, whatever repeats it; None if it cannot be opened.
        findings: what was wrong with the list of its files.
        named: whether its classes are known; otherwise every id is a class.
        color_type: with which the images of two folders are read.
    """

    name: str
    path: str
    dataset: SegDataset | None
    findings: list[Finding]
    named: bool = True
    color_type: str = "color"


def open_split(name: str, config: Mapping[str, Any], path: str) -> Split:
    """Opens the data set of a config; missing files become findings.

    Args:
        name: the name of the split.
        config: the `dataset` of a loader, perhaps in a RepeatDataset or ConcatDataset.
        path: where it stands in the config, for errors.
    """
    parts, findings = [], []
    for leaf, place in _leaves(config, path):
        part, found = _open_leaf(name, leaf, place)
        findings += found
        if part is not None:
            parts.append(part)
    if len(parts) < 2:
        return Split(name, path, parts[0] if parts else None, findings)
    try:
        return Split(name, path, ConcatDataset(tuple(parts)), findings)
    except DataError as refusal:
        findings.append(
            error(name, "config", f"{path}: {refusal} Only datasets.0 was read.")
        )
        return Split(name, path, parts[0], findings)


def open_folders(
    images: str,
    labels: str,
    classes: tuple[str, ...],
    img_suffix: str | None = None,
    seg_map_suffix: str | None = None,
) -> tuple[Split, dict[str, Any]]:
    """Opens a folder of images and one of labels.

    Args:
        images: folder, walked at any depth.
        labels: likewise; or one file with the annotations of all images, or a path with
            a '*' for the names of several masks an image.
        classes: names by label id; empty if they are not known.
        img_suffix: end of an image's name; None finds it out.
        seg_map_suffix: what stands instead of it in the label's name; likewise.

    Returns:
        The split, and the config of its data set.

    Raises:
        ConfigError: a folder that does not exist or holds no image.
    """
    found = _files_in(images, SUFFIXES), []
    if is_for_all(labels, seg_map_suffix or ""):
        seg_map_suffix = seg_map_suffix or ".png"
        img = (img_suffix,) if img_suffix else _kinds(found[0])
        seg = seg_map_suffix
    else:
        found = found[0], _files_in(labels, LABEL_SUFFIXES)
        img, seg = _best_suffixes(*found, img_suffix, seg_map_suffix)
    config = {
        "type": "BaseSegDataset",
        "data_prefix": {"img_path": images, "seg_map_path": labels},
        "img_suffix": img[0] if len(img) == 1 else list(img),
        "seg_map_suffix": seg,
        "metainfo": {"classes": list(classes or ("unknown",))},
    }
    if not classes:
        stems = [stem_of(name, img) for name in found[0]]
        shapes = settings_of_shapes(labels, seg, found[1], stems)
        config |= shapes
        classes = bool(shapes)
    color_type = _color_type(next(n for n in found[0] if n.endswith(img)), images)
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
    if color_type != "color":
        pipeline[0]["color_type"] = color_type
    split = open_split("data", config | {"pipeline": pipeline}, images)
    split.named, split.color_type = bool(classes), color_type
    return split, config


@dataclasses.dataclass(eq=False)
class PairedFiles(SegDataset):
    """A folder data set with those labels that there are.

    Attributes:
        source: the data set, without labels.
        pairs: its (image, label) paths; None for a label that is missing.
        painter: of labels that are shapes.
    """

    source: SegDataset
    pairs: list[tuple[str, str | None]]
    painter: Painter | None = None

    def __post_init__(self):
        source = self.source
        self.metainfo, self.pipeline = source.metainfo, source.pipeline
        self.ignore_index = source.ignore_index
        self.reduce_zero_label = source.reduce_zero_label
        self.label_map, self.file_palette = source.label_map, source.file_palette

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> dict:
        image, label = self.pairs[index]
        paths = {"img_path": image}
        if label is not None:
            paths["seg_map_path"] = label
            if self.painter is not None:
                paths["painter"] = self.painter
        return paths | self.facts()

    def files(self) -> list[tuple[str, str | None]]:
        return self.pairs


def _leaves(config, path):
    """(config, path) of the data sets inside the wrappers."""
    if isinstance(config.get("dataset"), Mapping):
        yield from _leaves(config["dataset"], f"{path}.dataset")
    elif isinstance(config.get("datasets"), list):
        for i, part in enumerate(config["datasets"]):
            yield from _leaves(part, f"{path}.datasets.{i}")
    else:
        yield config, path


def _open_leaf(name, config, path):
    """(data set or None, findings)"""
    try:
        return resolve(config, path, TABLES), []
    except ConfigError as refusal:
        failure = error(name, "cannot be opened", str(refusal))
    # A folder data set refuses as a whole where one file is missing. What is there
    # can be read all the same: list images and labels apart, and pair them here.
    try:
        cls = lookup(config.get("type", ""), path, TABLES)
        if not issubclass(cls, BaseSegDataset):
            return None, [failure]
        return _pair_what_exists(name, config, path, cls, failure)
    except (ConfigError, DataError):
        return None, [failure]


def _pair_what_exists(name, config, path, cls, failure):
    default = cls.__dataclass_fields__["data_prefix"].default_factory()
    prefix = config.get("data_prefix", default)
    only_images = {"img_path": prefix.get("img_path")}
    source = resolve(
        {**config, "data_prefix": only_images, "ann_file": ""}, path, TABLES
    )
    img_dir = os.path.join(source.data_root, only_images["img_path"] or "")
    images = {
        stem_of(os.path.relpath(image, img_dir or "."), source.img_suffix): image
        for image, _ in source.files()
    }
    findings = []
    list_file = config.get("ann_file")
    if list_file:
        images, absent = _listed(images, os.path.join(source.data_root, list_file))
        if absent:
            text = f"{list_file} names {len(absent)} images that are not in {img_dir}:"
            findings.append(error(name, "listed, not there", text, absent))
    seg_prefix = prefix.get("seg_map_path")
    if seg_prefix is None:
        pairs = [(image, None) for image in images.values()]
        return PairedFiles(source, pairs), findings or [failure]

    labels = _labels_in(source, seg_prefix)
    seg_dir = os.path.join(source.data_root, seg_prefix)
    pairs = [(image, labels.get(stem)) for stem, image in images.items()]
    bare = [image for image, label in pairs if label is None]
    alone = [label for stem, label in labels.items() if stem not in images]
    if bare:
        text = (
            f"{len(bare)} of {len(pairs)} images have no label in {seg_dir} "
            f"(img_suffix={source.img_suffix!r}, seg_map_suffix="
            f"{source.seg_map_suffix!r} say which names go together):"
        )
        findings.append(error(name, "image without label", text, bare))
    if alone and not list_file:
        text = f"{len(alone)} labels in {seg_dir} have no image in {img_dir}:"
        findings.append(error(name, "label without image", text, alone))
    is_drawn = has_shapes(labels.values(), source.seg_map_suffix)
    painter = source.make_painter() if is_drawn else None
    return PairedFiles(source, pairs, painter), findings or [failure]


def _labels_in(source, seg_prefix):
    """{stem: path} of the labels of a folder data set, with or without an image."""
    listed = BaseSegDataset(
        data_root=source.data_root,
        data_prefix={"img_path": seg_prefix},
        img_suffix=source.seg_map_suffix,
        metainfo={"classes": ("any",)},
    )
    folder = os.path.join(source.data_root, seg_prefix) or "."
    return {
        stem_of(os.path.relpath(label, folder), source.seg_map_suffix): label
        for label, _ in listed.files()
    }


def _listed(images, list_file):
    with open(list_file, encoding="utf-8") as lines:
        stems = [line.strip() for line in lines if line.strip()]
    there = {stem: images[stem] for stem in stems if stem in images}
    return there, [stem for stem in stems if stem not in images]


def stem_of(name: str, suffixes: str | Collection[str]) -> str:
    """A name without that of the suffixes (the longest) in which it ends."""
    suffixes = (suffixes,) if isinstance(suffixes, str) else suffixes
    fits = [suffix for suffix in suffixes if name.endswith(suffix)]
    return name.removesuffix(max(fits, key=len, default=""))


def _best_suffixes(images, labels, img_suffix, seg_map_suffix):
    """(ends of images' names, end of labels' names) that pair most files."""
    if img_suffix and seg_map_suffix:
        return (img_suffix,), seg_map_suffix
    suffixes = (
        [(img_suffix,)] if img_suffix else _image_suffixes(images),
        [seg_map_suffix] if seg_map_suffix else _label_suffixes(labels),
    )
    pairs = [(img, seg) for img in suffixes[0] for seg in suffixes[1]]
    # The first of the best: plain file types before longer ends of names.
    return max(pairs, key=lambda pair: _num_pairs(images, labels, *pair))


def _files_in(folder, suffixes):
    if not os.path.isdir(folder):
        raise ConfigError(f"{folder}: there is no such folder")
    names = [n for n in files_below(folder) if n.lower().endswith(suffixes)]
    if not names:
        raise ConfigError(
            f"{folder}: there is no image or label in it; its name ends in "
            f"{', '.join(suffixes)}"
        )
    return names


def _kinds(names):
    kinds = collections.Counter(os.path.splitext(name)[1] for name in names)
    return tuple(kind for kind, _ in kinds.most_common())


def _image_suffixes(names):
    return [_kinds(names), *((end,) for end in _common_ends(names))]


def _label_suffixes(names):
    return [*_kinds(names), *_common_ends(names)]


def _common_ends(names):
    """Ends that start at a mark and that most names share: `_manual1.gif`."""
    ends = collections.Counter(
        name[at:]
        for name in map(os.path.basename, names)
        for at, mark in enumerate(name)
        if mark in "_-."
    )
    return [end for end, count in ends.most_common() if count > len(names) / 2]


def _num_pairs(images, labels, img_suffix, seg_map_suffix):
    stems = {stem_of(n, seg_map_suffix) for n in labels if n.endswith(seg_map_suffix)}
    return sum(
        stem_of(n, img_suffix) in stems for n in images if n.endswith(img_suffix)
    )


def _color_type(name, folder):
    """'color', or 'unchanged' where the pixels have no 8-bit colour form."""
    path = os.path.join(folder, name)
    try:
        read_image(path, "color")
    except DataError:
        try:
            read_image(path, "unchanged")
        except DataError:
            return "color"  # damaged: nothing is known of the others
        return "unchanged"
    return "color"

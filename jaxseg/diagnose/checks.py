"""Checks: from the numbers of a data set to what is wrong with it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.loader import collate
from input_pipeline.scan import scan
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import RandomCrop
from jaxseg.config import ConfigError
from jaxseg.diagnose.findings import Finding, error, warning
from jaxseg.diagnose.sample import first_of, name_of
from jaxseg.diagnose.splits import Split
from jaxseg.diagnose.tally import KEPT, Tally
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.checks import (
    check_classes,
    check_ignored,
    check_model_sizes,
    check_sides,
    check_targets,
    check_test_pipeline,
)
from jaxseg.resolve import resolve_model
from jaxseg.segmentors.init_variables import init_variables

# Normalised pixels of a data set that suits its normalisation have a mean near 0 and a
# deviation near 1; dark or one-coloured ones reach 1.5 and 0.4. Values scaled to 0..1
# or of 16 bits are far outside these.
_MEAN_LIMIT = 2.0
_STD_LIMITS = (0.2, 5.0)

_FAULTS = {
    "unreadable image": "images cannot be read",
    "unreadable label": "labels cannot be read",
    "unreadable sample": "samples cannot be read",
    "other size": "labels have another size than their image",
    "labels that are refused": "labels are refused by LoadAnnotations",
    "binary mask": "labels are masks of 0 and 255 for two classes, where 255 would be "
    "ignored; label_map={0: 0, 255: 1} makes it class 1, {255: 255} says that it is "
    "meant to be ignored",
}

# Samples that are drawn through the pipeline for a try.
_DRAWN = 8


def check_split(split: Split, tally: Tally) -> list[Finding]:
    """What is wrong with a split by itself, beside the list of its files."""
    name, dataset = split.name, split.dataset
    found = list(split.findings)
    if dataset is None:
        return found
    for kind, (count, texts) in tally.faults.items():
        text = f"{count} {_FAULTS[kind]}:"
        found.append(error(name, kind, text, texts, count))
    if not tally.labels:
        text = f"{split.path}: no sample has a label that can be read"
        found.append(error(name, "no labels", text))
        return found
    if split.named:
        found += _check_ids(name, dataset, tally)
        found += _check_classes_occur(name, dataset, tally)
        found += _check_background(name, dataset)
    found += _check_ignored(name, dataset, tally)
    found += _check_kinds(name, tally)
    if tally.copies:
        pairs = [
            f"{name_of(dataset, one)} is {name_of(dataset, other)}"
            for one, other in tally.copies[:KEPT]
        ]
        text = (
            f"{len(tally.copies)} images are copies, pixel for pixel, of earlier ones:"
        )
        found.append(warning(name, "copies", text, pairs, len(tally.copies)))
    return found


def _check_ids(name, dataset, tally):
    """Ids that are neither a class nor ignored."""
    if not tally.outside:
        return
    count = len(dataset.metainfo["classes"])
    lines = [
        f"id {one}: {t.pixels} pixels in {t.images} labels, first in "
        f"{label_of(dataset, t.first)}"
        for one, t in sorted(tally.outside.items())
    ]
    text = (
        f"{len(lines)} label ids are neither one of the {count} classes (0.."
        f"{count - 1}, after reduce_zero_label={dataset.reduce_zero_label} and "
        f"label_map) nor ignore_index={dataset.ignore_index}:"
    )
    yield error(name, "ids out of range", text, lines[:KEPT], len(lines))


def _check_classes_occur(name, dataset, tally):
    classes = dataset.metainfo["classes"]
    absent = [c for i, c in enumerate(classes) if i not in tally.classes]
    present = len(classes) - len(absent)
    if present == 1 and len(classes) > 1 and name != "val":
        (only,) = tally.classes
        text = f"all labelled pixels are {classes[only]!r}: there is nothing to learn"
        yield error(name, "one class", text)
    elif absent and present:
        what = "their scores will be NaN" if name == "val" else "none can be learnt"
        text = f"{len(absent)} of {len(classes)} classes never occur, {what}:"
        yield warning(name, "class never occurs", text, absent)


def _check_background(name, dataset):
    """A class that is ignored as well, of which a model learns nothing."""
    classes, ignored = dataset.metainfo["classes"], dataset.ignore_index
    if ignored < len(classes):
        text = (
            f"ignore_index={ignored} is the place of the class {classes[ignored]!r}: its "
            "pixels count nowhere. Use 255, or leave the class out"
        )
        yield error(name, "class is ignored", text)
    first = classes[0].strip("_ ").lower()
    if dataset.reduce_zero_label and first in ("background", "bg"):
        text = (
            f"reduce_zero_label ignores label 0, and the first class, which is label 1, "
            f"is called {classes[0]!r}: if label 0 is the background, leave out either "
            "reduce_zero_label or the name"
        )
        yield warning(name, "class is ignored", text)


def _check_ignored(name, dataset, tally):
    if not tally.pixels:
        return  # refused, every one
    if not tally.classes:
        text = f"no pixel of the {tally.labels} labels is of a class"
        yield error(name, "nothing labelled", text)
        return
    if tally.nothing:
        names = [label_of(dataset, i) for i in tally.nothing[:KEPT]]
        text = f"{len(tally.nothing)} labels have no pixel of a class:"
        yield warning(name, "nothing labelled", text, names, len(tally.nothing))
    share = tally.ignored / tally.pixels
    if share > 0.5:
        text = f"{share:.0%} of the label pixels are ignored"
        yield warning(name, "ignored", text)


def _check_kinds(name, tally):
    """Images that do not fit into one batch, and labels of several kinds."""
    if len(tally.types) > 1:
        kinds = ", ".join(
            f"{n} of {channels} x {dtype}"
            for (channels, dtype), n in tally.types.most_common()
        )
        text = f"the images have different channels or types, as loaded: {kinds}"
        yield error(name, "mixed images", text)
    if len(tally.stored_labels) > 1:
        kinds = ", ".join(
            f"{n} {kind}" for kind, n in tally.stored_labels.most_common()
        )
        text = f"the labels are of different kinds: {kinds}; do they mean the same ids?"
        yield warning(name, "mixed labels", text)


def label_of(dataset: SegDataset, index: int) -> str:
    """The label file of a sample, or what stands for it: of shapes, the image."""
    files = dataset.files()
    if not files:
        return f"sample {index}"
    image, label = files[index]
    return label or image


def check_leak(
    train: SegDataset, train_tally: Tally, val: SegDataset, val_tally: Tally
) -> list[Finding]:
    """Images of the validation that are in the training, too."""
    same = [
        (val_tally.digests[digest], train_tally.digests[digest])
        for digest in val_tally.digests
        if digest in train_tally.digests
    ]
    if not same:
        return []
    pairs = [f"{name_of(val, v)} is {name_of(train, t)}" for v, t in same[:KEPT]]
    text = (
        f"{len(same)} of {val_tally.images} validation images are pixel for pixel in "
        "the training set, too, so that the scores are too good:"
    )
    return [error("val", "leak", text, pairs, len(same))]


def check_splits_agree(train: SegDataset, val: SegDataset) -> list[Finding]:
    """Classes of the two splits, which one model learns and is scored on."""
    ours, theirs = train.metainfo["classes"], val.metainfo["classes"]
    if ours == theirs:
        return []
    text = (
        f"train has the classes {', '.join(ours)}, val {', '.join(theirs)}: they must be "
        "the same, in the same order"
    )
    return [error("", "classes differ", text)]


def check_model(
    model: Any, dataset: SegDataset, path: str, name: str, tally: Tally
) -> list[Finding]:
    """Whether a model's numbers fit those of a split.

    Args:
        model: the segmentor, resolved; it is not run and has no weights.
        dataset: the data set of the split.
        path: where it stands in the config.
        name: the name of the split.
        tally: the tally of the split.
    """
    found = []
    try:
        check_classes(model, dataset, path)
        if name == "train":
            check_ignored(model, dataset, path)
    except ConfigError as refusal:
        found.append(error(name, "model and classes", str(refusal)))
    takes = model.in_channels
    others = {channels for channels, _ in tally.types} - {takes}
    if others:
        text = (
            f"model.backbone.in_channels is {takes}, but images have "
            f"{', '.join(map(str, sorted(others)))} channels as loaded; "
            "LoadImageFromFile.color_type says which are read"
        )
        found.append(error(name, "model and channels", text))
    return [*found, *_check_normalisation(model.data_preprocessor, name, tally)]


def check_sizes(
    model: Any | None, dataset: SegDataset, path: str, name: str
) -> list[Finding]:
    """Whether the pipeline and the model take the sizes of all images.

    Args:
        model: the segmentor; None where there is none, or `tta` scales for it.
        dataset: the data set of the split.
        path: where it stands in the config.
        name: the name of the split.
    """
    size_of = scan(dataset, max_bad=len(dataset)).size_of
    found = _refusals(name, "image sides", check_sides, dataset, size_of, path)
    if name == "val":
        found += _refusals(name, "resized labels", check_test_pipeline, dataset, path)
    if name == "val" and model is not None:
        found += _refusals(
            name,
            "model and sizes",
            check_model_sizes,
            model,
            dataset,
            size_of,
            None,
            path,
        )
    return found


def check_model_targets(
    model: Any, samples: Sequence[dict], path: str
) -> list[Finding]:
    """Whether training samples have what the losses of a model read."""
    return [
        finding
        for sample in samples[:1]
        for finding in _refusals("train", "targets", check_targets, model, sample, path)
    ]


def check_training(
    model: Any,
    samples: Sequence[dict],
    batch_size: int,
    size: Sequence[int] | None,
) -> list[Finding]:
    """Whether a model trains on its batches; by shapes alone, on one device.

    Args:
        model: the segmentor, which has what its losses read.
        samples: as they leave the pipeline.
        batch_size: the batch size of train_dataloader.
        size: model.data_preprocessor.size, (height, width), or None.
    """
    if not samples:
        return []
    height, width = size or samples[0]["img"].shape[:2]
    rows = (batch_size, height, width)
    targets = {
        key: jax.ShapeDtypeStruct(rows, samples[0][key].dtype)
        for key in model.target_keys
    }
    images = jax.ShapeDtypeStruct((*rows, model.in_channels), np.float32)

    def losses(images, targets):
        variables = init_variables(model, 0, model.in_channels, (height, width))
        keys = dict.fromkeys(("dropout", "sample"), jax.random.key(0))
        return model.apply(
            variables,
            images,
            targets,
            method="loss",
            mutable=["batch_stats"],
            rngs=keys,
        )

    try:
        jax.eval_shape(losses, images, targets)
    except (ConfigError, ModelSizeError) as refusal:
        return [error("train", "model and batches", f"model: {refusal}")]
    return []


def _refusals(name, kind, ask, *arguments):
    try:
        ask(*arguments)
    except ConfigError as refusal:
        return [error(name, kind, str(refusal))]
    return []


def normalised(preprocessor: Any, tally: Tally) -> tuple[np.ndarray, np.ndarray] | None:
    """(mean, std) a channel, of RGB where there are three, as the model gets them.

    None where the preprocessor does not normalise or has other channels.
    """
    if preprocessor.mean is None or len(tally.moments) != 1:
        return None
    ((channels, moments),) = tally.moments.items()
    mean, std = np.array(preprocessor.mean), np.array(preprocessor.std)
    if len(mean) not in (1, channels):
        return None
    if channels == 3 and not preprocessor.bgr_to_rgb:
        mean, std = mean[::-1], std[::-1]
    return (moments.mean - mean) / std, moments.std / std


def _check_normalisation(preprocessor, name, tally):
    got = normalised(preprocessor, tally)
    if got is None:
        return
    mean, std = got
    low, high = _STD_LIMITS
    if np.abs(mean).max() > _MEAN_LIMIT or std.min() < low or std.max() > high:
        text = (
            "after model.data_preprocessor the pixels have mean "
            f"{np.round(mean, 2).tolist()} and standard deviation "
            f"{np.round(std, 2).tolist()} a channel, where about 0 and 1 are wanted: "
            "are mean and std in the units of these images?"
        )
        yield warning(name, "normalisation", text)


def draw_samples(dataset: SegDataset, tally: Tally) -> tuple[list[dict], list[str]]:
    """Runs a few sound samples through the pipeline, the smallest and largest first.

    Returns:
        samples: as the loader would get them.
        failures: what the pipeline said of those that did not come through.
    """
    by_area = sorted(tally.sizes, key=lambda size: (min(size), max(size)))
    chosen = [tally.sizes[s][1] for s in (*by_area[:2], *by_area[-2:])]
    step = max(1, len(dataset) // _DRAWN)
    chosen = dict.fromkeys([*chosen, *range(0, len(dataset), step)])
    sound = [i for i in chosen if i not in tally.faulty][:_DRAWN]
    samples, failures = [], []
    for index in sound:
        try:
            samples.append(dataset.sample(index, np.random.default_rng(index)))
        except Exception as failure:  # noqa: BLE001 - a transform may be the user's
            text = f"{type(failure).__name__}: {failure}"
            failures.append(f"{name_of(dataset, index)}: {text}")
    return samples, failures


def check_pipeline(
    name: str,
    dataset: SegDataset,
    drawn: tuple[list[dict], list[str]],
    batch_size: int,
    size: Iterable[int] | None,
) -> list[Finding]:
    """Whether the pipeline runs, and its samples make batches.

    Args:
        name: the name of the split.
        dataset: the data set of the split.
        drawn: what `draw_samples` gave.
        batch_size: samples of a training batch; 0 for a split that makes none.
        size: model.data_preprocessor.size, (height, width), or None.
    """
    samples, failures = drawn
    found = []
    if failures:
        count = len(failures) + len(samples)
        text = f"{len(failures)} of {count} samples drawn fail in the pipeline:"
        found.append(error(name, "pipeline", text, failures))
    if not samples or not batch_size:
        return found
    size = tuple(size) if size else None
    batches = [samples] if batch_size > 1 else [[sample] for sample in samples]
    try:
        for batch in batches:
            collate(batch, size, dataset.ignore_index)
    except DataError as refusal:
        return [*found, error(name, "batches", str(refusal))]
    crop = first_of(dataset, RandomCrop)
    wanted = size or (crop.size if crop else None)
    if wanted is None:
        return found
    small = [s["img_shape"] for s in samples if _is_smaller(s["img_shape"], wanted)]
    if small:
        sizes = ", ".join(f"{h}x{w}" for h, w in dict.fromkeys(small))
        text = (
            f"{len(small)} of {len(samples)} samples drawn leave the pipeline smaller "
            f"({sizes}) than {wanted[0]}x{wanted[1]} (height x width), and are padded: "
            "a smaller crop, or a larger scale before it, wastes less"
        )
        found.append(warning(name, "crop", text))
    return found


def _is_smaller(shape, wanted):
    return shape[0] < wanted[0] or shape[1] < wanted[1]


def read_model(config: Mapping[str, Any]) -> tuple[Any | None, list[Finding]]:
    """The segmentor of a config, without weights; None where it has none of use."""
    if not config.get("model"):
        text = "the config has no model that jaxseg can build, so none is compared"
        return None, [warning("", "model", text)]
    try:
        return resolve_model(config["model"]), []
    except ConfigError as refusal:
        return None, [error("", "model", str(refusal))]

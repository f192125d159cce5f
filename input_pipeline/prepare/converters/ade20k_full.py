"""ADE20K, the full release: thousands of objects and their parts, in colours of PNG."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.formats.json_text import parse_json
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import (
    Converter,
    Count,
    Option,
    Outputs,
    Plan,
    Task,
)
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import copied, read_colours, text
from input_pipeline.prepare.splits import folders
from input_pipeline.sources import some_of

_CLASSES = "ade20k_full_classes.txt"
_PARTS = (("training", "train", 25574), ("validation", "val", 2000))
# 255 is the label of all other pixels.
_MOST_CLASSES = 254
_MOST_JSON = 1 << 28
# What share of a label may be of classes that the image's JSON does not name.
_STRANGE = 0.01


def objects_png(
    label: Member, facts: Member, to: str, numbers: Sequence[int]
) -> Outputs:
    """A label as PNG: the place of its class in `numbers`, 255 where it is no such one.

    The class is R / 10 * 256 + G, B tells instances apart
    (https://github.com/CSAILVision/ADE20K, utils/utils_ade20k.py).

    Args:
        label: NAME_seg.png or NAME_parts_N.png.
        facts: the image's JSON, which names what is in it.
        to: where to.
        numbers: of the classes that are kept.
    """
    red, green, _ = np.moveaxis(read_colours(label).astype(np.int32), 2, 0)
    if (red % 10).any():
        raise DataError(
            f"{label}: has reds of {np.unique(red[red % 10 > 0])[:5].tolist()}; those of "
            "ADE20K are tens. Was the label compressed with loss, or resized?"
        )
    found = red // 10 * 256 + green
    known = {0, *(number for number, _, _ in _objects(facts))}
    strange = ~np.isin(found, list(known))
    if strange.mean() > _STRANGE:
        raise DataError(
            f"{label}: {strange.mean():.1%} of the pixels are of the classes "
            f"{np.unique(found[strange])[:5].tolist()}, which {facts} does not name."
        )
    table = np.full(found.max() + max(numbers) + 1, 255, np.uint8)
    table[list(numbers)] = np.arange(len(numbers))
    yield to, as_png(table[found])


def _objects(member: Member) -> list[tuple[int, str, int]]:
    """(number of the class, its name, level: 0 or that of a part) of all objects."""
    data = read_member(member, _MOST_JSON)
    try:
        data.decode()
    except UnicodeDecodeError:  # some files are in Latin-1
        data = data.decode("latin-1").encode()
    content = parse_json(data, str(member))
    try:
        return [
            (int(one["name_ndx"]), str(one["name"]), int(one["parts"]["part_level"]))
            for one in content["annotation"]["object"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{member}: not as in ADE20K_2021_17_01: annotation.object has no name_ndx, "
            f"name and parts.part_level ({error!r})."
        ) from error


def _most_frequent(
    facts: Mapping[str, Member], level: int, how_many: int
) -> tuple[dict[int, str], int, int]:
    """The classes that most images have.

    Returns:
        {number: name}, the most frequent first; the number of images of the last; how
        many classes there are at all.
    """
    names, images = {}, collections.Counter()
    for member in facts.values():
        found = {number: name for number, name, at in _objects(member) if at == level}
        names |= found
        images.update(found.keys())
    ordered = sorted(images, key=lambda number: (-images[number], number))[:how_many]
    if not ordered:
        raise DataError(f"ade20k_full: no object is of level {level}.")
    called = collections.Counter(names[number] for number in ordered)
    kept = {
        number: names[number]
        if called[names[number]] == 1
        else f"{names[number]} ({number})"
        for number in ordered
    }
    return kept, images[ordered[-1]], len(images)


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    level, how_many = options["level"], options["num_classes"]
    if not 1 <= how_many <= _MOST_CLASSES:
        raise DataError(
            f"ade20k_full: --num_classes={how_many}; it takes 1 to {_MOST_CLASSES}, as "
            "labels have 8 bits."
        )
    end = f"_parts_{level}" if level else "_seg"
    tasks, counts, kept = [], [], {}
    for split, short, expected in _PARTS:
        above = rf"ADE/{split}/(?:[^/]+/)*(ADE_{short}_\d+)"
        images = files.named(rf"{above}\.jpg")
        facts = files.named(rf"{above}\.json")
        labels = files.named(rf"{above}{end}\.png")
        what = f"images of {split}"
        counts.append(Count(what, len(images), expected))
        if level:  # images without parts have no such file
            images = {name: member for name, member in images.items() if name in labels}
        pairs = list(paired(images, labels, files, what))
        without = sorted(set(images) - set(facts))
        if without:
            raise DataError(
                f"ade20k_full: {len(without)} {what} without their JSON:\n"
                f"{some_of(without)}"
            )
        if not kept:
            kept, least, total = _most_frequent(facts, level, how_many)
        for name, image, label in pairs:
            to = f"images/{split}/{name}.jpg", f"annotations/{split}/{name}.png"
            inputs = label, facts[name]
            tasks += [
                Task(copied, (image,), to[:1]),
                Task(objects_png, inputs, (to[1], tuple(kept))),
            ]
    tasks.append(Task(text, (), ("".join(f"{n}\n" for n in kept.values()), _CLASSES)))
    metainfo = {"metainfo": {"classes": _CLASSES}}
    note = (
        f"{len(kept)} of {total} classes are kept, each in {least} images of training at "
        f"least: {_CLASSES}"
    )
    return Plan(
        tasks,
        counts,
        [folders("images/training", "annotations/training") | metainfo],
        folders("images/validation", "annotations/validation") | metainfo,
        [note],
    )


ADE20K_FULL = Converter(
    name="ade20k_full",
    title="ADE20K, the full release with parts, up to 254 of 3688 classes",
    sources=("ADE20K_2021_17_01.zip",),
    url="https://groups.csail.mit.edu/vision/datasets/ADE20K",
    licence="research and education; images of their owners; registration",
    size="27574 images, 4 GB",
    layout="images/ADE/{training,validation}/SCENE/*.jpg, *_seg.png, *_parts_N.png, "
    "*.json",
    dataset="BaseSegDataset",
    home="data/ade/ADE20K_full",
    plan=_plan,
    options=(
        Option("level", 0, "0 takes objects, 1 their parts, 2 parts of parts"),
        Option("num_classes", 150, "how many of the most frequent classes are kept"),
    ),
    checks="A label's class is R / 10 * 256 + G. The names are those of the JSON files, "
    f"which are all read before anything is written; the classes go to {_CLASSES}, the "
    "one in most images of training first, and a config has "
    f"metainfo=dict(classes='{_CLASSES}'). All others are ignored. A label more than 1 % "
    "of which its JSON does not name is an error. The release of 2016 has no JSON files, "
    "and is not read.",
)

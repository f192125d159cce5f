"""Divided data sets: images and labels that become a part for `train` and one for `val`."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Count, Outputs, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import copied
from input_pipeline.prepare.splits import folders
from input_pipeline.sources import some_of

TRAIN = folders("images/train", "annotations/train")
VAL = folders("images/val", "annotations/val")

# Gives (name, 'train' or 'val') of the names that a data set has.
Parts = Callable[[Files, Collection[str]], Iterable[tuple[str, str]]]


def divided(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields (name, 'train' or 'val'): of the names in order each fifth is for 'val'."""
    for index, name in enumerate(sorted(names)):
        yield name, "val" if index % 5 == 4 else "train"


def by_fifths(files: Files, names: Collection[str]) -> Iterable[tuple[str, str]]:
    """The parts of a data set that is published without any."""
    del files
    return divided(list(names))


def by_lists(val: str, train: str = "", stem: Callable[[str], str] = str) -> Parts:
    """The parts that published lists name.

    Args:
        val, train: patterns of the text files, a name a line; without `train` it is all
            other names.
        stem: makes the name of an image of a line.

    Raises:
        DataError: a list that is missing, or names what is not there.
    """

    def parts(files: Files, names: Collection[str]) -> Iterator[tuple[str, str]]:
        lists = {"val": val} | ({"train": train} if train else {})
        listed = {
            part: [stem(line) for line in files.lines(pattern, f"the list of {part}")]
            for part, pattern in lists.items()
        }
        if not train:
            listed["train"] = sorted(set(names) - set(listed["val"]))
        return as_listed(files, names, listed)

    return parts


def as_listed(
    files: Files, names: Collection[str], listed: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, str]]:
    """Yields (name, part) of {part: names}.

    Raises:
        DataError: a name that is not there.
    """
    for part, found in listed.items():
        absent = sorted(set(found) - set(names))
        if absent:
            raise DataError(
                f"{', '.join(files.given)}: the list of {part} names {len(absent)} of "
                f"{len(found)} images that are not there with their labels:\n"
                f"{some_of(absent)}"
            )
        yield from ((name, part) for name in found)


def divided_plan(
    images: str,
    labels: str,
    expected: int | None,
    suffix: str,
    make: Callable[..., Outputs],
    *arguments: Any,
    parts: Parts = by_fifths,
    several: bool = False,
) -> Callable[[Files, Mapping[str, Any]], Plan]:
    """A converter's `plan` of pairs, an image and its label each a task.

    Args:
        images, labels: patterns whose groups give the same name.
        expected: published number of images; None where any number is right.
        suffix: of the images, which are copied.
        make: what makes the PNG of a label, with its path and the arguments.
        parts: which image is for 'train' and which for 'val'.
        several: an image has several labels, which `make` gets all.
    """

    def plan(files: Files, options: Mapping[str, Any]) -> Plan:
        del options
        found = files.grouped(labels, several)
        pairs = paired(files.named(images), found, files, "images")
        by_name = {name: (image, label) for name, image, label in pairs}
        tasks = []
        for name, split in parts(files, by_name):
            image, label = by_name[name]
            to = f"annotations/{split}/{name}.png"
            tasks += [
                Task(copied, (image,), (f"images/{split}/{name}{suffix}",)),
                Task(make, label, (to, *arguments)),
            ]
        counts = [] if expected is None else [Count("images", len(by_name), expected)]
        return Plan(tasks, counts, [TRAIN], VAL)

    return plan


DIVIDED = "It is published without parts: of the names in order every fifth is for val."

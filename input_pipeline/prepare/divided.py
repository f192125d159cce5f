"""Divided data sets: those that are published without parts; every fifth is for `val`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from input_pipeline.prepare.converter import Count, Outputs, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import copied
from input_pipeline.prepare.splits import folders

TRAIN = folders("images/train", "annotations/train")
VAL = folders("images/val", "annotations/val")


def divided(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields (name, 'train' or 'val'): of the names in order each fifth is for 'val'."""
    for index, name in enumerate(sorted(names)):
        yield name, "val" if index % 5 == 4 else "train"


def divided_plan(
    images: str,
    labels: str,
    expected: int,
    suffix: str,
    make: Callable[..., Outputs],
    *arguments: Any,
) -> Callable[[Files, Mapping[str, Any]], Plan]:
    """A converter's `plan` of pairs, an image and its label each a task.

    Args:
        images, labels: patterns whose groups give the same name.
        expected: published number of images.
        suffix: of the images, which are copied.
        make: what makes the PNG of a label, with its path and the arguments.
    """

    def plan(files: Files, options: Mapping[str, Any]) -> Plan:
        del options
        pairs = paired(files.named(images), files.named(labels), files, "images")
        by_name = {name: (image, label) for name, image, label in pairs}
        tasks = []
        for name, split in divided(list(by_name)):
            image, label = by_name[name]
            to = f"annotations/{split}/{name}.png"
            tasks += [
                Task(copied, (image,), (f"images/{split}/{name}{suffix}",)),
                Task(make, (label,), (to, *arguments)),
            ]
        counts = [Count("images", len(by_name), expected)]
        return Plan(tasks, counts, [TRAIN], VAL)

    return plan


DIVIDED = "It is published without parts: of the names in order every fifth is for val."

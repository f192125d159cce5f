"""Splits: the plan of a data set that is images and labels, each of which is one task."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from input_pipeline.prepare.converter import Count, Outputs, Plan, Task
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import copied


@dataclasses.dataclass(frozen=True)
class Split:
    """A part of a data set: which files it is, and what becomes of them.

    Attributes:
        name: for counts and errors, such as 'training'.
        images: pattern of the images; its groups, joined by '/', are an image's name.
        labels: pattern of the labels, whose groups give the same name; '' for a part
            without labels, which may be missing.
        image_to, label_to: path in the result, with {} for the name.
        expected: published number of images; None where it is not known.
        image, label: what is made of one: `make` of a Task.
        label_arguments: further ones of `label`.
        several: an image has several labels, which `label` gets all.
    """

    name: str
    images: str
    labels: str
    image_to: str
    label_to: str
    expected: int | None
    image: Callable[..., Outputs] = copied
    label: Callable[..., Outputs] = copied
    label_arguments: tuple = ()
    several: bool = False

    def tasks(self, files: Files) -> tuple[list[Task], list[Count]]:
        """The steps, and the number of images.

        Raises:
            DataError: an image without its label, or the other way round.
        """
        images = files.named(self.images)
        tasks = [
            Task(self.image, (member,), (self.image_to.format(name),))
            for name, member in images.items()
        ]
        counts = []
        if self.expected is not None:
            counts = [Count(f"images of {self.name}", len(images), self.expected)]
        if not self.labels:
            return tasks, counts if images else []
        labels = files.grouped(self.labels, self.several)
        for name, _, found in paired(images, labels, files, f"images of {self.name}"):
            to = self.label_to.format(name)
            tasks.append(Task(self.label, found, (to, *self.label_arguments)))
        return tasks, counts


def split_plan(
    *splits: Split,
    train: Mapping[str, Any],
    val: Mapping[str, Any],
    others: tuple[tuple[str, str, Callable[..., Outputs]], ...] = (),
) -> Callable[[Files, Mapping[str, Any]], Plan]:
    """A converter's `plan` that is nothing but splits.

    Args:
        *splits: the parts.
        train: arguments of the one part that is trained on.
        val: as of Plan.
        others: (pattern, path in the result, what is made) of files that are taken where
            they are found, such as second labels.
    """

    def plan(files: Files, options: Mapping[str, Any]) -> Plan:
        del options
        tasks, counts = [], []
        for split in splits:
            more, count = split.tasks(files)
            tasks += more
            counts += count
        for pattern, to, make in others:
            tasks += [
                Task(make, (member,), (to.format(name),))
                for name, member in files.named(pattern).items()
            ]
        return Plan(tasks, counts, [train], val)

    return plan


def folders(img_path: str, seg_map_path: str) -> dict[str, Any]:
    """Arguments of a data set's class for two folders."""
    return {"data_prefix": {"img_path": img_path, "seg_map_path": seg_map_path}}

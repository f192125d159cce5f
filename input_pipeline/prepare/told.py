"""Told classes: of data sets whose labels say nothing of themselves, a table says it.

The table is classes.txt, given as one of the sources: a line a value, `#804080 road` of
colours or `7 road` of ids. Several lines may name one class; `ignored` is none.
"""

import os
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from input_pipeline.decode import decode_label
from input_pipeline.errors import DataError
from input_pipeline.palette import distinct_palette
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Count, Plan, Task
from input_pipeline.prepare.divided import TRAIN, VAL, divided
from input_pipeline.prepare.files import Files, paired
from input_pipeline.prepare.pixels import colours_png, copied, ids_png

TABLE = "classes.txt"
_IGNORED = "ignored"
_LINE = re.compile(r"(#[0-9a-fA-F]{6}|\d{1,3})\s+(\S.*)")
_MOST_BYTES = 1 << 28
# Labels that are looked at where there is no table.
_LOOKED_AT = 20


def told_plan(files: Files, images: str, labels: str, expected: int | None) -> Plan:
    """A plan of pairs, whose labels a table explains; every fifth is for 'val'.

    Args:
        files: the sources.
        images, labels: patterns whose groups give the same name.
        expected: published number of images; None where any number is right.

    Raises:
        DataError: images with different suffixes; no table, with what the labels hold; a line of it that is none.
    """
    pairs = paired(files.named(images), files.named(labels), files, "images")
    by_name = {name: (image, label) for name, image, label in pairs}
    suffixes = {os.path.splitext(image.path)[1] for image, _ in by_name.values()}
    if len(suffixes) > 1:
        raise DataError(
            f"{', '.join(files.given)}: images that end in {sorted(suffixes)}; expected "
            "is one suffix."
        )
    (suffix,) = suffixes
    if not files.match(re.escape(TABLE)):
        found = _values(label for _, label in list(by_name.values())[:_LOOKED_AT])
        raise DataError(
            f"{', '.join(files.given)}: nothing says which class a value of the labels "
            f"is. {found} Give a file {TABLE} as one more source, with a line for each: "
            f"'VALUE NAME', and '{_IGNORED}' for what is no class."
        )
    table = _read_table(files)
    names = list(dict.fromkeys(name for _, name in table if name != _IGNORED))
    of_name = {name: index for index, name in enumerate(names)} | {_IGNORED: 255}
    if isinstance(table[0][0], tuple):
        make = colours_png
        entries = tuple((of_name[name], value) for value, name in table)
    else:
        make = ids_png
        entries = tuple((value, of_name[name]) for value, name in table)
    tasks = []
    for name, part in divided(list(by_name)):
        image, label = by_name[name]
        to = f"annotations/{part}/{name}.png"
        tasks += [
            Task(copied, (image,), (f"images/{part}/{name}{suffix}",)),
            Task(make, (label,), (to, entries)),
        ]
    metainfo = {"metainfo": {"classes": names, "palette": _palette(names, table)}}
    arguments = {"img_suffix": suffix} | metainfo
    counts = [] if expected is None else [Count("images", len(by_name), expected)]
    return Plan(tasks, counts, [TRAIN | arguments], VAL | arguments)


def _read_table(files: Files) -> list[tuple[Any, str]]:
    """(id or colour, name) of each line."""
    table = []
    lines = files.lines(re.escape(TABLE), TABLE)
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None:
            raise DataError(
                f"{TABLE}: the line {line!r:.80} is not 'VALUE NAME', such as "
                "'#804080 road' or '7 road'."
            )
        text = match[1]
        value = int(text) if text[0] != "#" else tuple(bytes.fromhex(text[1:]))
        table.append((value, match[2]))
    values = [value for value, _ in table]
    if len({type(value) for value in values}) != 1 or len(set(values)) < len(values):
        raise DataError(
            f"{TABLE}: {len(values)} lines; expected are different values, all of them "
            "ids or all of them colours."
        )
    if all(name == _IGNORED for _, name in table):
        raise DataError(f"{TABLE}: names no class.")
    return table


def _palette(names: Sequence[str], table: Sequence[tuple]) -> list[Sequence[int]]:
    """The first colour of each class; of ids, colours that are told apart."""
    if not isinstance(table[0][0], tuple):
        return [list(colour) for colour in distinct_palette(len(names))]
    first = {name: value for value, name in reversed(table)}
    return [list(first[name]) for name in names]


def _values(labels: Iterable[Member]) -> str:
    """A sentence of what some labels hold, the most frequent first."""
    counts = {}
    for member in labels:
        label = decode_label(read_member(member, _MOST_BYTES), str(member))
        pixels = label.reshape(-1, label.shape[2] if label.ndim == 3 else 1)[:, :3]
        found, numbers = np.unique(pixels, axis=0, return_counts=True)
        for value, number in zip(found.tolist(), numbers.tolist(), strict=True):
            counts[tuple(value)] = counts.get(tuple(value), 0) + number
    total = sum(counts.values())
    ordered = sorted(counts, key=lambda value: -counts[value])[:30]
    shares = ", ".join(
        f"{_written(value)} ({counts[value] / total:.1%})" for value in ordered
    )
    return f"The first {_LOOKED_AT} labels have {len(counts)} values: {shares}."


def _written(value: tuple[int, ...]) -> str:
    return str(value[0]) if len(value) == 1 else "#" + bytes(value).hex()

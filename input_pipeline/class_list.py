"""Class lists: the names and colours of a data set's labels, joined with a config's."""

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline.errors import DataError
from input_pipeline.label_map import add_colors, read_label_map
from input_pipeline.lists import read_names
from input_pipeline.palette import distinct_palette

# What people call label 0 where it is no class.
_VOID_NAMES = {"void", "ignore", "ignored", "unlabeled", "unlabelled", "nodata"}


def resolve_classes(
    owner: str,
    known: Sequence[tuple],
    metainfo: Mapping[str, Any],
    ignore_index: int = 255,
    label_map: Mapping | None = None,
    reduce_zero_label: bool = False,
    data_root: str = "",
) -> tuple[dict, dict | None, tuple]:
    """Joins a data set's own classes with the `metainfo` of a config.

    As in MMSegmentation 1.x: `metainfo['classes']` may pick or reorder the classes
    that the data set knows; labels are then renumbered, and those of the others become
    `ignore_index`. A missing palette is that of `distinct_palette`. Unlike there, a
    palette follows its class also where all classes are kept in another order.

    Of a data set that knows none, `label_map` may say that names at the end are no
    classes ('void'): those that it sends to `ignore_index` are left out. The palette
    may go on behind the classes with the colours that it sends elsewhere.

    Args:
        owner: name of the data set, for errors.
        known: the data set's own (name, (r, g, b)) by label; empty for a free one.
        metainfo: `classes`, names or a text file with one a line, and `palette`, one
            (r, g, b) a class; both optional where `known` is given.
        ignore_index: label of pixels that count nowhere.
        label_map: class of each label in the files.
        reduce_zero_label: whether label 0 is taken away.
        data_root: where a file of names is looked for, if not in the current folder.

    Returns:
        metainfo: `classes` and `palette` of the classes that are left.
        label_map: with integers for keys; of the labels in the files to these.
        file_palette: a colour a label, for labels that are colours; empty if none is
        known, since a random one names nothing.

    Raises:
        DataError: no class list, a class twice, an unknown class, an unknown key, a
            palette of another length, or values of another type.
    """
    unknown = sorted(set(metainfo) - {"classes", "palette"})
    if unknown:
        raise DataError(
            f"{owner}: metainfo has the unknown keys {unknown}; "
            "it may have 'classes' and 'palette'."
        )
    if not isinstance(ignore_index, int) or not 0 <= ignore_index <= 65535:
        raise DataError(
            f"{owner}: ignore_index={ignore_index}; it must be in 0..65535. Labels of "
            f"{ignore_index} in the files are ignored by label_map={{{ignore_index}: "
            "255}."
        )
    label_map = _as_label_map(owner, label_map)
    names = _names(owner, metainfo.get("classes"), known, data_root)
    if reduce_zero_label and names[0].lower() in _VOID_NAMES:
        raise DataError(
            f"{owner}: reduce_zero_label takes label 0 away, and metainfo.classes begins "
            f"with the name of label 1; it begins with {names[0]!r}. Leave that name "
            "out, and its colour."
        )
    palette = _as_palette(owner, metainfo.get("palette"))
    if known:
        return _of_known(owner, dict(known), names, palette, ignore_index, label_map)
    names = _without_void(owner, names, label_map, ignore_index)
    resolved = {"classes": names, "palette": distinct_palette(len(names))}
    if palette:
        colors = _colors_of_classes(owner, names, palette, label_map)
        resolved["palette"] = colors
    return resolved, label_map, palette


def resolve_labels(
    owner: str,
    known: Sequence[tuple],
    metainfo: Mapping[str, Any],
    ignore_index: int,
    label_map: Mapping | None,
    reduce_zero_label: bool,
    data_root: str,
) -> tuple[dict, dict | None, tuple, dict[str, int]]:
    """As `resolve_classes`, of a label_map that has names and colours, too.

    Returns:
        metainfo, label_map, file_palette: as `resolve_classes`.
        names: class of each name in the files that is not among the classes.
    """
    listed = [name for name, _ in known] or _names(
        owner, metainfo.get("classes"), known, data_root
    )
    found = read_label_map(owner, label_map, listed)
    if found.colors and known:
        raise DataError(
            f"{owner}: label_map has colours, and the data set has its own palette."
        )
    ids = found.ids
    if found.colors:
        palette = _as_palette(owner, metainfo.get("palette"))
        palette, ids = add_colors(palette, found, len(listed))
        metainfo = {**metainfo, "palette": palette}
    resolved = resolve_classes(
        owner, known, metainfo, ignore_index, ids, reduce_zero_label, data_root
    )
    classes = resolved[0]["classes"]

    def final(number):
        """The class that is left of one of the data set's own."""
        name = listed[number] if 0 <= number < len(listed) else None
        if name is None:
            return number
        return classes.index(name) if name in classes else ignore_index

    left_out = {name: ignore_index for name in listed if name not in classes}
    names = left_out | {name: final(to) for name, to in found.names.items()}
    return *resolved, names


def _as_label_map(owner, label_map):
    """With integers for keys, which are strings in a config that has been JSON."""
    try:
        return {int(k): int(v) for k, v in label_map.items()} if label_map else None
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f"{owner}: label_map is {label_map!r}; it must map labels to classes, both "
            "integers, for instance {255: 1}."
        ) from error


def _as_palette(owner, palette):
    """Tuples of three integers; () where there is none."""
    try:
        colors = tuple(tuple(int(v) for v in color) for color in palette or ())
        fits = all(len(c) == 3 and 0 <= min(c) and max(c) <= 255 for c in colors)
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise DataError(
            f"{owner}: metainfo.palette must have an (r, g, b) of 0..255 a class; it is "
            f"{str(palette)[:80]}."
        )
    return colors


def _names(owner, classes, known, data_root):
    if isinstance(classes, str):
        classes = _names_in_file(owner, classes, data_root)
    if classes is not None and not isinstance(classes, (list, tuple)):
        raise DataError(
            f"{owner}: metainfo.classes is {str(classes)[:80]}; it takes a list of "
            "names, or a file of them."
        )
    if not classes:
        classes = [name for name, _ in known]
    if not classes:
        raise DataError(
            f"{owner} does not know its classes: give metainfo=dict(classes=[...]), "
            "one name a label, in the order of the labels."
        )
    strange = [name for name in classes if not isinstance(name, str)]
    if strange:
        raise DataError(
            f"{owner}: metainfo.classes has {strange[0]!r}; it must have names, or name "
            "a text file with one a line."
        )
    names = tuple(classes)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{owner}: metainfo.classes names {twice} more than once.")
    return names


def _names_in_file(owner, classes, data_root):
    """A class list that is given as the path of a text file, as mmengine takes it."""
    for path in (classes, os.path.join(data_root, classes)):
        if os.path.isfile(path):
            return read_names(path)
    raise DataError(
        f"{owner}: metainfo.classes is {classes!r}; it must be a list of names, or a text "
        "file with one a line, in the current folder or in data_root; there is no such "
        "file."
    )


def _of_known(owner, colors, names, palette, ignore_index, label_map):
    """What is left of a data set's own classes."""
    foreign = [name for name in names if name not in colors]
    if foreign:
        near = difflib.get_close_matches(foreign[0], colors, n=1) or list(colors)[:1]
        raise DataError(
            f"{owner} has no classes {foreign} (metainfo.classes); the nearest to the "
            f"first of the {len(colors)} that it has is {near[0]!r}."
        )
    palette = palette or tuple(tuple(colors[name]) for name in names)
    if len(palette) != len(names):
        raise DataError(_other_length(owner, names, palette))
    resolved = {"classes": names, "palette": palette}
    if names == tuple(colors):
        return resolved, label_map, palette
    place = {name: index for index, name in enumerate(names)}
    derived = {
        label: place.get(name, ignore_index) for label, name in enumerate(colors)
    }
    # From the files to the data set's classes, and from there to the chosen ones.
    for label, known in (label_map or {}).items():
        derived[label] = (
            place.get(list(colors)[known], ignore_index)
            if 0 <= known < len(colors)
            else known
        )
    return resolved, derived, tuple(tuple(color) for color in colors.values())


def _without_void(owner, names, label_map, ignore_index):
    """The names without those at the end that no label is of."""
    label_map = label_map or {}
    targets = set(label_map.values())
    last = len(names)
    while label_map.get(last - 1) == ignore_index and last - 1 not in targets:
        last -= 1
    if not last:
        raise DataError(
            f"{owner}: label_map sends every one of the {len(names)} classes to "
            f"ignore_index={ignore_index}; none is left."
        )
    return names[:last]


def _colors_of_classes(owner, names, palette, label_map):
    """A colour a class, of a palette that has one a label, perhaps of more labels."""
    label_map = label_map or {}
    rest = [
        place for place in range(len(names), len(palette)) if place not in label_map
    ]
    if len(palette) < len(names) or rest:
        hint = ""
        if rest:
            example = ", ".join(f"{place}: 255" for place in rest[:3])
            hint = (
                " The place of a colour that is no class is sent to ignore_index: "
                f"label_map={{{example}}}."
            )
        raise DataError(_other_length(owner, names, palette) + hint)
    if len(palette) == len(names):
        return palette
    label_of = {label_map.get(place, place): place for place in range(len(palette))}
    return tuple(palette[label_of.get(c, c)] for c in range(len(names)))


def _other_length(owner, names, palette):
    return (
        f"{owner}: metainfo.palette has {len(palette)} colours for {len(names)} classes; "
        "it needs one (r, g, b) a class."
    )

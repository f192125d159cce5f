"""Label map: what a config says of the ids, names and colours in label files."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from input_pipeline.errors import DataError
from input_pipeline.palette import distinct_palette

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclasses.dataclass(frozen=True)
class LabelMap:
    """The three kinds of keys of a `label_map`.

    Attributes:
        ids: class of a number in the files.
        names: class of a name in the files; '*' is that of all other names.
        colors: class of a colour (r, g, b).
    """

    ids: dict[int, int]
    names: dict[str, int]
    colors: dict[tuple[int, int, int], int]


def read_label_map(
    owner: str, label_map: Mapping | None, classes: Sequence[str]
) -> LabelMap:
    """Sorts the keys of a label_map, and turns names of classes into numbers.

    Args:
        owner: name of the data set, for errors.
        label_map: `{255: 1, "tree crown": "tree", "*": 255, "#ff0000": 2}`: a number, a
            name, or a colour, to a class: its number, its name, or ignore_index. After
            JSON numbers are texts.
        classes: names of the data set's own labels.

    Raises:
        DataError: a value that is no class, or no mapping at all.
    """
    if not isinstance(label_map, Mapping | None):
        raise DataError(f"{owner}: label_map is {label_map!r:.80}; it takes a dict.")
    found = LabelMap({}, {}, {})
    for key, value in (label_map or {}).items():
        number = _class_number(owner, key, value, classes)
        text = str(key)
        if _COLOR.fullmatch(text):
            color = tuple(int(text[at : at + 2], 16) for at in (1, 3, 5))
            found.colors[color] = number
        elif re.fullmatch(r"[-+]?\d+", text) and text not in classes:
            found.ids[int(text)] = number
        elif isinstance(key, str):
            found.names[key] = number
        else:
            raise DataError(
                f"{owner}: label_map has the key {key!r:.60}; it takes the numbers, "
                "names or colours ('#rrggbb') that are in the files."
            )
    return found


def _class_number(owner, key, value, classes):
    if isinstance(value, str) and value in classes:
        return list(classes).index(value)
    try:
        if isinstance(value, float) and value != int(value):
            raise ValueError("a fraction")
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{owner}: label_map[{key!r}] is {value!r:.60}; it must map labels to "
            f"classes: a number, or one of the names {', '.join(classes[:10])}; for "
            "instance {255: 1}."
        ) from error


def add_colors(
    palette: Sequence[tuple[int, int, int]],
    found: LabelMap,
    num_classes: int,
) -> tuple[list[tuple[int, int, int]], dict[int, int]]:
    """A palette with the colours of a label_map, and the class of each new place.

    Args:
        palette: one colour a class, perhaps more behind them; or empty.
        found: the label_map.
        num_classes: how many names there are.

    Returns:
        The palette, the first colours of which are those of the classes; and the ids of
        the label_map together with the places behind them.
    """
    colors = list(palette)
    if not colors:
        taken = set(found.colors)
        spare = (
            c for c in distinct_palette(num_classes + len(taken)) if c not in taken
        )
        of_class = {}
        for color, number in found.colors.items():
            of_class.setdefault(number, color)
        colors = [of_class.get(i) or next(spare) for i in range(num_classes)]
    ids = dict(found.ids)
    for color, number in found.colors.items():
        if color not in colors:
            colors.append(color)
        place = colors.index(color)
        if place != number:
            ids[place] = number
    return colors, ids

"""Label arithmetic: colours to ids, ids to classes, and what is allowed."""

import functools
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from input_pipeline.errors import DataError


def label_counts(label: np.ndarray) -> np.ndarray:
    """Pixels of each id in a uint8 or uint16 label, as (256,) or (65536,) integers."""
    if label.dtype == np.uint8:
        # 0.05 ms at 512x512; np.unique takes 5 ms, np.bincount 0.3 ms. Its float32
        # counts are exact up to 2**24 pixels of one id.
        label = np.ascontiguousarray(label)
        counts = cv2.calcHist([label], [0], None, [256], [0, 256])
        return counts.ravel().astype(np.int64)
    return np.bincount(label.ravel(), minlength=1 << 16)


def narrow_ids(
    label: np.ndarray, source: str, label_map: Mapping[int, int] | None = None
) -> np.ndarray:
    """Casts integer ids to uint8 where they fit, else to uint16.

    Ids outside of 0..65535 that `label_map` names, such as -1 or a nodata value, become
    their `stand_ins`.

    Raises:
        DataError: another id below 0 or above 65535.
    """
    if label.dtype == np.uint8:
        return label
    low, high = int(label.min()), int(label.max())
    if low < 0 or high > 65535:
        label = _stand_in(label, source, stand_ins(label_map))
        high = 65535
    return label.astype(np.uint8 if high < 256 else np.uint16)


def stand_ins(label_map: Mapping[int, int] | None) -> dict[int, int]:
    """What a label has in place of the ids of a label_map that no uint16 holds.

    Returns:
        {id: 65535, the next one: 65534, ...}
    """
    outside = sorted(i for i in label_map or () if not 0 <= i <= 65535)
    return {one: 65535 - place for place, one in enumerate(outside)}


def _stand_in(label, source, known):
    """A label with the ids that `known` names replaced."""
    outside = (label < 0) | (label > 65535)
    if np.isin(label[~outside], list(known.values())).any():
        raise DataError(
            f"{source}: label ids up to {int(label[~outside].max())} beside "
            f"{', '.join(map(str, known))}; ids beyond {65534 - len(known)} are not "
            "possible beside them."
        )
    replaced = label.astype(np.int64)
    for one, other in known.items():
        replaced[label == one] = other
    strange = label[(replaced < 0) | (replaced > 65535)]
    if strange.size:
        found, counts = np.unique(strange, return_counts=True)
        some = ", ".join(
            f"{i} ({n} pixels)" for i, n in zip(found[:10], counts, strict=False)
        )
        raise DataError(
            f"{source}: label ids from {label.min()} to {label.max()}; they must be in "
            f"0..65535. Outside are {some}. If they mark pixels without a label, send "
            f"them to ignore_index: label_map={{{found[0]}: 255}}."
        )
    return replaced


def class_of_id(
    size: int,
    reduce_zero_label: bool,
    label_map: Mapping[int, int] | None,
    ignore_index: int,
) -> np.ndarray:
    """Class of each id in a file, in MMSegmentation 1.x's order.

    First `reduce_zero_label`: 0 becomes `ignore_index`, which itself stays, and every
    other id goes down by one. Then `label_map`, all entries at once. Ids that no uint16
    holds are not reduced: their `stand_ins` become what `label_map` says.

    Returns:
        (size,) int32.
    """
    table = np.arange(size, dtype=np.int32)
    if reduce_zero_label:
        table -= 1
        table[0] = ignore_index
        if ignore_index < size:
            table[ignore_index] = ignore_index
    if label_map:
        reduced = table.copy()
        for old, new in label_map.items():
            table[reduced == old] = new
        for old, place in stand_ins(label_map).items():
            if place < size:
                table[place] = label_map[old]
    return table


def map_ids(
    label: np.ndarray, table: np.ndarray, num_classes: int, ignore_index: int
) -> np.ndarray:
    """Turns ids into classes by `table`; uint8 if every class fits, else uint16."""
    # 256 classes leave no value for the pixels to ignore.
    fits = num_classes <= 255 and ignore_index <= 255
    dtype = np.dtype(np.uint8 if fits else np.uint16)
    if label.dtype == dtype and np.array_equal(table, np.arange(len(table))):
        return label
    # Ids that no pixel has may map outside the type; they wrap, unseen.
    table = table.astype(dtype)
    if label.dtype == np.uint8 and fits:
        return cv2.LUT(label, table)
    return table[label]


def check_classes(
    label: np.ndarray,
    table: np.ndarray,
    classes: Sequence[str],
    ignore_index: int,
    source: str,
):
    """Raises DataError if an id of `label` maps to neither a class nor ignore_index."""
    num_classes = len(classes)
    allowed = ((table >= 0) & (table < num_classes)) | (table == ignore_index)
    if not _has_any(label, ~allowed):
        return
    counts = label_counts(label)
    bad = np.flatnonzero((counts > 0) & ~allowed)
    found = ", ".join(
        f"{i}{f' -> {table[i]}' if table[i] != i else ''} ({counts[i]} pixels)"
        for i in bad[:10]
    )
    more = f" and {bad.size - 10} more" if bad.size > 10 else ""
    raise DataError(
        f"{source}: label ids outside the {num_classes} classes: {found}{more}. Allowed "
        f"are 0..{num_classes - 1} and ignore_index={ignore_index} (classes: "
        f"{', '.join(classes[:5])}{', ...' if num_classes > 5 else ''}). "
        f"{_hint(bad, num_classes)}"
    )


def _has_any(label: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether `label` has one of the ids that `wanted`, a truth value an id, names."""
    ids = np.flatnonzero(wanted)
    if not ids.size:
        return False
    if label.dtype == np.uint8 and ids[-1] - ids[0] == ids.size - 1:
        # One run of ids, as in most data sets: 0.3 ms at 1024x2048, counting 2.5 ms.
        return cv2.hasNonZero(cv2.inRange(label, int(ids[0]), int(ids[-1])))
    return bool((label_counts(label)[ids] > 0).any())


def _hint(bad: np.ndarray, num_classes: int) -> str:
    if list(bad) == [num_classes]:
        return (
            "If ids start at 1 and 0 means unlabelled, set reduce_zero_label=True; if "
            f"{num_classes} is a void class, label_map={{{num_classes}: 255}}."
        )
    return (
        "Ids of other classes are renumbered, or sent to ignore_index, by label_map; a "
        "missing name belongs in classes."
    )


def refuse_unmapped_binary_mask(
    label: np.ndarray,
    label_map: Mapping[int, int] | None,
    classes: Sequence[str],
    source: str,
):
    """Raises DataError for 0 and 255 in a label of two classes, when 255 is not mapped.

    Taken as it is, such a mask has no foreground: 255 is ignored, and class 1 is never
    seen.
    """
    if len(classes) > 2 or 255 in (label_map or {}):
        return
    counts = label_counts(label)
    if set(np.flatnonzero(counts)) == {0, 255}:
        raise DataError(
            f"{source}: ids 0 ({counts[0]} pixels) and 255 ({counts[255]} pixels) for "
            f"the classes {', '.join(classes)}. A binary mask needs label_map={{0: 0, "
            "255: 1}; if 255 is meant to be ignored, say so by label_map={255: 255}."
        )


def without_equal_channels(
    label: np.ndarray, palette: Sequence[Sequence[int]] | None
) -> np.ndarray:
    """Ids that were stored as RGB, r = g = b, as (H, W); any other label as it is.

    Where the data set has a palette, three channels are a colour.
    """
    if palette or label.ndim != 3 or label.shape[2] not in (3, 4):
        return label
    red = label[..., 0]
    is_grey = all(np.array_equal(red, label[..., i]) for i in (1, 2))
    return red if is_grey else label


def ids_of_colors(
    label: np.ndarray, palette: Sequence[Sequence[int]] | None, source: str
) -> np.ndarray:
    """Turns a colour-coded label into positions in the palette.

    Args:
        label: (H, W, 3) RGB or (H, W, 4) RGBA uint8; alpha is not looked at.
        palette: one (r, g, b) an id.
        source: the file, for errors.

    Returns:
        (H, W) uint8, or uint16 if the palette has more than 256 colours.

    Raises:
        DataError: no palette, two equal colours in it, or a colour that is not in it.
    """
    if label.dtype != np.uint8 or label.shape[2] not in (3, 4):
        raise DataError(
            f"{source}: a label of shape {label.shape} and type {label.dtype}; allowed "
            "are (H, W) ids, and (H, W, 3) or (H, W, 4) uint8 colours."
        )
    if not palette:
        raise DataError(
            f"{source}: a colour-coded label, but the data set has no palette; set one "
            "(r, g, b) a class, or store ids."
        )
    colors, ids = _sorted_colors(tuple(tuple(map(int, color)) for color in palette))
    red, green, blue = (label[..., i].astype(np.int32) for i in range(3))
    coded = (red << 16) | (green << 8) | blue
    at = np.minimum(np.searchsorted(colors, coded), len(colors) - 1)
    unknown = colors[at] != coded
    if unknown.any():
        found, counts = np.unique(coded[unknown], return_counts=True)
        some = ", ".join(
            f"({c >> 16}, {c >> 8 & 255}, {c & 255}) ({n} pixels)"
            for c, n in sorted(zip(found, counts, strict=True), key=lambda x: -x[1])[
                :10
            ]
        )
        raise DataError(
            f"{source}: {len(found)} colours are not among the {len(palette)} of the "
            f"palette: {some}. If it is no class, put it behind the palette's "
            f"{len(palette)} colours and send its place to ignore_index: "
            f"label_map={{{len(palette)}: 255}}."
        )
    return ids[at]


@functools.lru_cache(maxsize=16)
def _sorted_colors(palette: tuple) -> tuple[np.ndarray, np.ndarray]:
    """Colours as sorted 24-bit numbers, and the palette's position of each."""
    colors = np.array([r << 16 | g << 8 | b for r, g, b in palette], np.int32)
    if len(set(palette)) < len(palette):
        twice = sorted({color for color in palette if palette.count(color) > 1})
        raise DataError(
            f"The palette gives {', '.join(map(str, twice))} to more than one class, so "
            "that colour-coded labels cannot be read; colours must differ."
        )
    order = np.argsort(colors)
    return colors[order], order.astype(np.uint8 if len(palette) <= 256 else np.uint16)

"""Tables: CSV with a mask a row, as run lengths (Kaggle) or polygons (WKT, x,y,x,y)."""

import csv
import io
from collections.abc import Iterator

from input_pipeline.errors import DataError
from input_pipeline.formats.json_text import MAX_TEXT
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.geojson import IN_PIXELS
from input_pipeline.shapes.rle import kaggle_runs
from input_pipeline.shapes.shape import ImageShapes, Shape
from input_pipeline.shapes.wkt import read_geometry

# Columns by their usual names, in small letters; the first that is there.
IMAGE_COLUMNS = (
    *("imageid", "image_id", "image", "img", "filename", "file_name", "image_path"),
    *("image_name", "img_path", "id"),
)
_MASK_COLUMNS = (
    *("encodedpixels", "encoded_pixels", "rle", "rle_mask", "mask_rle", "annotation"),
    *("polygonwkt_pix", "wkt", "polygon", "geometry", "segmentation"),
)
_LABEL_COLUMNS = (
    *("classid", "class_id", "class", "label", "category", "cell_type", "class_name"),
)
# One column of both: 'a.jpg_Fish', 'a.jpg_2'.
_BOTH = ("imageid_classid", "image_label")

# What stands for no mask.
_NOTHING = ("", "-1", "nan", "empty")


def read_rows(data: bytes, source: str) -> Iterator[dict[str, str]]:
    """The rows of a CSV file by the names in its first line.

    Raises:
        DataError: no text, no names, or a row of another length.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{source}: not a text file in UTF-8 ({error}).") from error
    # A limit of the process, 131072 by default, which polygons pass.
    csv.field_size_limit(MAX_TEXT)
    mark = max(",;\t", key=text.split("\n", 1)[0].count)
    reader = csv.DictReader(io.StringIO(text), delimiter=mark)
    try:
        names = reader.fieldnames or []
        if len(set(names)) < max(len(names), 2):
            raise DataError(
                f"{source}: a table has names of two columns or more in its first line; "
                f"this one has {', '.join(map(repr, names[:8]))}."
            )
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{source}: line {reader.line_num} has another number of columns "
                    f"than the first, {len(names)}."
                )
            yield row
    except csv.Error as error:
        raise DataError(f"{source}: line {reader.line_num}: {error}.") from error


def column_of(
    names: list[str], wanted: str, usual: tuple[str, ...], key: str, source: str
) -> str:
    """The name of a column: the one that the config says, or one of the usual names.

    Raises:
        DataError: if there is none.
    """
    if wanted:
        if wanted in names:
            return wanted
        raise DataError(
            f"{source}: there is no column {wanted!r} ({key}); there are "
            f"{', '.join(map(repr, names))}."
        )
    by_lower = {name.strip().lower(): name for name in names}
    found = next((by_lower[name] for name in usual if name in by_lower), None)
    if found is None:
        raise DataError(
            f"{source}: say by {key} which of the columns "
            f"{', '.join(map(repr, names))} it is; usual names are {', '.join(usual)}."
        )
    return found


def read_table(data: bytes, source: str, rules: Annotations) -> list[ImageShapes]:
    """Every image of a table of masks; rows of an image are drawn in their order."""
    images = {}
    columns = None
    for number, row in enumerate(read_rows(data, source), 2):
        columns = columns or _columns(list(row), rules, source)
        image, masks, label = columns
        name = row[image].strip()
        given = row[label].strip() if label else None
        if label == image:
            name, _, given = name.rpartition("_")
        shapes = images.setdefault(name, [])
        for mask in masks:
            where = f"row {number}"
            value = row[mask].strip()
            if value.lower() in _NOTHING:
                continue
            found = _covered(value, f"{source}: {where}", rules)
            called = given
            if called is None and mask.lower().endswith(IN_PIXELS):
                called = mask[: -len(IN_PIXELS)]
            if found:
                shapes.append(Shape(where, called, **found))
    return [ImageShapes(name, tuple(shapes)) for name, shapes in images.items()]


def _columns(names, rules, source):
    """(column of images, columns of masks, column of classes or None)"""
    lower = {name.strip().lower(): name for name in names}
    both = next((lower[name] for name in _BOTH if name in lower), None)
    image = both or column_of(
        names, rules.image_key, IMAGE_COLUMNS, "annotations.image_key", source
    )
    in_pixels = [name for name in names if name.lower().endswith(IN_PIXELS)]
    if rules.mask_key or not in_pixels:
        masks = [
            column_of(
                names, rules.mask_key, _MASK_COLUMNS, "annotations.mask_key", source
            )
        ]
    else:
        masks = in_pixels
    label = both
    if rules.label_key:
        label = column_of(names, rules.label_key, (), "annotations.label_key", source)
    elif label is None and masks != in_pixels:
        label = next((lower[name] for name in _LABEL_COLUMNS if name in lower), None)
    return image, masks, label


def _covered(value, at, rules):
    if value[0].isalpha() or "," in value:
        return read_geometry(value, at)
    return {"mask": kaggle_runs(value, rules.rle_order == "columns", at)}

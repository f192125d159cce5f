"""Annotations: what a config says of polygons, masks and tables of labels."""

import dataclasses

from input_pipeline.errors import DataError

ORDERS = ("file", "area", "class")
MISSING = ("refuse", "background", "leave_out")
RLE_ORDERS = ("columns", "rows")


@dataclasses.dataclass(frozen=True)
class Annotations:
    """How shapes become class maps, and where a file has them.

    Attributes:
        background: class of the pixels that no shape covers: a name, a number, or
            `ignore_index`. None takes the class named 'background'.
        draw_order: which of two shapes is on top: 'file' the later one of the file
            (CVAT's z_order first), 'area' the smaller one, 'class' the one whose class
            comes later.
        line_width: pixels; with 0 lines and points are refused.
        missing: what an image without an annotation is: 'refuse' (an error),
            'background' or 'leave_out'.
        label_key: the attribute, property or column that names the class, where the
            format has no place of its own for it (VIA, GeoJSON, tables).
        image_key: the column of a table, or the field of a Label Studio task, that
            names the image; '' finds it by its usual names.
        mask_key: the column with masks; likewise.
        rle_order: 'columns' (COCO, most Kaggle competitions) or 'rows': how a table's
            run lengths count pixels.
    """

    background: int | str | None = None
    draw_order: str = "file"
    line_width: int = 0
    missing: str = "refuse"
    label_key: str = ""
    image_key: str = ""
    mask_key: str = ""
    rle_order: str = "columns"

    def __post_init__(self):
        for key, allowed in (
            ("draw_order", ORDERS),
            ("missing", MISSING),
            ("rle_order", RLE_ORDERS),
        ):
            if getattr(self, key) not in allowed:
                raise DataError(
                    f"{key}: must be one of {allowed}, and is {getattr(self, key)!r}"
                )
        if not 0 <= self.line_width <= 1000:
            raise DataError(
                f"line_width: must be in 0..1000 pixels, and is {self.line_width}"
            )

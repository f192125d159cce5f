"""Painter: shapes become a map of class ids."""

import dataclasses
import difflib

import numpy as np

from input_pipeline.decode import image_size, read_label
from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.fill import draw_line, fill_polygon
from input_pipeline.shapes.geojson import to_pixels
from input_pipeline.shapes.read import one_of, read_annotations
from input_pipeline.shapes.rle import runs_to_window
from input_pipeline.shapes.shape import Bitmap, ImageShapes, Runs, Shape
from input_pipeline.transforms.labels import class_of_id

ANY = "*"


@dataclasses.dataclass(frozen=True)
class Painter:
    """Classes of a data set, and how its shapes are drawn.

    Attributes:
        classes: their names.
        names: class of a name in the files; '*' is that of all others.
        label_map: class of a number in the files.
        reduce_zero_label: as the data set has it; for numbers.
        ignore_index: the class of pixels that count nowhere.
        rules: what the config says of drawing.

    Raises:
        DataError: if no class is the background.
    """

    classes: tuple[str, ...]
    names: dict[str, int]
    label_map: dict[int, int]
    reduce_zero_label: bool
    ignore_index: int
    rules: Annotations

    def __post_init__(self):
        self._check_class(self.background, "annotations.background")
        for name, number in self.names.items():
            self._check_class(number, f"label_map[{name!r}]")

    @property
    def background(self) -> int:
        """The class of pixels that no shape covers."""
        wanted = self.rules.background
        if isinstance(wanted, int):
            return wanted
        names = [name.lower() for name in self.classes]
        if (wanted or "background").lower() in names:
            return names.index((wanted or "background").lower())
        raise DataError(
            f"annotations.background: pixels that no shape covers need a class, and "
            f"{wanted or 'background'!r} is not among the classes "
            f"{', '.join(self.classes[:10])}. Name one of them, add a class "
            f"'background', or have these pixels ignored by "
            f"annotations=dict(background={self.ignore_index})."
        )

    def _check_class(self, number, what):
        if not (0 <= number < len(self.classes) or number == self.ignore_index):
            raise DataError(
                f"{what}: {number} is no class; allowed are 0..{len(self.classes) - 1} "
                f"and ignore_index={self.ignore_index}."
            )

    def label_of(
        self,
        record: dict,
        size: tuple[int, int] | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """The class map of a data set's record.

        Args:
            record: `img_path`, `seg_map_path`, and `shapes` where they are known.
            size: (height, width) of the image; None reads its header.
            max_pixels: as in `__call__`.

        Raises:
            DataError: as `read_annotations` and `__call__`.
        """
        source, path = record["seg_map_path"], record["img_path"]
        shapes = record.get("shapes")
        if shapes is None:
            shapes = one_of(read_annotations(source, self.rules), path, source)
        if size is None:
            size = image_size(path)
        return self(to_pixels(shapes, path), size, source, max_pixels)

    def __call__(
        self,
        image: ImageShapes,
        size: tuple[int, int],
        source: str,
        max_pixels: int = MAX_PIXELS,
    ) -> np.ndarray:
        """The class map of an image.

        Args:
            image: what its annotation says.
            size: (height, width) of the image.
            source: the annotation file, for errors.
            max_pixels: the largest height * width of a mask that is read.

        Returns:
            (height, width) uint8, or uint16 for more than 255 classes.

        Raises:
            DataError: another size, a class that is not known, a shape outside of the
                image, lines without a width, a damaged mask.
        """
        if image.size not in (None, size):
            raise DataError(
                f"{source}: the annotation of {image.image} is of an image of "
                f"{image.size[0]}x{image.size[1]} (h x w), and the image has "
                f"{size[0]}x{size[1]}."
            )
        fits = len(self.classes) <= 255 and self.ignore_index <= 255
        label = np.full(size, self.background, np.uint8 if fits else np.uint16)
        if image.id_map:
            return self._of_id_map(image, label, source, max_pixels)

        def area(shape):
            covered = self._covered(shape, image, size, source, max_pixels)
            return sum(int(mask.sum()) for mask, _, _ in covered)

        shapes = image.shapes
        if self.rules.draw_order == "class":
            shapes = sorted(shapes, key=lambda shape: self.class_of(shape, source))
        elif self.rules.draw_order == "area":
            shapes = sorted(shapes, key=lambda shape: -area(shape))
        for shape in shapes:  # one mask at a time is in memory
            color = self.class_of(shape, source)
            for mask, x, y in self._covered(shape, image, size, source, max_pixels):
                label[y : y + mask.shape[0], x : x + mask.shape[1]][mask] = color
        return label

    def class_of(self, shape: Shape, source: str) -> int:
        """The class of a shape: by its name, or of a file of numbers by its number.

        Raises:
            DataError: if it has none.
        """
        if shape.name is not None:
            if shape.name in self.names:
                return self.names[shape.name]
            if shape.name in self.classes:
                return self.classes.index(shape.name)
        number = shape.number
        if number is None and shape.name is not None and shape.name.isdecimal():
            number = int(shape.name[:9])
        # A category's number says nothing where its name is unknown.
        if number is not None and (shape.number is None or shape.name is None):
            found = self._class_of_number(number)
            if found is not None:
                return found
        elif number in self.label_map:
            return self.label_map[number]
        if ANY in self.names:
            return self.names[ANY]
        raise DataError(self._unknown(shape, number, source))

    def _class_of_number(self, number):
        if not 0 <= number <= 65535:
            return self.label_map.get(number)
        table = class_of_id(
            number + 1, self.reduce_zero_label, self.label_map, self.ignore_index
        )
        found = int(table[number])
        known = 0 <= found < len(self.classes) or found == self.ignore_index
        return found if known else None

    def _unknown(self, shape, number, source):
        if shape.name is None and number is None:
            return (
                f"{source}: {shape.where} has no class; name the key that has it "
                "(annotations.label_key), or send all to one class: "
                "label_map={'*': 1}."
            )
        name = shape.name if shape.name is not None else number
        near = difflib.get_close_matches(str(name), self.classes, n=1)
        meant = f" Is {near[0]!r} meant?" if near else ""
        return (
            f"{source}: {shape.where} is of the class {name!r}, which is none of "
            f"{', '.join(self.classes[:10])}{', ...' * (len(self.classes) > 10)}."
            f"{meant} Name it in metainfo.classes, or say what it is by "
            f"label_map={{{name!r}: 'CLASS'}}, or {{{name!r}: {self.ignore_index}}} to "
            "ignore it; '*' stands for all other names."
        )

    def _covered(self, shape, image, size, source, max_pixels):
        """[(truth values, x, y)] of what a shape covers."""
        where = f"{source}: {shape.where}"
        scale = np.array(size[::-1] if image.relative else (1, 1))
        parts = [
            fill_polygon([ring * scale for ring in rings], size, where)
            for rings in shape.polygons
        ]
        if shape.lines and not self.rules.line_width:
            raise DataError(
                f"{where} is a line or a point, which covers no pixels; give it a width "
                "by annotations=dict(line_width=N), or remove it."
            )
        parts += [
            draw_line(points * scale, self.rules.line_width, size)
            for points in shape.lines
        ]
        if shape.mask is not None:
            parts.append(_mask_of(shape.mask, size, where, max_pixels))
        inside = [part for part in parts if part is not None]
        if parts and not inside and not image.covers_more:
            raise DataError(
                f"{where} is wholly outside of the image of {size[0]}x{size[1]} (h x "
                "w). Are x and y changed about, or is it another image's?"
            )
        return inside

    def _of_id_map(self, image, label, source, max_pixels):
        """A panoptic image: the class of each number."""
        color = read_label(image.id_map, max_pixels)
        if color.ndim != 3 or color.shape[:2] != label.shape:
            raise DataError(
                f"{image.id_map}: a panoptic PNG has three channels and the size of its "
                f"image, {label.shape}; this one is {color.shape}."
            )
        numbers = color[..., :3].astype(np.int64) @ np.array([1, 256, 65536])
        found, places = np.unique(numbers, return_inverse=True)
        known = {shape.segment: self.class_of(shape, source) for shape in image.shapes}
        unknown = [n for n in found.tolist() if n and n not in known]
        if unknown:
            raise DataError(
                f"{image.id_map}: the segment {unknown[0]} is not in {source}, of "
                f"{len(known)} segments of this image."
            )
        table = [known.get(n, self.background) for n in found.tolist()]
        return np.array(table, label.dtype)[places].reshape(label.shape)


def _mask_of(mask: Runs | Bitmap | str, size, where, max_pixels):
    """(truth values, x, y) of a mask, cut to the image; None where it is outside."""
    if isinstance(mask, Runs):
        return runs_to_window(mask, size, where)
    if isinstance(mask, str):
        return _binary_file(mask, size, max_pixels), 0, 0
    left, top = max(mask.x, 0), max(mask.y, 0)
    part = mask.mask[top - mask.y :, left - mask.x :]
    part = part[: max(size[0] - top, 0), : max(size[1] - left, 0)]
    return (part, left, top) if part.size else None


def _binary_file(path, size, max_pixels):
    label = read_label(path, max_pixels)
    if label.ndim == 3:
        label = label[..., :3].max(2)
    if label.shape != size:
        raise DataError(
            f"{path}: a mask of {label.shape[0]}x{label.shape[1]} (h x w) for an image "
            f"of {size[0]}x{size[1]}."
        )
    values = np.unique(label)
    if len(values) > 2 or (len(values) == 2 and values[0] != 0):
        raise DataError(
            f"{path}: one of several masks of an image has two values, 0 and another; "
            f"this one has {len(values)}: {', '.join(map(str, values[:8]))}"
            f"{', ...' * (len(values) > 8)}."
        )
    return label > 0

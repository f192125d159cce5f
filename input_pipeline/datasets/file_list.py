"""File list: images and labels that a table, an odgt or a text file names in pairs."""

import collections
import dataclasses
import os

from input_pipeline.datasets.folder import BaseSegDataset
from input_pipeline.decode import SUFFIXES
from input_pipeline.errors import DataError
from input_pipeline.formats.json_text import parse_json, read_text
from input_pipeline.lists import decode_names
from input_pipeline.shapes.match import has_shapes
from input_pipeline.shapes.tables import IMAGE_COLUMNS, column_of, read_rows
from input_pipeline.sources import some_of

_IMAGES = ("fpath_img", *IMAGE_COLUMNS)
_LABELS = (
    *("fpath_segm", "mask", "label", "seg", "segmentation", "annotation", "mask_path"),
    *("label_path", "seg_map_path", "masks", "gt", "ann", "target"),
)


@dataclasses.dataclass(eq=False)
class FileListDataset(BaseSegDataset):
    """Images and labels wherever they are, a pair a line of one file.

    Attributes:
        ann_file: the list, by its content: JSON lines (odgt, as CSAIL's) or a JSON list
            of dicts, CSV with names in its first line, or text with an image and a
            label a line, between a tab, a comma or a blank. Paths are below `data_root`
            and the folders of `data_prefix`, or absolute.
        image_key, label_key: the field or column with the image, and with its label; ''
            finds them by their usual names.
        The others are BaseSegDataset's.

    Raises:
        DataError: a list that cannot be read, names an image twice, or files that are
            not there.
    """

    img_suffix: str | tuple[str, ...] = SUFFIXES
    image_key: str = ""
    label_key: str = ""

    def _list_files(self) -> list[tuple[str, str | None]]:
        self._check_prefixes()
        source = os.path.join(self.data_root, self.ann_file)
        if not self.ann_file:
            raise DataError(f"{type(self).__name__}: ann_file, the list, is missing.")
        pairs = [
            tuple(
                os.path.join(self.data_root, self.data_prefix.get(key) or "", name)
                for key, name in zip(self.PREFIXES, names, strict=True)
            )
            for names in self._read_list(source)
        ]
        if not pairs:
            raise DataError(f"{source}: the list names no image.")
        images = [image for image, _ in pairs]
        twice = sorted(n for n, k in collections.Counter(images).items() if k > 1)
        if twice:
            raise DataError(
                f"{source}: {len(twice)} images are named more than once:\n"
                f"{some_of(twice)}"
            )
        missing = [path for pair in pairs for path in pair if not os.path.isfile(path)]
        if missing:
            raise DataError(
                f"{source}: {len(missing)} files that it names do not exist "
                f"(data_root={self.data_root!r}):\n{some_of(missing)}"
            )
        labels = [label for _, label in pairs]
        if has_shapes(labels, os.path.splitext(labels[0])[1]):
            self._painter = self.make_painter()
        return pairs

    def _read_list(self, source: str) -> list[tuple[str, str]]:
        """(image, label) as the list has them."""
        data = read_text(source)
        start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        if start == b"[":
            return self._of_rows(parse_json(data, source), source)
        if start == b"{":
            lines = [line for line in data.splitlines() if line.strip()]
            rows = [
                parse_json(line, f"{source}: line {number}")
                for number, line in enumerate(lines, 1)
            ]
            return self._of_rows(rows, source)
        if source.lower().endswith((".csv", ".tsv")):
            return self._of_rows(list(read_rows(data, source)), source)
        return [_pair(line, source) for line in decode_names(data, source)]

    def _of_rows(self, rows, source):
        if not all(isinstance(row, dict) for row in rows):
            raise DataError(f"{source}: a list of something else than dicts.")
        if not rows:
            return []
        names = list(rows[0])
        image = column_of(names, self.image_key, _IMAGES, "image_key", source)
        label = column_of(names, self.label_key, _LABELS, "label_key", source)
        pairs = [(row.get(image), row.get(label)) for row in rows]
        for number, pair in enumerate(pairs, 1):
            if not all(isinstance(name, str) and name for name in pair):
                raise DataError(
                    f"{source}: entry {number} has {image}={pair[0]!r:.60} and "
                    f"{label}={pair[1]!r:.60}; both are paths."
                )
        return pairs


def _pair(line, source):
    for mark in ("\t", ",", None):
        names = [name.strip() for name in line.split(mark)]
        if len(names) == 2:
            return tuple(names)
    raise DataError(
        f"{source}: {line!r:.100} is no pair of an image and a label; between them is a "
        "tab, a comma or a blank."
    )

"""Sources: what every data set is: records, the facts that go with them, a pipeline."""

import contextlib
from collections.abc import Iterator, Sequence

import numpy as np

from input_pipeline.transforms.loaded_crop import join_loading_and_crop


class SegDataset:
    """Base of the data sets: a sequence of records and the pipeline they run through.

    A subclass is a dataclass that sets the attributes below, and has `__len__` and
    `__getitem__`. A record is a dict with `img_path` and `seg_map_path` (absent where
    there are no labels), or with the arrays `img` (H, W, C) and `gt_seg_map` (H, W)
    where the source holds pixels, together with the `facts()`.

    Attributes:
        metainfo: `classes`, a tuple of names, and `palette`, one (r, g, b) a class.
        pipeline: the transforms, each `(results, rng) -> results`.
        ignore_index: the label of pixels that count nowhere.
        reduce_zero_label: whether label 0 of the files means "ignore", and 1 is class
            0.
        label_map: class of each label in the files, or None when they are the same. It
            is applied after `reduce_zero_label`, as MMSegmentation 1.x does.
        file_palette: colour of each label in the files. It differs from
            `metainfo['palette']` where a `label_map` renumbers the classes.
    """

    metainfo: dict
    pipeline: tuple
    ignore_index: int
    reduce_zero_label: bool
    label_map: dict | None
    file_palette: tuple

    def __len__(self) -> int:
        raise NotImplementedError

    def __getitem__(self, index: int) -> dict:
        raise NotImplementedError

    def facts(self) -> dict:
        """What a loading transform must know of the data set, as part of a record."""
        return {
            "classes": self.metainfo["classes"],
            "palette": self.file_palette,
            "reduce_zero_label": self.reduce_zero_label,
            "label_map": self.label_map,
            "ignore_index": self.ignore_index,
        }

    def files(self) -> list[tuple[str, str | None]]:
        """(image, label) paths behind the samples; empty if the source holds pixels."""
        return []

    def known_sizes(self) -> dict[str, tuple[int, int]]:
        """(height, width) of images by `img_path`, as far as no file need be read."""
        return {}

    def parts(self) -> list["SegDataset"]:
        """The data sets inside that have a pipeline each; mostly this one alone."""
        return [self]

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        """Returns record `index` after the pipeline, whose only randomness is `rng`."""
        results = self[index]
        with self.naming(index, results):
            for transform in join_loading_and_crop(self.pipeline):
                results = transform(results, rng)
        return results

    @contextlib.contextmanager
    def naming(self, index: int, results: dict) -> Iterator[None]:
        """Adds to errors which sample they are of."""
        try:
            yield
        except Exception as error:
            where = results.get("img_path", "an image without a file")
            error.add_note(f"in sample {index} of {type(self).__name__}: {where}")
            raise


def some_of(names: Sequence[str], limit: int = 10) -> str:
    """The first `limit` of `names`, one a line, and how many there are in all."""
    lines = [f"  {name}" for name in names[:limit]]
    if len(names) > limit:
        lines.append(f"  ... and {len(names) - limit} more, {len(names)} in all")
    return "\n".join(lines)

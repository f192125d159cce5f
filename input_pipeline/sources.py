"""What every data set is: records, the facts that go with them, and a pipeline."""

import difflib
from collections.abc import Sequence

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resized_crop import join_resize_and_crop


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
      reduce_zero_label: whether label 0 of the files means "ignore", and 1 is class 0.
      label_map: class of each label in the files, or None when they are the same.
        It is applied after `reduce_zero_label`, as MMSegmentation 1.x does.
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

    def sample(self, index: int, rng: np.random.Generator) -> dict:
        """Returns record `index` after the pipeline, whose only randomness is `rng`."""
        results = self[index]
        try:
            for transform in join_resize_and_crop(self.pipeline):
                results = transform(results, rng)
        except Exception as error:
            where = results.get("img_path", "an image without a file")
            error.add_note(f"in sample {index} of {type(self).__name__}: {where}")
            raise
        return results


def resolve_classes(
    owner: str, known: Sequence[tuple], metainfo: dict, ignore_index: int = 255
) -> tuple[dict, dict | None, tuple]:
    """Joins a data set's own classes with the `metainfo` of a config.

    As in MMSegmentation 1.x: `metainfo['classes']` may pick or reorder the classes
    that the data set knows; labels are then renumbered, and those of the others become
    `ignore_index`. A missing palette is drawn by `random_palette`. Unlike there, a
    palette follows its class also where all classes are kept in another order.

    Args:
      owner: name of the data set, for errors.
      known: the data set's own (name, (r, g, b)) by label; empty for a free one.
      metainfo: `classes` and `palette`, both optional where `known` is given.
      ignore_index: label of pixels of the classes that are not picked.

    Returns:
      (metainfo, label_map, file_palette); see `SegDataset`.

    Raises:
      DataError: no class list, a class twice, an unknown class, an unknown key, or a
        palette of another length.
    """
    unknown = sorted(set(metainfo) - {"classes", "palette"})
    if unknown:
        raise DataError(
            f"{owner}: metainfo has the unknown keys {unknown}; "
            "it may have 'classes' and 'palette'."
        )
    classes = tuple(metainfo.get("classes") or [name for name, _ in known])
    if not classes:
        raise DataError(
            f"{owner} does not know its classes: give metainfo=dict(classes=[...]), "
            "one name a label, in the order of the labels."
        )
    twice = sorted({name for name in classes if classes.count(name) > 1})
    if twice:
        raise DataError(f"{owner}: metainfo.classes names {twice} more than once.")

    colors = dict(known)
    foreign = [name for name in classes if known and name not in colors]
    if foreign:
        near = difflib.get_close_matches(foreign[0], colors, n=1) or list(colors)[:1]
        raise DataError(
            f"{owner} has no classes {foreign} (metainfo.classes); the nearest to the "
            f"first of the {len(colors)} that it has is {near[0]!r}."
        )
    palette = metainfo.get("palette") or [colors[name] for name in classes if known]
    palette = tuple(tuple(int(v) for v in color) for color in palette)
    palette = palette or random_palette(len(classes))
    if len(palette) != len(classes):
        raise DataError(
            f"{owner}: metainfo.palette has {len(palette)} colours for "
            f"{len(classes)} classes; it needs one (r, g, b) a class."
        )

    resolved = {"classes": classes, "palette": palette}
    if not known or classes == tuple(colors):
        return resolved, None, palette
    place = {name: index for index, name in enumerate(classes)}
    label_map = {
        label: place.get(name, ignore_index) for label, name in enumerate(colors)
    }
    return resolved, label_map, tuple(colors.values())


def random_palette(num_classes: int) -> tuple:
    """The colours that MMSegmentation gives to classes without a palette."""
    draws = np.random.RandomState(42).randint(0, 255, size=(num_classes, 3))
    return tuple(tuple(color) for color in draws.tolist())


def some_of(names: Sequence[str], limit: int = 10) -> str:
    """The first `limit` of `names`, one a line, and how many there are in all."""
    lines = [f"  {name}" for name in names[:limit]]
    if len(names) > limit:
        lines.append(f"  ... and {len(names) - limit} more, {len(names)} in all")
    return "\n".join(lines)

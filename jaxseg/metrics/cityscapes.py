"""Cityscapes' official scores: IoU and iIoU of classes and categories."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from jaxseg.config import ConfigError
from jaxseg.metrics.metric import Counts, Metric, Scores, mean_over_classes

# https://github.com/mcordts/cityscapesScripts, helpers/labels.py: the id of each label
# that is evaluated, its category; and of those with instances their mean size in
# pixels, from evaluation/evalPixelLevelSemanticLabeling.py.
_LABELS = {
    "road": (7, "flat"),
    "sidewalk": (8, "flat"),
    "building": (11, "construction"),
    "wall": (12, "construction"),
    "fence": (13, "construction"),
    "pole": (17, "object"),
    "traffic light": (19, "object"),
    "traffic sign": (20, "object"),
    "vegetation": (21, "nature"),
    "terrain": (22, "nature"),
    "sky": (23, "sky"),
    "person": (24, "human"),
    "rider": (25, "human"),
    "car": (26, "vehicle"),
    "truck": (27, "vehicle"),
    "bus": (28, "vehicle"),
    "train": (31, "vehicle"),
    "motorcycle": (32, "vehicle"),
    "bicycle": (33, "vehicle"),
}
_MEAN_SIZE = {
    "person": 3462.4756337644,
    "rider": 3930.4788056518,
    "car": 12794.0202738185,
    "truck": 27855.1264367816,
    "bus": 35732.1511111111,
    "train": 67583.7075812274,
    "motorcycle": 6298.7200839748,
    "bicycle": 4672.3249222261,
}
_COUNT = 34  # ids from 0
_IDS = np.array([number for number, _ in _LABELS.values()])
_CATEGORIES = tuple(dict.fromkeys(category for _, category in _LABELS.values()))
# Those whose labels all have instances.
_WITH_INSTANCES = ("human", "vehicle")
_LABEL_END, _IDS_END, _INSTANCES_END = (
    f"{kind}.png" for kind in ("labelTrainIds", "labelIds", "instanceIds")
)


@dataclasses.dataclass(frozen=True)
class CityscapesMetric(Metric):
    """The scores of cityscapesscripts' evalPixelLevelSemanticLabeling, in percent.

    It reads `*_labelIds.png` and `*_instanceIds.png` beside the labels of the data set,
    and counts what cityscapesscripts counts; no files are written. iIoU weighs each
    pixel by the mean size of its class's instances over the size of its own instance.

    Attributes:
        ignore_index: of the data set's labels; the scores look at the ids instead.
    """

    ignore_index: int | None = None
    sees_images = True

    def score_names(self) -> tuple[str, ...]:
        return (
            *("averageScoreClasses", "averageScoreInstClasses"),
            *("averageScoreCategories", "averageScoreInstCategories"),
        )

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """The confusion of ids; then right and missed, of classes and categories."""
        ids_of_classes = np.array([_LABELS[name][0] for name in _checked(classes)])
        path = sample.get("seg_map_path", "")
        if not path.endswith(_LABEL_END):
            raise ConfigError(
                f"CityscapesMetric needs labels *{_LABEL_END}, beside which are "
                f"*{_IDS_END} and *{_INSTANCES_END}; the label is {path or 'no file'}"
            )
        start = path.removesuffix(_LABEL_END)
        ids = _read(start + _IDS_END, pred.shape)
        instances = _read(start + _INSTANCES_END, pred.shape)
        pred = ids_of_classes[pred]
        pairs = ids.ravel().astype(np.int64) * _COUNT + pred.ravel()
        confusion = np.bincount(pairs, minlength=_COUNT**2)
        return np.concatenate([confusion, _instance_sums(pred, instances).ravel()])

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        sums = counts.rows.sum(0)
        confusion = sums[: _COUNT**2].reshape(_COUNT, _COUNT)
        right, missed = sums[_COUNT**2 :].reshape(-1, 2).T
        iou = np.array([_iou(confusion, [_LABELS[name][0]]) for name in classes])
        names = list(_MEAN_SIZE)
        inst = np.full(len(classes), np.nan)
        for place, name in enumerate(names):
            wrong = _wrong(confusion, [_LABELS[name][0]])
            inst[list(classes).index(name)] = _ratio(right[place], missed[place], wrong)
        ids = {c: [i for i, of in _LABELS.values() if of == c] for c in _CATEGORIES}
        of_category = np.array([_iou(confusion, ids[c]) for c in _CATEGORIES])
        inst_of_category = [
            _ratio(
                right[len(names) + i], missed[len(names) + i], _wrong(confusion, ids[c])
            )
            for i, c in enumerate(_WITH_INSTANCES)
        ]
        means = map(
            mean_over_classes, (iou, inst, of_category, np.array(inst_of_category))
        )
        summary = dict(zip(self.score_names(), means, strict=True))
        return Scores(
            {name: float(np.round(100 * value, 2)) for name, value in summary.items()},
            {
                "officialIoU": np.round(100 * iou, 2),
                "iIoU": np.round(100 * inst, 2),
            },
        )


def _checked(classes):
    """The names of a data set's classes, in any order; others are refused."""
    if sorted(classes) != sorted(_LABELS):
        lacks = [name for name in _LABELS if name not in classes]
        more = [name for name in classes if name not in _LABELS]
        raise ConfigError(
            f"CityscapesMetric scores the {len(_LABELS)} classes of Cityscapes by their "
            f"names; of these the data set with its {len(classes)} classes lacks "
            f"{', '.join(map(repr, lacks)) or 'none'}, and it has others: "
            f"{', '.join(map(repr, more)) or 'none'}"
        )
    return classes


def _read(path, shape):
    try:
        with Image.open(path) as image:
            found = np.asarray(image)
    except OSError as error:
        raise ConfigError(f"CityscapesMetric cannot read {path}: {error}") from error
    if found.shape != shape:
        raise ConfigError(
            f"{path} has the shape {list(found.shape)}, its prediction {list(shape)}"
        )
    return found


def _instance_sums(pred: np.ndarray, instances: np.ndarray) -> np.ndarray:
    """Weighted pixels of instances that are right and missed: (classes + categories, 2).

    Args:
        pred: predicted ids (H, W).
        instances: id * 1000 + number of the instance, (H, W).
    """
    pred, instances = pred.ravel(), instances.ravel()
    sizes = np.bincount(instances)
    right = np.bincount(instances, pred == instances // 1000)
    # Of a category, a label of it that is not evaluated would be right, too; none is
    # ever predicted.
    in_category = [
        np.bincount(instances, part) for part in (np.isin(pred, (24, 25)), pred >= 26)
    ]
    rows = {_LABELS[name][0]: row for row, name in enumerate(_MEAN_SIZE)}
    mean_sizes = tuple(_MEAN_SIZE.values())
    sums = np.zeros((len(rows) + len(_WITH_INSTANCES), 2))
    for instance in np.flatnonzero(sizes):
        number, size = instance // 1000, sizes[instance]
        if number not in rows:
            continue
        category = int(number >= 26)
        weight = mean_sizes[rows[number]] / float(size)
        hits = right[instance], in_category[category][instance]
        for row, hit in zip((rows[number], len(rows) + category), hits, strict=True):
            sums[row] += hit * weight, (size - hit) * weight
    return sums


def _wrong(confusion, ids):
    """Pixels of other evaluated labels that are predicted as one of some ids."""
    others = [number for number in _IDS if number not in ids]
    return confusion[np.ix_(others, ids)].sum()


def _iou(confusion, ids):
    right = confusion[np.ix_(ids, ids)].sum()
    return _ratio(right, confusion[ids].sum() - right, _wrong(confusion, ids))


def _ratio(right, missed, wrong):
    union = right + missed + wrong
    return right / union if union else np.nan

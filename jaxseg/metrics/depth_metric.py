"""Depth metric: mmseg's `DepthMetric`, errors of depths, each image by itself."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from jaxseg.config import nearest
from jaxseg.errors import FieldError
from jaxseg.metrics.metric import Counts, Metric, Scores

METRICS = ("d1", "d2", "d3", "abs_rel", "sq_rel")
METRICS += ("rmse", "rmse_log", "log10", "silog")

# Rows and columns that Eigen et al. (arXiv 1406.2283) score of NYU's 480 x 640.
_CROPS = {None: np.s_[:, :], "nyu_crop": np.s_[45:471, 41:601]}


@dataclasses.dataclass(frozen=True)
class DepthMetric(Metric):
    """Errors of the depths that are known, as means over the images.

    `d1`, `d2` and `d3` are the shares of pixels that are off by a factor of less than
    1.25, 1.25^2 and 1.25^3; `abs_rel`, `sq_rel`, `rmse`, `rmse_log`, `log10` and `silog`
    are errors, of which less is better. They are fractions and metres, no percentages.

    Attributes:
        depth_metrics: some of these; None takes all.
        min_depth_eval, max_depth_eval: only depths between them count.
        crop_type: None, or `nyu_crop`, the part of NYU's images that is scored.
    """

    depth_metrics: tuple[str, ...] | None = None
    min_depth_eval: float = 0.0
    max_depth_eval: float = math.inf
    crop_type: str | None = None

    sees_images = True
    target_key: ClassVar[str] = "gt_depth_map"

    def __post_init__(self):
        for name in self.depth_metrics or ():
            if name not in METRICS:
                raise FieldError(
                    f"depth_metrics has {name!r}{nearest(name, METRICS)}; allowed: "
                    f"{', '.join(METRICS)}"
                )
        if self.crop_type not in _CROPS:
            raise FieldError(
                f"crop_type is {self.crop_type!r}, allowed: None, 'nyu_crop'"
            )

    def score_names(self) -> tuple[str, ...]:
        return METRICS if self.depth_metrics is None else self.depth_metrics

    def of_image(
        self, pred: np.ndarray, sample: Mapping[str, Any], classes: Sequence[str]
    ) -> np.ndarray:
        """The errors of one image, in the order of `METRICS`; NaN of one without depths."""
        part = _CROPS[self.crop_type]
        truth = np.asarray(sample["gt_depth_map"], np.float64)[part]
        known = (truth > self.min_depth_eval) & (truth < self.max_depth_eval)
        truth, pred = truth[known], pred.astype(np.float64)[part][known]
        if not len(truth):
            return np.full(len(METRICS), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.maximum(truth / pred, pred / truth)
            logs = np.log(pred) - np.log(truth)
        off = pred - truth
        return np.array(
            [
                *((factor < 1.25**power).mean() for power in (1, 2, 3)),
                (np.abs(off) / truth).mean(),
                (np.square(off) / truth).mean(),
                math.sqrt(np.square(off).mean()),
                math.sqrt(np.square(logs).mean()),
                np.abs(logs).mean() / math.log(10),
                math.sqrt(np.square(logs).mean() - 0.5 * logs.mean() ** 2),
            ]
        )

    def compute(self, counts: Counts, classes: Sequence[str]) -> Scores:
        known = counts.rows[~np.isnan(counts.rows).any(1)]
        means = known.mean(0) if len(known) else np.full(len(METRICS), np.nan)
        found = dict(zip(METRICS, np.round(means, 5).tolist(), strict=True))
        return Scores({name: found[name] for name in self.score_names()}, {})

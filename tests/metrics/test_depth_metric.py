import numpy as np
import pytest

from jaxseg.config import ConfigError
from jaxseg.metrics import DepthMetric
from jaxseg.metrics.metric import Counts
from jaxseg.mmseg_config.evaluation import translate_evaluation
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import build

# Of mmseg 1.2.2's DepthMetric, in float32, with the values below.
MMSEG = dict(
    d1=0.49799493,
    d2=0.95798635,
    d3=0.99892324,
    abs_rel=0.23165044,
    sq_rel=0.35177597,
    rmse=1.53115857,
    rmse_log=0.26236802,
    log10=0.09783213,
    silog=0.26183188,
)


def test_the_errors_are_those_of_mmseg():
    truth = np.random.default_rng(3).uniform(0, 12, (480, 640)).astype(np.float32)
    factor = np.random.default_rng(4).uniform(0.6, 1.5, truth.shape)
    pred = (truth * factor).astype(np.float32) + np.float32(0.01)
    metric = DepthMetric(
        min_depth_eval=0.001, max_depth_eval=10.0, crop_type="nyu_crop"
    )
    row = metric.of_image(pred, {"gt_depth_map": truth}, ())
    assert dict(zip(metric.score_names(), row)) == pytest.approx(MMSEG, rel=1e-6)
    # The mean over images; one without a known depth is left out.
    nothing = metric.of_image(pred, {"gt_depth_map": 0 * truth}, ())
    rows = np.stack([row, nothing, 2 * row])
    scores = metric.compute(Counts(None, ("a", "b", "c"), rows), ())
    assert scores.summary["rmse"] == pytest.approx(1.5 * MMSEG["rmse"], abs=1e-5)
    assert scores.per_class == {}


def test_a_choice_of_errors():
    metric = DepthMetric(depth_metrics=("rmse", "d1"))
    counts = Counts(None, ("a",), np.arange(9.0)[None])
    assert list(metric.compute(counts, ()).summary.items()) == [("rmse", 5), ("d1", 0)]
    with pytest.raises(ConfigError, match=r"'rms' \(did you mean 'rmse'\?\); allowed"):
        build(DepthMetric, {"depth_metrics": ("rms",)}, "val_evaluator")
    with pytest.raises(ConfigError, match="crop_type is 'kitti', allowed: None, 'nyu"):
        build(DepthMetric, {"crop_type": "kitti"}, "val_evaluator")


def test_mmsegs_entry():
    given = {"type": "DepthMetric", "max_depth_eval": 10.0, "depth_scale_factor": 1000}
    report = Report()
    found = translate_evaluation({"val_evaluator": given, "model": {}}, report)
    assert found == {"val_evaluator": {"type": "DepthMetric", "max_depth_eval": 10.0}}
    assert report.missing == []

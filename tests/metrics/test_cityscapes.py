"""CityscapesMetric gives the scores of cityscapesscripts, to the last digit."""

import json
import pathlib

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets.cityscapes import CITYSCAPES
from jaxseg.config import ConfigError
from jaxseg.metrics.cityscapes import CityscapesMetric
from jaxseg.metrics.metric import Counts

# See make_cityscapes_scores.py beside the file.
STORED = np.load(pathlib.Path(__file__).parent / "cityscapes_scores.npz")
OFFICIAL = json.loads(str(STORED["scores"]))
CLASSES = tuple(name for name, _ in CITYSCAPES)


@pytest.fixture
def samples(tmp_path):
    """Each scene's files in the form of the published data set."""
    found = []
    for i, (ids, instances) in enumerate(zip(STORED["ids"], STORED["instances"])):
        start = tmp_path / f"frankfurt_{i:06d}_gtFine_"
        Image.fromarray(ids).save(f"{start}labelIds.png")
        Image.fromarray(instances).save(f"{start}instanceIds.png")
        found.append({"seg_map_path": f"{start}labelTrainIds.png"})
    return found


def test_scores_are_those_of_cityscapesscripts(samples):
    metric = CityscapesMetric()
    rows = [
        metric.of_image(pred, sample, CLASSES)
        for pred, sample in zip(STORED["preds"], samples, strict=True)
    ]
    scores = metric.compute(Counts(None, ("a", "b"), np.stack(rows)), CLASSES)
    assert scores.summary == {
        name: round(100 * OFFICIAL[name], 2) for name in metric.score_names()
    }
    assert len(set(scores.summary.values())) == 4
    for ours, theirs in (("officialIoU", "classScores"), ("iIoU", "classInstScores")):
        expected = [np.round(100 * OFFICIAL[theirs][name], 2) for name in CLASSES]
        np.testing.assert_array_equal(scores.per_class[ours], expected)


def test_classes_go_by_their_names_not_by_their_places(samples):
    metric, order = CityscapesMetric(), np.random.default_rng(0).permutation(19)
    classes = [CLASSES[number] for number in order]
    place_of = np.argsort(order).astype(np.uint8)  # of each of Cityscapes' classes

    def scores(names, preds):
        rows = [metric.of_image(p, s, names) for p, s in zip(preds, samples)]
        return metric.compute(Counts(None, ("a", "b"), np.stack(rows)), names)

    own = scores(CLASSES, STORED["preds"])
    other = scores(classes, place_of[STORED["preds"]])
    assert other.summary == own.summary
    for name, values in own.per_class.items():
        np.testing.assert_array_equal(other.per_class[name], values[order])


def test_what_it_needs(samples, tmp_path):
    metric, pred = CityscapesMetric(), STORED["preds"][0]
    classes = ["pavement" if name == "sidewalk" else name for name in CLASSES]
    message = (
        "19 classes .* by their names; .*19 classes lacks 'sidewalk', .* 'pavement'"
    )
    with pytest.raises(ConfigError, match=message):
        metric.of_image(pred, samples[0], classes)
    with pytest.raises(
        ConfigError, match="with its 2 classes lacks 'building', .* none"
    ):
        metric.of_image(pred, samples[0], CLASSES[:2])
    other = {"seg_map_path": "labels/a.png"}
    with pytest.raises(ConfigError, match=r"needs labels \*labelTrainIds.png.*a.png"):
        metric.of_image(pred, other, CLASSES)
    with pytest.raises(ConfigError, match="labelIds.png has the shape .48, 96., its"):
        metric.of_image(pred[1:], samples[0], CLASSES)
    (tmp_path / "frankfurt_000001_gtFine_instanceIds.png").unlink()
    with pytest.raises(ConfigError, match="cannot read .*000001_gtFine_instanceIds"):
        metric.of_image(pred, samples[1], CLASSES)

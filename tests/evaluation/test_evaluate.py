"""Scores of whole data sets: mmseg's numbers, every image once, whatever the batches."""

import collections
import dataclasses
import resource
import sys

import jax
import jax.monitoring
import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import BaseSegDataset, ConcatDataset
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile, Resize
from jaxseg.config import ConfigError
from jaxseg.evaluation import evaluate
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics import BoundaryIoUMetric, CalibrationMetric, HausdorffMetric
from jaxseg.metrics.iou_metric import IoUMetric
from jaxseg.metrics.metric import Metric, Scores
from jaxseg.resolve import resolve
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings import tta as augmentation
from tests.evaluation.scenes import (
    CLASSES,
    LOADING,
    SIZES,
    Painter,
    Scenes,
    scenes,
    settings_of,
)
from tests.small_unet import small_unet


def unet(**test_cfg):
    norm_cfg = dict(type="BN")
    return resolve(
        dict(
            type="EncoderDecoder",
            backbone=small_unet(norm_cfg=norm_cfg),
            decode_head=dict(
                type="FCNHead",
                in_channels=4,
                in_index=1,
                channels=4,
                num_convs=1,
                concat_input=False,
                num_classes=6,
                norm_cfg=norm_cfg,
            ),
            test_cfg=test_cfg or dict(mode="whole"),
        ),
        "model",
    )


def dilated():
    """One that takes images of any size."""
    norm_cfg = dict(type="BN")
    return resolve(
        dict(
            type="EncoderDecoder",
            backbone=dict(
                type="ResNet",
                depth=18,
                stem_channels=4,
                base_channels=4,
                num_stages=2,
                strides=(1, 2),
                dilations=(1, 1),
                out_indices=(1,),
                norm_cfg=norm_cfg,
            ),
            decode_head=dict(
                type="PSPHead",
                in_channels=8,
                in_index=0,
                channels=4,
                num_classes=6,
                norm_cfg=norm_cfg,
            ),
        ),
        "model",
    )


@pytest.fixture
def compiled():
    """Names of the programs that XLA compiled, from when the list was last cleared."""
    names = []

    def listen(event, duration, **facts):
        if event == "/jax/core/compile/backend_compile_duration":
            names.append(facts["fun_name"])

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield names
    jax.monitoring.unregister_event_duration_listener(listen)


@pytest.fixture
def confusions(monkeypatch):
    """Every confusion matrix that an evaluation ends with."""
    found, read = [], evaluate.read_total

    def read_total(total):
        found.append(read(total))
        return found[-1]

    monkeypatch.setattr(evaluate, "read_total", read_total)
    return found


def test_scores_are_those_of_mmseg(confusions):
    metrics = ("mIoU", "mDice", "mFscore")
    settings = settings_of(Scenes(), batch_size=2, metrics=metrics)
    done = []
    scores = Evaluator(Predictor(Painter()), settings)({}, done.append)
    # IoUMetric of mmseg 1.2.2, from the same label maps.
    nan = np.nan
    assert scores.summary == dict(
        aAcc=77.27, mIoU=53.32, mAcc=77.29, mDice=63.97, mFscore=79.96,
        mPrecision=66.27, mRecall=77.29,
    )  # fmt: skip
    expected = dict(
        IoU=[69.93, 67.11, 65.18, 64.36, 0, nan],
        Acc=[80.00, 77.27, 75.40, 76.49, nan, nan],
        Dice=[82.31, 80.31, 78.92, 78.32, 0, nan],
        Fscore=[82.31, 80.31, 78.92, 78.32, nan, nan],
        Precision=[84.75, 83.61, 82.78, 80.23, 0, nan],
        Recall=[80.00, 77.27, 75.40, 76.49, nan, nan],
    )
    for name, values in expected.items():
        np.testing.assert_array_equal(scores.per_class[name], values, name)
    assert done[-1] == len(SIZES)
    # Counted by hand: each pair of an image's pixels once.
    pairs = collections.Counter()
    for pred, label in scenes(SIZES):
        pairs.update(zip(label.ravel().tolist(), pred.ravel().tolist()))
    counted = {
        (int(i), int(j)): int(confusions[0][i, j])
        for i, j in np.argwhere(confusions[0])
    }
    assert counted == {pair: n for pair, n in pairs.items() if pair[0] != 255}


@pytest.mark.parametrize(
    "test_cfg",
    [dict(mode="whole"), dict(mode="slide", crop_size=(12, 12), stride=(8, 8))],
    ids=["whole", "slide"],
)
def test_batches_and_devices_change_no_count(test_cfg, confusions):
    sizes = [(16, 24), (24, 16), (16, 24), (16, 24), (24, 16), (16, 24), (16, 24)]
    dataset, model = Scenes(sizes), unet(**test_cfg)
    variables = init_variables(model, 0, 3, (16, 16))
    for devices, batch_size in [(1, 1), (2, 3), (4, 5), (8, 8)]:
        predictor = Predictor(model, jax.devices()[:devices])
        Evaluator(predictor, settings_of(dataset, batch_size))(variables)
        networks = 2 if test_cfg["mode"] == "whole" else 1
        # For every size what follows the network, the count with it.
        assert predictor.compilations == {"network": networks, "rest": 2}
    labelled = sum((label != 255).sum() for _, label in scenes(sizes))
    assert confusions[0].sum() == labelled
    assert (confusions[0].sum(0) > 0).sum() >= 2
    for other in confusions[1:]:
        np.testing.assert_array_equal(other, confusions[0])


def test_many_sizes_compile_few_programs(tmp_path, confusions, compiled):
    """An ADE20K-like mix: 60 sizes."""
    rng = np.random.default_rng(0)
    for i, (height, width) in enumerate(rng.integers(256, 700, (60, 2))):
        cells = rng.integers(0, 256, (-(-height // 32), -(-width // 32), 3), np.uint8)
        image = cells.repeat(32, axis=0).repeat(32, axis=1)[:height, :width]
        Image.fromarray(image).save(tmp_path / f"{i:02d}.bmp")
        label = rng.integers(0, 6, (height, width), np.uint8)
        Image.fromarray(label).save(tmp_path / f"{i:02d}.png", compress_level=0)
    pipeline = (
        LoadImageFromFile(),
        Resize(scale=(512, 128), keep_ratio=True),
        LoadAnnotations(),
    )
    dataset = BaseSegDataset(
        data_prefix=dict(img_path=str(tmp_path), seg_map_path=str(tmp_path)),
        img_suffix=".bmp",
        metainfo=dict(classes=CLASSES),
        pipeline=pipeline,
    )
    model = dilated()
    variables = init_variables(model, 0, 3, (32, 32))
    compiled.clear()
    predictor = Predictor(model, jax.devices()[:1])
    Evaluator(predictor, settings_of(dataset))(variables)
    assert predictor.compilations == {"network": 5, "rest": 5}
    # On a CPU one more, tiny, asks XLA for an option.
    assert len(compiled) <= 11, compiled
    assert confusions[0].sum() == sum(
        np.asarray(Image.open(path)).size for path in tmp_path.glob("*.png")
    )


def test_a_second_evaluation_compiles_nothing():
    evaluator = Evaluator(Predictor(Painter()), settings_of(Scenes()))
    first = evaluator({})
    compiled = dict(evaluator.predictor.compilations)
    second = evaluator({})
    assert second.summary == first.summary
    assert evaluator.predictor.compilations == compiled == {"network": 3, "rest": 3}


@pytest.mark.long
def test_memory_does_not_grow_with_the_number_of_images():
    # Of mmseg's IoUMetric, and of a list of label maps, it does: 64 KB an image, which
    # is 19 MB from each mark to the next. An allocator may grow once, for other reasons.
    marks = (300, 600, 900, 1200)
    evaluator = Evaluator(
        Predictor(Painter(), jax.devices()[:1]),
        settings_of(Scenes([(256, 256)] * marks[-1])),
    )
    peaks = []

    def note(done):
        if done in marks:
            peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)

    evaluator({}, note)
    unit = 1 if sys.platform == "darwin" else 1024
    assert len(peaks) == len(marks)
    assert min(np.diff(peaks)) * unit < 4 << 20


def test_scales_and_flips():
    """Of a symmetric predictor they leave flat images as they are."""
    tta = augmentation.TestTimeAug(img_ratios=(0.5, 1.0))
    predictor = Predictor(Painter(), jax.devices()[:2])
    dataset = Scenes([(16, 16)] * 3)
    dataset._scenes = [
        (np.full((16, 16), i, np.uint8), np.full((16, 16), min(i, 1), np.uint8))
        for i in range(3)
    ]
    scores = Evaluator(predictor, settings_of(dataset, tta=tta))({})
    # By hand: 0 and 1 are right, 2 is taken for another class.
    np.testing.assert_array_equal(
        scores.per_class["IoU"], [100, 50, 0, np.nan, np.nan, np.nan]
    )
    # Two scales; what follows for each of them, flipped or not, and the first sum is
    # no sum; then the choice, with the count.
    assert predictor.compilations == {"network": 2, "rest": 3 + 1}


def test_a_sample_without_a_label():
    settings = settings_of(Scenes(pipeline=LOADING[:1]))
    with pytest.raises(ConfigError, match="scene 0 has no label: .* LoadAnnotations"):
        Evaluator(Predictor(Painter()), settings)({})


def test_data_sets_that_are_scored_one_by_one():
    parts = Scenes(SIZES[:3]), Scenes(SIZES)
    evaluator = Evaluator(
        Predictor(Painter(), jax.devices()[:2]),
        settings_of(ConcatDataset(parts, separate_eval=True)),
    )
    done = []
    scores = evaluator({}, done.append)
    assert done[-1] == 10 and done == sorted(done)
    names = ["aAcc", "mIoU", "mAcc"]
    assert list(scores.summary) == [
        *names, *(f"0_{name}" for name in names), *(f"1_{name}" for name in names)
    ]  # fmt: skip
    # The numbers of all scenes are those of the first test.
    assert scores.summary["1_mIoU"] == 53.32
    assert scores.summary["mIoU"] != scores.summary["0_mIoU"] != 53.32


def test_single_images_are_looked_at_in_the_order_of_the_data_set():
    metric = IoUMetric(("mIoU",), per_image=True)
    settings = dataclasses.replace(settings_of(Scenes()), val_evaluator=(metric,))
    evaluator = Evaluator(Predictor(Painter(), jax.devices()[:2]), settings)
    shown = {}

    def sink(sample, pred, probabilities):
        shown[sample["img_path"]] = pred
        assert probabilities is None

    [counts] = evaluator.count({}, sinks=[sink])
    assert counts.images == tuple(f"scene {i}" for i in range(len(SIZES)))
    for row, name, (pred, label) in zip(counts.rows, counts.images, scenes(SIZES)):
        np.testing.assert_array_equal(shown[name], pred)
        expected = np.bincount(label[(label == pred) & (label != 255)], minlength=6)
        np.testing.assert_array_equal(row[:6], expected)
    assert counts.rows[:, :6].sum() == np.trace(counts.total)


def test_metrics_of_every_kind_count_side_by_side():
    found = [
        IoUMetric(("mIoU",)),
        CalibrationMetric(),
        BoundaryIoUMetric(),
        HausdorffMetric(),
    ]
    settings = dataclasses.replace(settings_of(Scenes()), val_evaluator=tuple(found))
    evaluator = Evaluator(Predictor(Painter(), jax.devices()[:2]), settings)
    types = set()
    sink = lambda sample, pred, probabilities: types.add(pred.dtype)
    scores = evaluator.scores(evaluator.count({}, sinks=[sink]))
    assert types == {np.dtype(np.uint8)}
    # As of the first test; a one-hot vector has the probability e / (e + 5).
    assert (scores.summary["aAcc"], scores.summary["mIoU"]) == (77.27, 53.32)
    confidence = 100 * np.e / (np.e + 5)
    assert scores.summary["ECE"] == pytest.approx(77.27 - confidence, abs=0.01)
    for name in ("BoundaryIoU", "HD95"):
        assert np.isnan(scores.per_class[name][5])
        assert np.isfinite(scores.summary[f"m{name}"])
    # One more output, and no more programs.
    assert evaluator.predictor.compilations == {"network": 3, "rest": 3}


@dataclasses.dataclass(frozen=True)
class WrongPixels(Metric):
    """A metric of a user's, which says no more than it must."""

    sees_images = True

    def score_names(self):
        return ("wrong",)

    def of_image(self, pred, sample, classes):
        return np.array([(pred != sample["gt_seg_map"]).sum()], np.float64)

    def compute(self, counts, classes):
        return Scores({"wrong": float(counts.rows.sum())}, {})


def test_a_metric_of_a_users():
    settings = dataclasses.replace(
        settings_of(Scenes()), val_evaluator=(IoUMetric(), WrongPixels())
    )
    scores = Evaluator(Predictor(Painter(), jax.devices()[:2]), settings)({})
    wrong = sum((pred != label).sum() for pred, label in scenes(SIZES))
    assert scores.summary["mIoU"] == 53.32 and scores.summary["wrong"] == wrong


def test_labels_stay_on_the_host_with_the_metrics_that_look_at_them(monkeypatch):
    predictor = Predictor(Painter(), jax.devices()[:2])
    settings = dataclasses.replace(
        settings_of(Scenes()), val_evaluator=(BoundaryIoUMetric(), HausdorffMetric())
    )
    evaluator = Evaluator(predictor, settings)
    monkeypatch.setattr(predictor, "add_counts", None)  # it would send labels
    found = evaluator.count({})
    assert predictor.compilations == {"network": 3, "rest": 3}
    for counts, metric in zip(found, evaluator.metrics, strict=True):
        assert counts.total is None
        assert counts.images == tuple(f"scene {i}" for i in range(len(SIZES)))
        for row, (pred, label) in zip(counts.rows, scenes(SIZES), strict=True):
            sample = dict(gt_seg_map=label, ignore_index=255)
            np.testing.assert_array_equal(
                row, metric.of_image(pred, sample, evaluator.classes)
            )

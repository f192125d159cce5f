"""Scores of whole data sets: mmseg's numbers, every image once, whatever the batches."""

import collections
import dataclasses
import functools
import json
import resource
import sys
import types

import jax
import jax.monitoring
import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import BaseSegDataset, ConcatDataset
from input_pipeline.sources import SegDataset
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile, Resize
from jaxseg.config import ConfigError
from jaxseg.evaluation import evaluate
from jaxseg.evaluation.checks import check_classes, check_ignored
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.evaluation.report import report
from jaxseg.evaluation.runner import Runner, by_bucket, images_together
from jaxseg.inference.predictor import Predictor
from jaxseg.metrics import BoundaryIoUMetric, CalibrationMetric, HausdorffMetric
from jaxseg.metrics.iou_metric import IoUMetric
from jaxseg.metrics.metric import Scores
from jaxseg.resolve import resolve
from jaxseg.runtime.workdir import WorkdirError
from jaxseg.segmentors import SegDataPreProcessor
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.segmentors.phases import TestCfg
from jaxseg.settings import tta as augmentation
from jaxseg.settings.loaders import DataLoader
from jaxseg.settings.read import read_settings
from tests.small_unet import small_unet

# Seven images of three sizes, in an order that leaves groups of every size unfinished.
SIZES = [(16, 24), (24, 16), (16, 24), (9, 13), (16, 24), (24, 16), (16, 24)]
CLASSES = ("a", "b", "c", "d", "e", "f")
LOADING = (LoadImageFromFile(), LoadAnnotations())


def scenes(sizes):
    """(prediction, label): e is only predicted, f neither; a tenth is ignored."""
    rng = np.random.default_rng(3)
    for size in sizes:
        label = rng.integers(0, 4, size)
        pred = np.where(rng.random(size) < 0.7, label, rng.integers(0, 5, size))
        label[rng.random(size) < 0.1] = 255
        yield pred.astype(np.uint8), label.astype(np.uint8)


class Scenes(SegDataset):
    """Images whose first channel is what `Painter` predicts."""

    ignore_index, reduce_zero_label, label_map = 255, False, None

    def __init__(self, sizes=SIZES, pipeline=LOADING):
        self.pipeline = pipeline
        self.file_palette = ((0, 0, 0),) * len(CLASSES)
        self.metainfo = dict(classes=CLASSES, palette=self.file_palette)
        self._scenes = list(scenes(sizes))

    def __len__(self):
        return len(self._scenes)

    def __getitem__(self, index):
        pred, label = self._scenes[index]
        image = np.repeat(pred[..., None], 3, axis=2)
        name = f"scene {index}"
        return dict(img=image, gt_seg_map=label, img_path=name) | self.facts()


class Painter:
    """A segmentor that predicts the image's first channel."""

    test_cfg = TestCfg()
    in_channels = 3
    threshold = None
    align_corners = False
    data_preprocessor = SegDataPreProcessor()

    def check_size(self, size):
        pass

    def apply(self, variables, images, method):
        assert method == "maps"
        return jax.nn.one_hot(images[..., 0].astype(np.uint8), len(CLASSES)), ()

    def scores(self, maps, per_image):
        assert per_image == ()
        return maps


def settings_of(dataset, batch_size=1, metrics=("mIoU",), tta=None):
    return dataclasses.replace(
        read_settings({}),
        val_dataloader=DataLoader(dataset, batch_size, num_threads=1),
        val_evaluator=(IoUMetric(metrics),),
        tta=tta,
    )


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


def test_an_accelerator_takes_the_batch_at_once():
    gpus = [types.SimpleNamespace(platform="gpu")] * 4
    assert images_together(1, gpus) == 4
    assert images_together(8, gpus) == 8
    assert images_together(9, gpus) == 12
    assert images_together(9, jax.devices()[:4]) == 4


def test_groups_hold_each_sample_once_and_few_wait():
    pulled = []

    def samples():
        for i in range(500):
            pulled.append(i)
            size = (i % 100 + 1, 1)
            yield dict(number=i, img=np.zeros((*size, 3)), gt_seg_map=np.zeros(size))

    seen = []

    def size_of(sample):
        return sample["img"].shape

    for size, group in by_bucket(samples(), 4, size_of):
        assert {size_of(sample) for sample in group} == {size}
        assert 1 <= len(group) <= 4
        seen += [sample["number"] for sample in group]
        assert len(pulled) - len(seen) <= 64
    assert sorted(seen) == list(range(500))


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


def test_tta_wants_the_image_at_its_own_size():
    dataset = Scenes(pipeline=(LOADING[0], Resize(scale=(8, 8)), LOADING[1]))
    settings = settings_of(dataset, tta=augmentation.TestTimeAug())
    with pytest.raises(
        ConfigError,
        match=r"scene 0 is 16x24, and 8x8 after the pipeline; .* changes its size",
    ):
        Evaluator(Predictor(Painter()), settings)({})


def test_a_sample_without_a_label():
    settings = settings_of(Scenes(pipeline=LOADING[:1]))
    with pytest.raises(ConfigError, match="scene 0 has no label: .* LoadAnnotations"):
        Evaluator(Predictor(Painter()), settings)({})


def test_a_sample_of_other_channels():
    class Narrow(Painter):
        in_channels = 4

    with pytest.raises(ConfigError, match="scene 0 has 3 channels, .*in_channels is 4"):
        Evaluator(Predictor(Narrow()), settings_of(Scenes()))({})


def test_no_val_dataloader():
    with pytest.raises(ConfigError, match="val_dataloader is missing"):
        Evaluator(Predictor(Painter()), read_settings({}))


def test_heads_and_data_set_must_agree():
    def model(classes=6, ignore_index=255, aux=()):
        head = functools.partial(types.SimpleNamespace, has_own_classes=False)
        return types.SimpleNamespace(
            data_preprocessor=SegDataPreProcessor(),
            heads={
                "decode_head": head(num_classes=classes, ignore_index=ignore_index),
                **{
                    f"auxiliary_head.{i}": head(num_classes=n, ignore_index=255)
                    for i, n in enumerate(aux)
                },
            },
        )

    dataset, path = Scenes(), "val_dataloader.dataset"
    check_classes(model(aux=(6,)), dataset, path)
    message = "model.decode_head.num_classes is 7, but val_dataloader.dataset has 6 cl"
    with pytest.raises(ConfigError, match=message + r"asses: a, b, c, d, e, \.\.\."):
        check_classes(model(7), dataset, path)
    with pytest.raises(ConfigError, match=r"model.auxiliary_head.1.num_classes is 3"):
        check_classes(model(aux=(6, 3)), dataset, path)
    edges = model(aux=(6, 2))
    edges.heads["auxiliary_head.1"].has_own_classes = True
    check_classes(edges, dataset, path)
    with pytest.raises(ConfigError, match="ignore_index is 0, that of val.* is 255"):
        check_ignored(model(ignore_index=0), dataset, path)
    alone = types.SimpleNamespace(metainfo={"classes": ["road"]}, ignore_index=255)
    message = "val_dataloader.dataset has one class alone, 'road': every pixel that"
    with pytest.raises(ConfigError, match=message):
        check_classes(model(1), alone, path)


def test_report(tmp_path, capsys):
    scores = Scores(
        dict(aAcc=80.0, mIoU=75.125, mAcc=np.nan), dict(IoU=np.array([75.125, np.nan]))
    )
    report(scores, ("road", "car"), tmp_path / "new" / "eval.json")
    assert json.loads((tmp_path / "new" / "eval.json").read_text()) == dict(
        summary=dict(aAcc=80.0, mIoU=75.125, mAcc=None),
        per_class=dict(IoU=dict(road=75.125, car=None)),
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["road", "75.12"]
    assert lines[-2:] == ["aAcc 80.00  mAcc nan", "val mIoU 75.12"]
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkdirError, match=r"file/eval.json: the scores cannot be wri"):
        report(scores, ("road", "car"), tmp_path / "file" / "eval.json")
    assert capsys.readouterr().out.splitlines() == lines


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


def test_a_data_set_without_labels_is_predicted():
    dataset = Scenes(SIZES[:4], pipeline=LOADING[:1])
    runner = Runner(
        Predictor(Painter(), jax.devices()[:2]), settings_of(dataset), "val"
    )
    for probabilities in (False, True):
        found, done = {}, []

        def sink(sample, pred, mean, found=found):
            found[sample["number"]] = pred, mean

        runner.predict({}, [sink], done.append, probabilities)
        assert done[-1] == 4
        for number, (pred, _) in enumerate(scenes(SIZES[:4])):
            np.testing.assert_array_equal(found[number][0], pred)
            if not probabilities:
                assert found[number][1] is None
                continue
            mean = found[number][1]
            assert mean.shape == (*pred.shape, len(CLASSES))
            np.testing.assert_allclose(mean.sum(-1), 1, atol=1e-6)
            np.testing.assert_array_equal(mean.argmax(-1), pred)


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

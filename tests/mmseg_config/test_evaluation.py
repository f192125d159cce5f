"""`val_evaluator` and `tta` of both lines in ours."""

import pytest

from jaxseg.config import override
from jaxseg.mmseg_config.datasets import translate_data
from jaxseg.mmseg_config.evaluation import translate_evaluation
from jaxseg.mmseg_config.report import Report
from jaxseg.settings.read import read_settings

IOU = {"type": "IoUMetric", "iou_metrics": ["mIoU"]}
RESIZE = {"type": "Resize", "scale": (80, 40), "keep_ratio": True}
ENDS = [{"type": "LoadAnnotations"}, {"type": "PackSegInputs"}]
GREY = {"type": "LoadImageFromFile", "color_type": "grayscale"}
TTA = [
    {"type": "LoadImageFromFile"},
    {
        "type": "TestTimeAug",
        "transforms": [
            [
                {"type": "Resize", "scale_factor": r, "keep_ratio": True}
                for r in (0.5, 1.0)
            ],
            [{"type": "RandomFlip", "prob": p} for p in (0.0, 1.0)],
            [{"type": "LoadAnnotations"}],
        ],
    },
]


def translate(raw):
    report = Report()
    return translate_evaluation(raw, report), report


@pytest.mark.parametrize(
    "metric, names",
    [("mIoU", ["mIoU"]), (["mDice", "mFscore"], ["mDice", "mFscore"])],
)
def test_metrics_of_v0(metric, names):
    raw = {"data": {}, "evaluation": {"interval": 10, "metric": metric}}
    evaluator = {"type": "IoUMetric", "iou_metrics": names}
    assert translate(raw) == ({"val_evaluator": evaluator}, Report())


def test_metrics_that_are_not_ours_are_named():
    other = {"type": "OtherMetric", "max_depth_eval": 10.0}
    config, report = translate({"val_evaluator": other})
    assert config == {"val_evaluator": other}
    assert report.missing == [("val_evaluator", "OtherMetric")]


def test_the_official_scores_of_cityscapes():
    official = {"type": "CityscapesMetric"}
    raw = {"data": {}, "evaluation": {"metric": ["mIoU", "cityscapes"]}}
    assert translate(raw) == ({"val_evaluator": [IOU, official]}, Report())
    raw["evaluation"]["metric"] = "cityscapes"
    assert translate(raw)[0] == {"val_evaluator": official}
    metric = {**official, "output_dir": "out", "keep_results": True}
    config, report = translate({"val_evaluator": [IOU, metric | {"prefix": "x"}]})
    assert config == {"val_evaluator": [IOU, official]}
    assert [note.partition(":")[0] for note in report.notes] == [
        "val_evaluator.1.output_dir",
        "val_evaluator.1.keep_results",
    ]
    assert translate({"val_evaluator": metric})[0] == {"val_evaluator": official}


def test_the_keys_of_v1():
    evaluator = {
        "type": "mmseg.IoUMetric",
        "iou_metrics": "mFscore",
        "ignore_index": 255,
        "nan_to_num": 0,
        "beta": 2,
        "collect_device": "gpu",
        "prefix": "roads",
        "format_only": True,
    }
    config, report = translate({"val_evaluator": evaluator})
    assert config["val_evaluator"] == {
        "type": "IoUMetric",
        "iou_metrics": ["mFscore"],
        "ignore_index": 255,
        "nan_to_num": 0,
        "beta": 2,
    }
    assert report.missing == []
    assert len(report.notes) == 1 and "format_only: not used" in report.notes[0]


def test_a_list_of_evaluators():
    dice = {"type": "IoUMetric", "iou_metrics": ["mDice", "mIoU"], "beta": 2}
    config, report = translate({"val_evaluator": [IOU, dice]})
    assert config["val_evaluator"] == {
        "type": "IoUMetric",
        "iou_metrics": ["mIoU", "mDice"],
        "beta": 2,
    }
    assert report == Report()
    _, report = translate({"val_evaluator": [dice, {**dice, "beta": 1}]})
    assert report.missing == [
        ("val_evaluator.1.beta", "several IoUMetric of different beta")
    ]


def test_another_evaluator_of_the_test():
    raw = {"val_evaluator": IOU, "test_evaluator": {**IOU, "iou_metrics": ["mDice"]}}
    config, report = translate(raw)
    assert config == raw
    assert report == Report()
    assert translate(raw | {"test_evaluator": IOU})[0] == {"val_evaluator": IOU}
    assert translate({"test_evaluator": IOU})[0] == {"val_evaluator": IOU}


@pytest.mark.parametrize("wrapped", [False, True])
def test_multi_scale_and_flip_of_v0_are_part_of_every_test(wrapped):
    aug = {
        "type": "MultiScaleFlipAug",
        "img_scale": (80, 40),
        "img_ratios": [0.5, 1.0],
        "flip": True,
        "transforms": [{"type": "Resize"}, {"type": "RandomFlip"}],
    }
    val = {"type": "CustomDataset", "img_dir": "i", "pipeline": [GREY, aug]}
    raw = {"data": {"val": [val, val] if wrapped else val}}
    config, report = translate(raw)
    assert config["tta"] == {
        "img_ratios": [0.5, 1.0],
        "img_scale": (80, 40),
        "flip": True,
        "flip_direction": "horizontal",
    }
    dataset = translate_data(raw, report)["val_dataloader"]["dataset"]
    for part in dataset["datasets"] if wrapped else [dataset]:
        assert part["pipeline"] == [GREY, *ENDS]
    assert report.missing == []
    aug["flip"], aug["img_ratios"] = False, None
    assert "tta" not in translate(raw)[0]


def test_tta_of_v1_waits_to_be_enabled():
    dataset = {"type": "DigitsDataset", "split": "val", "pipeline": [GREY, RESIZE]}
    dataset["pipeline"] += ENDS
    raw = {
        "val_dataloader": {"dataset": {"type": "RepeatDataset", "dataset": dataset}},
        "val_evaluator": IOU,
        "tta_pipeline": TTA,
        "tta_model": {"type": "SegTTAModel"},
    }
    raw["val_dataloader"]["dataset"]["times"] = 1
    config, report = translate(raw)
    assert report.notes == []
    config |= translate_data(raw, report)
    settings = read_settings(config)
    assert settings.tta is None
    types = [type(t).__name__ for t in settings.val_dataloader.dataset.dataset.pipeline]
    assert types == ["LoadImageFromFile", "Resize", "LoadAnnotations", "PackSegInputs"]
    override(config, [("tta.enabled", True)])
    settings = read_settings(config)
    assert settings.tta.img_ratios == (0.5, 1.0) and settings.tta.img_scale is None
    assert settings.tta.directions == ("horizontal",)
    # `tta` scales the image as it is.
    types = [type(t).__name__ for t in settings.val_dataloader.dataset.dataset.pipeline]
    assert types == ["LoadImageFromFile", "LoadAnnotations", "PackSegInputs"]


def test_a_tta_pipeline_that_is_not_ours_is_noted():
    raw = {"val_evaluator": IOU, "tta_pipeline": [{"type": "TestTimeAug"}]}
    assert "tta_pipeline: not used" in translate(raw)[1].notes[0]

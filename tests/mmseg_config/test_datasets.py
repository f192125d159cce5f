"""Loaders and data sets of both lines in ours, and the labels that come out."""

import copy

import cv2
import numpy as np
import pytest

from input_pipeline import datasets, transforms
from jaxseg.config import ConfigError, plain
from jaxseg.mmseg_config.datasets import Part, translate_data, translate_dataset
from jaxseg.mmseg_config.report import Report
from jaxseg.resolve import resolve

LOAD = [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}]
TEST_V0 = [
    {"type": "LoadImageFromFile"},
    {
        "type": "MultiScaleFlipAug",
        "img_scale": (80, 40),
        "flip": False,
        "transforms": [{"type": "Resize"}, {"type": "Collect", "keys": ["img"]}],
    },
]


def translate(raw):
    """(config, report); the raw dict must stay as it is."""
    before, report = copy.deepcopy(raw), Report()
    config = translate_data(raw, report)
    assert raw == before
    return config, report


def v0(train=None, val=None):
    """A config of 0.x; keys of its data sets beside the pipelines."""
    roads = {"type": "CustomDataset", "img_dir": "img", "ann_dir": "ann"}
    train = {**roads, "pipeline": LOAD, **(train or {})}
    val = {**roads, "pipeline": TEST_V0, "test_mode": True, **(val or {})}
    return {"data": {"train": train, "val": val, "test": val}, "lr_config": {}}


def v1(train=None, val=None):
    """A config of 1.x; keys of its data sets."""
    prefix = {"img_path": "img", "seg_map_path": "ann"}
    roads = {"type": "BaseSegDataset", "data_prefix": prefix, "pipeline": LOAD}
    tests = {"batch_size": 1, "dataset": {**roads, **(val or {})}}
    return {
        "train_dataloader": {"dataset": {**roads, **(train or {})}},
        "val_dataloader": tests,
        "test_dataloader": copy.deepcopy(tests),
    }


# MARK: data sets


def test_the_keys_of_v0():
    extra = {
        "data_root": "data/roads",
        "split": "train.txt",
        "classes": ["road", "other"],
        "palette": [[1, 2, 3], [4, 5, 6]],
        "ignore_index": 254,
        "img_suffix": ".tif",
        "file_client_args": {"backend": "disk"},
    }
    config, report = translate(v0(extra))
    assert config["train_dataloader"]["dataset"] == {
        "type": "BaseSegDataset",
        "data_root": "data/roads",
        "data_prefix": {"img_path": "img", "seg_map_path": "ann"},
        "ann_file": "train.txt",
        "metainfo": {
            "classes": ["road", "other"],
            "palette": [[1, 2, 3], [4, 5, 6]],
        },
        "ignore_index": 254,
        "img_suffix": ".tif",
        "pipeline": LOAD,
    }
    assert report == Report()


def test_a_test_of_v0_loads_the_label_at_its_own_size():
    config, _ = translate(v0())
    assert config["val_dataloader"]["dataset"]["pipeline"] == [
        {"type": "LoadImageFromFile"},
        {"type": "Resize", "scale": (80, 40), "keep_ratio": True},
        {"type": "LoadAnnotations"},
        {"type": "PackSegInputs"},
    ]


def test_the_keys_of_v1():
    extra = {
        "type": "mmseg.LoveDADataset",
        "metainfo": {"classes": ("water", "road"), "version": 2},
        "backend_args": None,
        "test_mode": False,
        "lazy_init": True,
        "serialize_data": False,
        "max_refetch": 3,
        "filter_cfg": None,
        "indices": 10,
        "ann_file": "",
    }
    config, report = translate(v1(extra))
    assert config["train_dataloader"]["dataset"] == {
        "type": "LoveDADataset",
        "data_prefix": {"img_path": "img", "seg_map_path": "ann"},
        "metainfo": {"classes": ["water", "road"]},
        "ann_file": "",
        "pipeline": LOAD,
    }
    assert report.missing == []
    assert report.notes == [
        "train_dataloader.dataset.indices: not used; all samples are",
        "train_dataloader.dataset.metainfo.version: not used",
    ]


def test_what_is_missing_is_named_at_its_place():
    mosaic = {
        "type": "MultiImageMixDataset",
        "dataset": {"type": "TheirDataset", "pipeline": [{"type": "TheirDistortion"}]},
        "pipeline": [{"type": "TheirPad", "pad_shape": 1}],
    }
    raw = v1()
    raw["train_dataloader"]["dataset"] = mosaic
    config, report = translate(raw)
    path = "train_dataloader.dataset"
    assert report.missing == [
        (f"{path}.dataset", "TheirDataset"),
        (f"{path}.dataset.pipeline.0", "TheirDistortion"),
        (f"{path}.pipeline.0", "TheirPad"),
    ]
    assert config["train_dataloader"]["dataset"] == mosaic


@pytest.mark.parametrize("v0", [False, True])
def test_mixed_data_sets_keep_both_pipelines(v0):
    inner = {"type": "DRIVEDataset", "pipeline": LOAD}
    mosaic = {"type": "RandomMosaic", "prob": 0.5, "img_scale": (64, 32)}
    mixed = {"type": "MultiImageMixDataset", "dataset": inner, "pipeline": [mosaic]}
    part = Part(v0, True, Report())
    found = translate_dataset({**mixed, "skip_type_keys": None}, "data", part)
    assert part.report.missing == part.report.notes == []
    assert found["pipeline"] == [mosaic] and "skip_type_keys" not in found
    assert [t["type"] for t in found["dataset"]["pipeline"]] == [
        t["type"] for t in LOAD
    ]


def parts(raw):
    dataset = translate(raw)[0]["train_dataloader"]["dataset"]
    assert dataset["type"] == "ConcatDataset" and set(dataset) == {"type", "datasets"}
    return [
        (part["data_prefix"]["img_path"], part["data_prefix"].get("seg_map_path"))
        + (part.get("ann_file"),)
        for part in dataset["datasets"]
    ]


def test_lists_of_folders_and_of_splits():
    assert parts(v0({"img_dir": ["a", "b"], "ann_dir": ["c", "d"]})) == [
        ("a", "c", None),
        ("b", "d", None),
    ]
    # VOC and SBD: one folder of images, two of labels, two lists.
    assert parts(v0({"ann_dir": ["c", "d"], "split": ["x.txt", "y.txt"]})) == [
        ("img", "c", "x.txt"),
        ("img", "d", "y.txt"),
    ]
    assert parts(v0({"img_dir": ["a", "b"], "ann_dir": None})) == [
        ("a", None, None),
        ("b", None, None),
    ]
    with pytest.raises(ConfigError, match="dataset has 3 of img_dir, 2 of ann_dir"):
        translate(v0({"img_dir": ["a", "b", "c"], "ann_dir": ["c", "d"]}))


def test_a_list_of_data_sets_in_a_repeated_one():
    raw = v0()
    one = raw["data"]["train"]
    raw["data"]["train"] = {
        "type": "RepeatDataset",
        "times": 3,
        "dataset": [one, {**one, "img_dir": "more"}],
    }
    config, report = translate(raw)
    dataset = config["train_dataloader"]["dataset"]
    assert (dataset["type"], dataset["times"]) == ("RepeatDataset", 3)
    assert dataset["dataset"]["type"] == "ConcatDataset"
    second = dataset["dataset"]["datasets"][1]
    assert second["data_prefix"]["img_path"] == "more"
    assert report == Report()
    # mmseg 0.x scores the data sets of an evaluation one by one.
    raw["data"]["val"] = [one, one]
    assert translate(raw)[0]["val_dataloader"]["dataset"]["separate_eval"] is True
    raw["data"]["val"] = {**one, "img_dir": ["a", "b"], "separate_eval": False}
    assert translate(raw)[0]["val_dataloader"]["dataset"]["separate_eval"] is False


def test_class_names_from_a_file(tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("road\nother\n")
    config, _ = translate(v0({"classes": str(names)}))
    metainfo = config["train_dataloader"]["dataset"]["metainfo"]
    assert metainfo == {"classes": ["road", "other"]}
    with pytest.raises(ConfigError, match="nowhere.txt' must be a file of class names"):
        translate(v1({"metainfo": {"classes": "nowhere.txt"}}))


def test_a_file_backend_of_a_data_set():
    _, report = translate(v1({"backend_args": {"backend": "s3"}}))
    path = "train_dataloader.dataset.backend_args"
    assert report.missing == [(path, "the file backend 's3'")]


@pytest.mark.parametrize(
    "dataset, found",
    [
        ({"img_dir": "img"}, "dataset: expected a dict with a type, found {'img_dir'"),
        ("roads", "dataset: expected a dict with a type, found 'roads'"),
        ({"type": "ConcatDataset", "datasets": []}, "a list of data sets that is empt"),
        (
            {"type": "BaseSegDataset", "pipeline": [LOAD[0], "Resize"]},
            r"dataset.pipeline.1: expected a dict with a type, found 'Resize'",
        ),
    ],
)
def test_what_is_no_data_set_is_refused_by_its_path(dataset, found):
    with pytest.raises(ConfigError, match=f"train_dataloader.*{found}"):
        translate({"train_dataloader": {"dataset": dataset}})


# MARK: the data set of the test


def test_without_val_the_test_is_evaluated():
    raw = v1()
    raw["val_dataloader"] = None
    config, report = translate(raw)
    assert config["val_dataloader"]["dataset"]["type"] == "BaseSegDataset"
    assert report == Report()
    assert "val_dataloader" not in translate({"train_dataloader": None})[0]


@pytest.mark.parametrize("line", ["0.x", "1.x"])
def test_the_data_set_of_the_test(line):
    raw = v0() if line == "0.x" else v1()
    if line == "0.x":
        test = {**raw["data"]["val"], "type": "DarkZurichDataset", "split": "a b.txt"}
        raw["data"]["test"] = test
    else:
        test = raw["test_dataloader"]["dataset"]
        test |= {"type": "DarkZurichDataset", "ann_file": "a b.txt"}
        test["pipeline"] = [LOAD[0], {"type": "Resize", "scale": (9, 9)}, LOAD[1]]
    config, report = translate(raw)
    assert report == Report()
    assert config["val_dataloader"]["dataset"]["type"] == "BaseSegDataset"
    only_test = copy.deepcopy(raw)
    if line == "0.x":
        del only_test["data"]["val"]
    else:
        del only_test["val_dataloader"]
    wanted = translate(only_test)[0]["val_dataloader"]
    assert config["test_dataloader"] == wanted
    assert wanted["dataset"]["type"] == "DarkZurichDataset"


def test_a_test_on_the_data_of_the_validation_says_nothing_twice():
    raw = v1()
    for name in ("val", "test"):
        loader = raw[f"{name}_dataloader"]
        loader |= {"pin_memory": True, "sampler": {"type": "OtherSampler"}}
        loader["dataset"]["indices"] = 5
    config, report = translate(raw)
    assert config["test_dataloader"] == config["val_dataloader"]
    assert len(report.all_notes()) == 2
    assert report.missing == [
        (f"{name}_dataloader.sampler", "OtherSampler") for name in ("val", "test")
    ]


def test_another_pipeline_for_single_images_is_noted():
    raw = v1() | {"test_pipeline": [LOAD[0]]}
    assert "test_pipeline: not used" in translate(raw)[1].notes[0]
    assert translate(v1() | {"test_pipeline": LOAD})[1] == Report()


# MARK: reduce_zero_label and label_map


@pytest.fixture
def ids(tmp_path):
    """Stores an image and the label of every id from 0 to 6, and 255."""
    (tmp_path / "img").mkdir()
    (tmp_path / "ann").mkdir()
    values = np.array([[*range(7), 255]], np.uint8)
    cv2.imwrite(str(tmp_path / "img/a.png"), np.zeros((1, 8, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "ann/a.png"), values)
    return values


def loaded(config, part, root):
    """The label that our own data set and pipeline make."""
    dataset = plain(config)[f"{part}_dataloader"]["dataset"]
    dataset |= {"data_root": str(root)}
    dataset["pipeline"] = [e for e in dataset["pipeline"] if e["type"] != "Resize"]
    dataset = resolve(dataset, "dataset", (datasets, transforms))
    return dataset.sample(0, np.random.default_rng(0))["gt_seg_map"][0].tolist()


def reduced(ids):
    """Label 0 -> 255, n -> n - 1, 255 -> 255, as both lines count."""
    down = ids.astype(int) - 1
    return np.where((ids == 0) | (ids == 255), 255, down)


CHOSEN = ["water", "building", "forest"]  # classes 3, 1 and 5 of LoveDA


def test_v1_reduces_first_and_chooses_then(tmp_path, ids):
    fields = {"type": "LoveDADataset", "metainfo": {"classes": CHOSEN}}
    config, _ = translate(v1(fields, fields))
    places = {3: 0, 1: 1, 5: 2}
    expected = [places.get(label, 255) for label in reduced(ids[0])]
    assert loaded(config, "train", tmp_path) == expected
    assert loaded(config, "val", tmp_path) == expected


def chosen_then_reduced(ids, classes):
    """The steps of 0.30's LoadAnnotations and intersect_and_union, one by one."""
    known = [name for name, _ in datasets.LoveDADataset.CLASSES]
    label = ids.copy()
    for old, name in enumerate(known):
        label[ids == old] = classes.index(name) if name in classes else 255
    return reduced(label).tolist()


@pytest.mark.parametrize("order", ["chosen", "reversed"])
def test_v0_chooses_first_and_reduces_then(tmp_path, ids, order):
    known = [name for name, _ in datasets.LoveDADataset.CLASSES]
    classes = CHOSEN if order == "chosen" else known[::-1]
    fields = {"type": "LoveDADataset", "classes": classes}
    loads = [LOAD[0], {"type": "LoadAnnotations", "reduce_zero_label": True}]
    config, report = translate(v0({**fields, "pipeline": loads}, fields))
    expected = chosen_then_reduced(ids, classes)[0]
    assert loaded(config, "train", tmp_path) == expected
    assert loaded(config, "val", tmp_path) == expected
    assert len(set(expected)) > 2
    assert "chooses classes before reduce_zero_label" in report.notes[0]


def test_v0_trains_as_load_annotations_says_and_evaluates_as_the_data_set(
    tmp_path, ids
):
    free = {"classes": list("abcdefg"), "img_suffix": ".png"}
    classes = free | {"reduce_zero_label": True}
    config, report = translate(v0(classes, classes))
    assert loaded(config, "train", tmp_path) == ids[0].tolist()
    assert loaded(config, "val", tmp_path) == reduced(ids[0]).tolist()
    assert "reduce_zero_label=False, as LoadAnnotations has it" in report.notes[0]

    loads = [LOAD[0], {"type": "LoadAnnotations", "reduce_zero_label": True}]
    by_loader = {"gt_seg_map_loader_cfg": {"reduce_zero_label": True}}
    config, _ = translate(v0({**free, "pipeline": loads}, free | by_loader))
    for part in ("train", "val"):
        assert loaded(config, part, tmp_path) == reduced(ids[0]).tolist()
    _, report = translate(v0(None, classes | by_loader))
    assert report.missing == [
        (
            f"{name}_dataloader.dataset",
            "reduce_zero_label in gt_seg_map_loader_cfg, too",
        )
        for name in ("val", "test")
    ]


def test_the_label_that_the_metric_and_the_loss_pass_over():
    data = dict(type="BaseSegDataset", data_prefix=dict(img_path="a"))
    raw = dict(
        model=dict(decode_head=dict(type="FCNHead", ignore_index=7)),
        train_dataloader=dict(
            dataset=dict(type="RepeatDataset", times=2, dataset=data)
        ),
        val_dataloader=dict(dataset=dict(type="ConcatDataset", datasets=[data])),
        val_evaluator=dict(type="IoUMetric", ignore_index=0),
    )
    report = Report()
    ours = translate_data(raw, report)
    assert ours["train_dataloader"]["dataset"]["dataset"]["ignore_index"] == 7
    (val,) = ours["val_dataloader"]["dataset"]["datasets"]
    assert val["ignore_index"] == 0
    assert [note.partition(",")[0] for note in report.notes] == [
        "train_dataloader.dataset: ignore_index=7",
        "val_dataloader.dataset: ignore_index=0",
    ]


def test_several_folders_of_labels_alone():
    data = dict(type="CustomDataset", img_dir=["a", "b"], ann_dir=["c", "d"])
    alone = dict(type="CustomDataset", img_dir="a", ann_dir=["c"])
    raw = dict(data=dict(train=data, val=alone), lr_config={})
    ours = translate_data(raw, Report())
    prefixes = [
        part["data_prefix"] for part in ours["train_dataloader"]["dataset"]["datasets"]
    ]
    assert prefixes == [
        dict(img_path="a", seg_map_path="c"),
        dict(img_path="b", seg_map_path="d"),
    ]
    (part,) = ours["val_dataloader"]["dataset"]["datasets"]
    assert part["data_prefix"] == dict(img_path="a", seg_map_path="c")

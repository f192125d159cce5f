"""Batch sizes, workers and samplers of both lines."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.loaders import loader_settings, read_loader
from jaxseg.mmseg_config.report import Report

ROADS = {"type": "CustomDataset"}


def settings(raw, name):
    report = Report()
    loader = read_loader(raw, name)
    training = name == "train"
    return loader_settings(loader, training, f"{name}_dataloader", report), report


@pytest.mark.parametrize("key", ["samples_per_gpu", "imgs_per_gpu"])
def test_v0_tests_one_image_at_a_time(key):
    data = {"train": ROADS, "val": ROADS, key: 4, "workers_per_gpu": 2}
    raw = {"data": {**data, "persistent_workers": True}}
    assert settings(raw, "train") == ({"batch_size": 4, "num_workers": 2}, Report())
    assert settings(raw, "val") == ({"batch_size": 1, "num_workers": 2}, Report())
    assert read_loader(raw, "train")["dataset"] is ROADS
    assert read_loader(raw, "test") is None
    raw["data"]["val_dataloader"] = {"samples_per_gpu": 3, "workers_per_gpu": 0}
    assert settings(raw, "val")[0] == {"batch_size": 3, "num_workers": 0}


def loader(**keys):
    return {"train_dataloader": {"dataset": ROADS, **keys}}


@pytest.mark.parametrize(
    "sampler",
    [
        {"type": "InfiniteSampler", "shuffle": True},
        {"type": "mmengine.DefaultSampler"},
        None,
    ],
)
def test_the_loaders_of_v1(sampler):
    raw = loader(batch_size=4, num_workers=2, persistent_workers=True, sampler=sampler)
    expected = {"batch_size": 4, "num_workers": 2}
    assert settings(raw, "train") == (expected, Report())
    raw["train_dataloader"]["drop_last"] = True
    assert settings(raw, "train") == (expected | {"drop_last": True}, Report())
    assert settings(loader(), "train")[0] == {"batch_size": 1, "num_workers": 0}


def test_an_order_that_is_not_shuffled():
    raw = loader(sampler={"type": "DefaultSampler", "shuffle": False})
    assert "shuffle=False is not used" in settings(raw, "train")[1].notes[0]
    raw["val_dataloader"] = raw["train_dataloader"]
    assert settings(raw, "val")[1] == Report()
    of_v0 = {"data": {"train": ROADS, "train_dataloader": {"shuffle": False}}}
    assert "shuffle=False is not used" in settings(of_v0, "train")[1].notes[0]


def test_what_is_missing_and_what_is_not_used():
    _, report = settings(
        loader(
            sampler={"type": "ClassAwareSampler"},
            batch_sampler={"type": "AspectRatioBatchSampler"},
            collate_fn={"type": "my_collate"},
            num_batch_per_epoch=3,
        ),
        "train",
    )
    assert report.missing == [
        ("train_dataloader.sampler", "ClassAwareSampler"),
        ("train_dataloader.collate_fn", "my_collate"),
        ("train_dataloader.batch_sampler", "AspectRatioBatchSampler"),
    ]
    assert report.notes == ["train_dataloader.num_batch_per_epoch: not used"]


@pytest.mark.parametrize("broken", [{"batch_size": 4}, [ROADS]])
def test_a_loader_without_a_data_set_is_refused(broken):
    with pytest.raises(ConfigError, match="val_dataloader: expected a dict with a dat"):
        read_loader({"val_dataloader": broken}, "val")

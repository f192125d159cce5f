import pytest

from jaxseg.config import ConfigError
from jaxseg.settings.read import read_settings
from jaxseg.settings.val_loss import val_loss_loader

CROP = [dict(type="RandomCrop", crop_size=(8, 8))]


def test_the_validation_data_in_batches_of_the_training():
    train = dict(batch_size=8, max_bad_samples=2, dataset=dict(type="A", pipeline=CROP))
    val = dict(
        batch_size=1,
        dataset=dict(
            type="ConcatDataset",
            datasets=[dict(type="B", root=x, pipeline=[]) for x in "xy"],
        ),
    )
    assert val_loss_loader(train, val) == dict(
        batch_size=8,
        dataset=dict(
            type="ConcatDataset",
            datasets=[dict(type="B", root=x, pipeline=CROP) for x in "xy"],
        ),
    )


def test_pipelines_that_follow_each_other_are_refused():
    inner = dict(type="A", pipeline=[dict(type="LoadImageFromFile")])
    mixed = dict(type="MultiImageMixDataset", dataset=inner, pipeline=CROP)
    with pytest.raises(ConfigError, match=r"train_cfg\.val_loss: .* has 2 pipelines"):
        val_loss_loader(dict(dataset=mixed), dict(dataset=inner))


def test_without_validation_data_there_is_no_loss():
    config = dict(
        train_cfg=dict(max_iters=1, val_loss=True), train_dataloader=dict(a=1)
    )
    with pytest.raises(ConfigError, match=r"val_loss: there is no val_dataloader"):
        read_settings(config)

"""The parts of a config that are no model: defaults, and what is refused."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.settings.read import read_settings

DIGITS = dict(type="DigitsDataset", split="val", num_scenes=2)


def test_defaults_of_what_a_config_leaves_out():
    settings = read_settings({"model": {}})
    assert settings.train_loop is None
    assert settings.train_dataloader is None
    assert settings.ema is None
    assert settings.tta is None
    assert (settings.checkpoint.interval, settings.checkpoint.max_keep_ckpts) == (
        1000,
        3,
    )
    assert settings.checkpoint.save_best == "mIoU"
    assert settings.logger.interval == 50
    assert settings.randomness.seed == 0
    [metric] = settings.val_evaluator
    assert metric.iou_metrics == ("mIoU",)
    assert settings.test_evaluator == settings.val_evaluator


def test_a_whole_config():
    settings = read_settings(
        dict(
            train_cfg=dict(max_iters=10, val_interval=5, loss_scope="global"),
            val_dataloader=dict(batch_size=2, dataset=DIGITS),
            val_evaluator=dict(type="IoUMetric", iou_metrics=["mDice", "mFscore"]),
            default_hooks=dict(checkpoint=dict(save_best=None)),
            ema=dict(momentum=0.1),
            tta=dict(img_ratios=[1.0], flip=False),
        )
    )
    assert settings.train_loop.loss_scope == "global"
    assert len(settings.val_dataloader.dataset) == 2
    [metric] = settings.val_evaluator
    assert metric.iou_metrics == ("mDice", "mFscore")
    assert settings.checkpoint.save_best is None
    assert settings.ema.momentum == 0.1
    assert settings.tta.img_ratios == (1.0,)


def test_loaders_of_other_splits_are_not_made():
    loaders = {f"{k}_dataloader": dict(dataset=DIGITS) for k in ("train", "val")}
    config = {**loaders, "test_dataloader": dict(dataset=dict(type="NoSuchDataset"))}
    assert read_settings(config).test_dataloader is None
    config["test_dataloader"] = dict(dataset=DIGITS, batch_size=3)
    config["test_evaluator"] = [dict(iou_metrics=["fwIoU"])]
    settings = read_settings(config, ("test",))
    assert settings.train_dataloader is None and settings.val_dataloader is None
    assert settings.test_dataloader.batch_size == 3
    assert settings.test_evaluator[0].score_names() == ("aAcc", "fwIoU")


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        ([], "val_evaluator is an empty list"),
        ("mIoU", "val_evaluator is 'mIoU', it takes a dict"),
        (["mIoU"], "val_evaluator.0 is 'mIoU', it takes a dict"),
        ([{}, dict(iou_metrics=["mDice"])], r"val_evaluator.1 gives the score aAcc, "),
        (
            dict(type="IoUmetric"),
            r"val_evaluator.type: 'IoUmetric' .* mean 'IoUMetric'",
        ),
    ],
)
def test_metrics_are_one_or_a_list(evaluator, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(dict(val_evaluator=evaluator))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            dict(train_cfg=dict(max_iter=10)),
            r"train_cfg\.max_iter: this key is not known \(did you mean 'max_iters'\?\)",
        ),
        (dict(train_cfg=dict(val_interval=5)), r"train_cfg\.max_iters: .* is missing"),
        (dict(train_cfg=dict(max_iters=0)), r"train_cfg.max_iters: is 0, allowed: 1"),
        (dict(train_cfg=dict(max_epochs=0)), r"train_cfg.max_epochs: is 0, allowed: 1"),
        (
            dict(train_cfg=dict(max_epochs=2, dynamic_intervals=[(5, 1), (2, 1)])),
            r"train_cfg.dynamic_intervals: needs \(milestone, interval\) pairs",
        ),
        (dict(train_cfg=dict(max_iters="many")), r"max_iters: expected int, found 'ma"),
        (
            dict(train_cfg=dict(max_iters=1, loss_scope="host")),
            r"train_cfg.*loss_scope is 'host', allowed: device, global",
        ),
        (dict(train_cfg=10), r"train_cfg is 10, it takes a dict"),
        (
            dict(default_hooks=dict(checkpoints={})),
            r"default_hooks\.checkpoints: no such hook, there are checkpoint and",
        ),
        (
            dict(default_hooks=dict(checkpoint=dict(interval=0))),
            r"default_hooks\.checkpoint.*interval=0 .* must be 1 at least",
        ),
        (
            dict(default_hooks=dict(logger=dict(interval=0))),
            r"default_hooks\.logger.*interval=0 must be 1 at least",
        ),
        (dict(randomness=dict(seed=-1)), r"randomness.*seed=-1 must lie between 0 and"),
        (dict(ema=dict(momentum=1.0)), r"ema.*momentum=1\.0 must lie between 0 and 1"),
        (
            dict(val_evaluator=dict(iou_metrics=["mIou"])),
            r"val_evaluator.*'mIou' \(did you mean 'mIoU'\?\)",
        ),
        (
            dict(val_dataloader=dict(batch_size=0, dataset=DIGITS)),
            r"val_dataloader.*batch_size=0",
        ),
        (
            dict(val_dataloader=dict(dataset=dict(DIGITS, type="DigitDataset"))),
            r"val_dataloader\.dataset\.type: .* \(did you mean 'DigitsDataset'\?\)",
        ),
    ],
)
def test_what_is_refused_says_where_it_stands(config, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(config)


def test_epochs_counted_in_iterations():
    loop = dict(max_epochs=6, val_interval=2, val_begin=3, dynamic_intervals=[(5, 1)])
    hooks = dict(checkpoint=dict(interval=3, by_epoch=True))
    config = dict(train_cfg=loop, default_hooks=hooks)
    settings = read_settings(config).by_iterations(10)
    assert settings.train_loop.max_iters == 60
    assert settings.checkpoint.interval == 30
    # mmengine's EpochBasedTrainLoop evaluates after these epochs.
    found = [step for step in range(1, 61) if settings.train_loop.evaluates_after(step)]
    assert found == [40, 50, 60]
    iterations = read_settings(config | dict(train_cfg=dict(max_iters=60)))
    with pytest.raises(ConfigError, match="checkpoint.by_epoch: True counts epochs"):
        iterations.by_iterations(10)

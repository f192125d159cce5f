"""The loop around the step, in this process and on its eight devices."""

import dataclasses
import functools
import itertools
import json
import pathlib
from typing import ClassVar

import jax
import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.loader import Loader
from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.config import ConfigError, load
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.evaluate import Evaluator
from jaxseg.hooks.hook import Hook
from jaxseg.registry import register
from jaxseg.runtime.metrics_file import read_metrics
from jaxseg.train import run as run_module
from jaxseg.train.finish import variables_of
from jaxseg.train.loop import train
from jaxseg.train.run import Run
from jaxseg.train.val_loss import ValLoss

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"


@pytest.fixture
def config(tiny_data):
    config = load(f"{TINY}:{tiny_data}")
    config["train_dataloader"]["batch_size"] = 8
    config["train_cfg"] = dict(max_iters=6, val_interval=4)
    config["default_hooks"] = dict(
        checkpoint=dict(interval=3, max_keep_ckpts=5), logger=dict(interval=2)
    )
    return config


def test_what_is_logged_saved_and_evaluated_when(config, tmp_path):
    assert train(config, tmp_path) == 0
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [(line["step"], line["split"]) for line in lines] == [
        (2, "train"),
        (4, "train"),
        (4, "val"),
        (6, "train"),
        (6, "val"),
    ]
    # Every third iteration, every evaluated one, and the last.
    steps = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()]
    assert sorted(steps) == [3, 4, 6]
    # 0.1 * (1 - t / 5) ** 0.9 and its floor, at the iteration that was just done.
    rates = [line["lr"] for line in lines if line["split"] == "train"]
    expected = [1e-4 + (0.1 - 1e-4) * (1 - t / 5) ** 0.9 for t in (1, 3, 5)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


def test_epochs(config, tmp_path):
    # 12 images and batches of 8: 2 iterations an epoch.
    config["train_cfg"] = dict(max_epochs=3, val_interval=2)
    config["default_hooks"]["checkpoint"] = dict(interval=1, by_epoch=True)
    config["param_scheduler"] = [
        dict(type="MultiStepLR", milestones=[1, 2], by_epoch=True)
    ]
    assert train(config, tmp_path) == 0
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert steps_of(tmp_path, "val") == [4, 6]
    steps = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()]
    assert sorted(steps) == [2, 4, 6]
    found = {
        line["step"]: (line["epoch"], line["lr"])
        for line in lines
        if line["split"] == "train"
    }
    assert list(found) == [2, 4, 6]
    np.testing.assert_allclose([*found.values()], [(1, 0.1), (2, 0.01), (3, 0.001)])
    # By iterations the samples would come in another order.
    config |= dict(train_cfg=dict(max_iters=8), param_scheduler=[])
    config["default_hooks"]["checkpoint"] = dict()
    change = "train_cfg.type: 'EpochBasedTrainLoop' -> 'IterBasedTrainLoop'"
    with pytest.raises(ConfigError, match=change):
        train(config, tmp_path)


@register
@dataclasses.dataclass(kw_only=True)
class Calls(Hook):
    """Writes down what it is called with."""

    name: str
    calls: ClassVar[list] = []

    def before_run(self, training):
        self.calls.append((self.name, "before", [s for s, _ in training.history]))

    def after_step(self, training, step, result):
        assert float(result["loss"]) > 0
        self.calls.append((self.name, step))

    def after_evaluation(self, training, step, scores):
        self.calls.append((self.name, "scores", step, sorted(scores)))

    def after_run(self, training):
        self.calls.append((self.name, "after"))


def test_hooks_and_a_training_that_they_stop(config, tmp_path):
    Calls.calls.clear()
    stop = dict(type="EarlyStoppingHook", monitor="aAcc", stopping_threshold=0.0)
    config["custom_hooks"] = [
        dict(type="Calls", name="later", priority="LOW"),
        dict(type="Calls", name="first", priority=20),
        stop,
    ]
    assert train(config, tmp_path) == 0
    assert [name for name, what, *_ in Calls.calls if what == "after"] == [
        "first",
        "later",
    ]
    mine = [call[1:] for call in Calls.calls if call[0] == "first"]
    # The steps' results in their order, all before the step's evaluation.
    assert mine == [
        ("before", []),
        *((step,) for step in (1, 2, 3, 4)),
        ("scores", 4, ["aAcc", "mAcc", "mIoU"]),
        ("after",),
    ]
    steps = [int(path.name) for path in (tmp_path / "checkpoints").iterdir()]
    assert max(steps) == 4
    # The same command knows that the training has ended.
    Calls.calls.clear()
    assert train(config, tmp_path) == 0
    mine = [call[1:] for call in Calls.calls if call[0] == "first"]
    assert mine == [("before", [4]), ("after",)]


@pytest.mark.long
def test_a_plateau_reduces_the_rate_and_is_known_after_a_resume(config, tmp_path):
    # Nothing is better by 1000 points: each evaluation but the first one is bad.
    plateau = dict(type="ReduceOnPlateauLR", monitor="mIoU", factor=0.5, patience=0)
    plateau |= dict(threshold=1000.0, threshold_rule="abs")
    config |= dict(param_scheduler=[plateau])
    config["train_cfg"] = dict(max_iters=8, val_interval=2)
    assert train(config, tmp_path / "whole") == 0
    for max_iters in (4, 8):  # the checkpoint of 4 is older than its evaluation
        config["train_cfg"]["max_iters"] = max_iters
        assert train(config, tmp_path / "parts") == 0
    rates = {
        name: [
            line["lr"]
            for line in read_metrics(tmp_path / name / "metrics.jsonl")
            if line["split"] == "train"
        ]
        for name in ("whole", "parts")
    }
    np.testing.assert_allclose(rates["whole"], [0.1, 0.1, 0.05, 0.025], rtol=1e-6)
    assert rates["parts"] == rates["whole"]
    arrays = [
        manifest.read(tmp_path / name / "checkpoints" / "8")["arrays"]
        for name in ("whole", "parts")
    ]
    assert "plateaus/0/scale" in arrays[0] and arrays[0] == arrays[1]


@pytest.mark.long
def test_checkpoints_without_the_optimiser(config, tmp_path, caplog):
    config["default_hooks"]["checkpoint"]["save_optimizer"] = False
    assert train(config, tmp_path) == 0
    arrays = manifest.read(tmp_path / "checkpoints" / "6")["arrays"]
    assert not any(name.startswith("opt_state/") for name in arrays)
    assert any(name.startswith("ema/") for name in arrays)
    # 8 goes on from a checkpoint without one, 10 from one with it.
    for max_iters, saves, begins_anew in ((8, True, True), (10, False, False)):
        config["train_cfg"]["max_iters"] = max_iters
        config["default_hooks"]["checkpoint"]["save_optimizer"] = saves
        caplog.clear()
        assert train(config, tmp_path) == 0
        said = "the checkpoint holds no state of the optimiser" in caplog.text
        assert said == begins_anew
        arrays = manifest.read(tmp_path / "checkpoints" / str(max_iters))["arrays"]
        assert any(name.startswith("opt_state/") for name in arrays) == saves


@pytest.mark.long
def test_the_loss_on_the_validation_data(config, tmp_path):
    config["train_cfg"] |= dict(val_loss=True)
    config["default_hooks"]["checkpoint"] |= dict(save_best="loss", rule="less")
    config["mesh"] = dict(data=4, fsdp=2)
    # 12 samples: the first ones fill up a second batch of 8.
    dataset = dict(
        type="RepeatDataset", times=3, dataset=config["val_dataloader"]["dataset"]
    )
    config["val_dataloader"] = dict(batch_size=2, dataset=dataset)
    assert train(config, tmp_path) == 0
    lines = read_metrics(tmp_path / "metrics.jsonl")
    found = [line for line in lines if line["split"] == "val"]
    assert [line["step"] for line in found] == [4, 6]
    for line in found:
        assert {"mIoU", "loss", "decode.loss_ce", "decode.acc_seg"} <= line.keys()
        assert line["loss"] == line["decode.loss_ce"] > 0
    # Crops and draws are the same in each evaluation, and so is the loss of one state.
    session_run = Run(config, tmp_path)
    measure = ValLoss(session_run)
    with session_run.batches(0) as batches:
        _, state = session_run.fresh_state(next(batches))
    done = []
    first = measure(variables_of(state), lambda: done.append(1))
    assert first == measure(variables_of(state), lambda: None)
    assert len(done) == session_run.val_loss_order.epoch_length
    # By hand, in one batch, on one device: each batch of 8 counts alike.
    model, variables = session_run.model, jax.device_get(variables_of(state))
    losses = []
    with session_run.val_loss_batches() as batches:
        for _ in done:
            batch = next(batches)
            images = model.data_preprocessor(batch["img"], batch["img_shape"])
            targets = {"gt_seg_map": batch["gt_seg_map"]}
            apply = functools.partial(model.apply, variables, images, targets, False)
            losses.append(float(apply(method="loss")["decode.loss_ce"]))
    np.testing.assert_allclose(first["loss"], np.mean(losses), rtol=1e-5)


@pytest.mark.long
def test_another_runs_state_is_gone_on_with(config, tmp_path):
    assert train(config, tmp_path / "a") == 0
    config |= dict(resume_from=str(tmp_path / "a" / "checkpoints" / "3"))
    assert train(config, tmp_path / "b") == 0
    # The lines of the other run up to step 3, and then the same ones.
    lines = [read_metrics(tmp_path / name / "metrics.jsonl") for name in "ab"]
    for line in (line for lines_of in lines for line in lines_of):
        for name in [name for name in line if "per_s" in name or "wait" in name]:
            del line[name]
    assert lines[0] == lines[1]
    arrays = [
        manifest.read(tmp_path / name / "checkpoints" / "6")["arrays"] for name in "ab"
    ]
    assert arrays[0] == arrays[1]
    assert not (tmp_path / "b" / "checkpoints" / "3").exists()
    config["resume_from"] = str(tmp_path / "a")
    with pytest.raises(
        ConfigError, match="6 has done 6 iterations, and this run has 6"
    ):
        train(config, tmp_path / "c")
    config |= dict(resume_from=f"{tmp_path}/a/checkpoints/3", randomness=dict(seed=9))
    with pytest.raises(ConfigError, match="randomness.seed: 3 -> 9"):
        train(config, tmp_path / "c")


def test_a_file_cannot_be_gone_on_with(config, tmp_path):
    with pytest.raises(ConfigError, match="resume_from: a.pth is no work directory"):
        train(config | {"resume_from": "a.pth"}, tmp_path)


@pytest.mark.long
def test_a_resumed_run_draws_and_loads_no_starting_weights(
    config, tmp_path, monkeypatch
):
    config["train_cfg"]["max_iters"] = 3
    assert train(config, tmp_path) == 0
    monkeypatch.setattr(run_module, "starting_weights", None)  # a call would fail
    run = Run(config, tmp_path)
    with run.batches(0) as batches:
        _, state = run.abstract_state(next(batches))
    leaves = jax.tree.leaves(state)
    assert {type(leaf) for leaf in leaves} == {jax.ShapeDtypeStruct}
    assert all(leaf.sharding.mesh.size == 8 for leaf in leaves)
    config["train_cfg"]["max_iters"] = 6
    assert train(config | {"load_from": "not/there"}, tmp_path) == 0
    assert (tmp_path / "checkpoints" / "6").exists()


def test_starting_weights_that_are_not_there_end_a_new_run(config, tmp_path):
    with pytest.raises(FileNotFoundError, match="not/there: no finished checkpoint"):
        train(config | {"load_from": "not/there"}, tmp_path)
    config["adapt_in_channels"] = True
    with pytest.raises(ConfigError, match="neither load_from nor model.pretrained"):
        train(config, tmp_path)


@pytest.mark.parametrize(
    "name",
    ["model", "optim_wrapper", "train_cfg", "train_dataloader"],
)
def test_a_missing_part_is_named(config, tmp_path, name):
    del config[name]
    with pytest.raises(ConfigError, match=f"{name} is missing"):
        Run(config, tmp_path)


def test_the_config_that_is_written_can_be_used(config, tmp_path):
    run = Run(config, tmp_path)
    again = load(json.loads(json.dumps(run.config)))
    assert again["dataset_meta"]["classes"] == ["ground", "red", "green", "blue"]
    assert Run(again, tmp_path).config == run.config


def test_amp_computes_in_bfloat16_and_evaluates_in_float32(config, tmp_path):
    config["optim_wrapper"]["type"] = "AmpOptimWrapper"
    run = Run(config, tmp_path)
    assert run.train_model.dtype == "bfloat16"
    assert run.model.dtype == "float32"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("default_hooks", "checkpoint", "save_best"), "mIou", "did you mean 'mIoU'"),
        (("val_evaluator", "iou_metrics"), ["mDice"], "gives aAcc, mDice, mAcc"),
        (("val_evaluator", "ignore_index"), 7, "ignore_index is 7"),
        (("model", "data_preprocessor", "seg_pad_val"), 7, "seg_pad_val is 7"),
        (("model", "backbone", "in_channels"), 4, "has 3 channels"),
        (("resume",), "no", "resume is 'no'"),
        (("train_cfg", "val_loss"), 3, "train_cfg.val_loss: expected bool"),
        (("resume_from",), True, "resume_from is True"),
        (
            ("param_scheduler",),
            [dict(type="ReduceOnPlateauLR", monitor="loss")],
            "param_scheduler.0.monitor is 'loss'",
        ),
        (
            ("custom_hooks",),
            [dict(type="EarlyStoppingHook", monitor="mIou")],
            r"custom_hooks.0.monitor is 'mIou' \(did you mean 'mIoU'\?\)",
        ),
        (("custom_hooks",), [dict(type="EMAHook")], "custom_hooks.0.type: 'EMAHook'"),
        (("custom_hooks",), [5], "custom_hooks.0 is 5, it takes a dict with a type"),
    ],
)
def test_what_would_fail_late_is_refused_at_once(
    config, tmp_path, path, value, message
):
    node = config
    for key in path[:-1]:
        node = node.setdefault(key, {})
    node[path[-1]] = value
    with pytest.raises(ConfigError, match=message):
        Run(config, tmp_path)


@pytest.mark.long
def test_a_failing_evaluation_loses_no_step(config, tmp_path, monkeypatch):
    def fail(self, *arguments):
        raise ValueError("a broken file")

    with monkeypatch.context() as patch:
        patch.setattr(Evaluator, "__call__", fail)
        with pytest.raises(ValueError, match="a broken file"):
            train(config, tmp_path)
    with Checkpoints(tmp_path / "checkpoints", best_metric="mIoU") as checkpoints:
        assert checkpoints.latest_step() == 4
        assert checkpoints.best_step() is None
    # The evaluation is made up, and its score belongs to the step.
    assert train(config, tmp_path) == 0
    scored = [
        line["step"]
        for line in read_metrics(tmp_path / "metrics.jsonl")
        if line["split"] == "val"
    ]
    assert scored == [4, 6]
    body = manifest.read(tmp_path / "checkpoints" / "4")
    assert body["metrics"]["mIoU"] is not None


def test_data_that_fails_loses_no_step(config, tmp_path, monkeypatch):
    following, calls = Loader.__next__, itertools.count()

    def fail(self):
        # Before come the batch that gives the shapes, and those of steps 1 and 2.
        if next(calls) == 3:
            raise DataError("a broken file")
        return following(self)

    with monkeypatch.context() as patch:
        patch.setattr(Loader, "__next__", fail)
        with pytest.raises(DataError, match="a broken file"):
            train(config, tmp_path)
    with Checkpoints(tmp_path / "checkpoints") as checkpoints:
        assert checkpoints.steps() == [2]
    assert train(config, tmp_path) == 0
    lines = read_metrics(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in lines if line["split"] == "train"] == [2, 4, 6]


def test_a_refused_command_leaves_the_config_alone(config, tmp_path):
    assert train(config, tmp_path) == 0
    before = (tmp_path / "config.json").read_text()
    config["randomness"] = dict(seed=5)
    with pytest.raises(ConfigError, match="randomness.seed: 3 -> 5"):
        train(config, tmp_path)
    assert (tmp_path / "config.json").read_text() == before


def steps_of(workdir, split):
    lines = read_metrics(workdir / "metrics.jsonl")
    return [line["step"] for line in lines if line["split"] == split]


@pytest.mark.long
def test_what_a_resumed_run_has_other_is_listed(config, tmp_path, caplog):
    config["train_cfg"]["max_iters"] = 3
    assert train(config, tmp_path) == 0
    config["train_cfg"]["max_iters"] = 4
    config["optim_wrapper"]["optimizer"]["lr"] = 0.2
    assert train(config, tmp_path) == 0
    listed = "  optim_wrapper.optimizer.lr: 0.1 -> 0.2\n  train_cfg.max_iters: 3 -> 4"
    assert f"goes on with the new values:\n{listed}" in caplog.text
    assert json.loads((tmp_path / "config.json").read_text())["train_cfg"] == {
        "max_iters": 4,
        "val_interval": 4,
    }


@pytest.mark.long
def test_another_meaning_of_the_weights_has_to_be_asked_for(config, tmp_path, caplog):
    config["train_cfg"]["max_iters"] = 3
    assert train(config, tmp_path) == 0
    before = sorted(path.name for path in tmp_path.iterdir())
    config["train_cfg"]["max_iters"] = 4
    config["model"]["data_preprocessor"]["bgr_to_rgb"] = False
    change = "  model.data_preprocessor.bgr_to_rgb: True -> False"
    with pytest.raises(ConfigError, match=f"{change}\n.*--resume_changed"):
        train(config, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert train(config, tmp_path, resume_changed=True) == 0
    assert change in caplog.text
    assert (tmp_path / "checkpoints" / "4").exists()


def test_a_learning_rate_of_zero_is_told(config, tmp_path, caplog):
    caplog.set_level("INFO", "jaxseg")
    config["param_scheduler"] = [dict(type="PolyLR", power=0.9, eta_min=0.0, end=4)]
    assert train(config, tmp_path) == 0
    told = "rate is 0 from iteration 4 on, to the last, 6: they train nothing"
    assert told in caplog.text
    caplog.clear()
    # It is complete, and says so; nothing is trained at any rate.
    assert train(config, tmp_path) == 0
    assert "this run is complete: 6 of 6 iterations are done" in caplog.text
    assert told not in caplog.text


@pytest.mark.long
def test_the_last_iteration_of_a_schedule_may_have_the_rate_zero(
    config, tmp_path, caplog
):
    config["param_scheduler"] = [dict(type="PolyLR", power=0.9, eta_min=0.0)]
    assert train(config, tmp_path) == 0
    assert "the learning rate is 0" not in caplog.text


def test_without_validation_data_it_trains(config, tmp_path, capsys, caplog):
    del config["val_dataloader"]
    assert train(config, tmp_path) == 0
    assert "there is no val_dataloader: nothing will be evaluated" in caplog.text
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "trained 6 iterations; without val_dataloader there are no scores"
    assert steps_of(tmp_path, "val") == []
    assert (tmp_path / "curves.png").exists()
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["dataset_meta"]["classes"] == ["ground", "red", "green", "blue"]
    assert train(config, tmp_path) == 0


@pytest.mark.long
def test_a_trial_shorter_than_the_interval_logs_its_loss(config, tmp_path):
    config["default_hooks"]["logger"]["interval"] = 4
    assert train(config, tmp_path) == 0
    assert steps_of(tmp_path, "train") == [4, 6]
    config["default_hooks"]["logger"]["interval"] = 50
    assert train(config, tmp_path / "short") == 0
    (line,) = [
        line
        for line in read_metrics(tmp_path / "short" / "metrics.jsonl")
        if line["split"] == "train"
    ]
    assert line["step"] == 6 and line["loss"] > 0


@pytest.mark.parametrize("part", ["before the run is built", "while it starts"])
def test_a_refused_start_leaves_nothing_and_prints_no_table(
    config, tmp_path, caplog, part
):
    caplog.set_level("INFO", "jaxseg")
    if part == "while it starts":
        config["load_from"] = "not/there"
    else:
        config["train_dataloader"]["batch_size"] = 1000
    with pytest.raises((ConfigError, DataError, FileNotFoundError)):
        train(config, tmp_path / "work_dirs" / "run")
    assert list(tmp_path.iterdir()) == []
    assert "time spent" not in caplog.text
    # What was there before stays.
    (tmp_path / "mine").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises((ConfigError, DataError, FileNotFoundError)):
        train(config, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "notes.txt"]


def test_a_norm_over_one_value_a_device_is_refused_before_training(config, tmp_path):
    # Its pooled branch has one value of each image: of 8 images over 8 devices, one.
    config["model"]["decode_head"] = dict(
        type="PSPHead",
        in_channels=4,
        in_index=1,
        channels=8,
        num_classes=4,
        norm_cfg=dict(type="BN"),
    )
    with pytest.raises(ModelSizeError, match="single value .* or SyncBN over several"):
        train(config, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    config["model"]["decode_head"]["norm_cfg"] = dict(type="SyncBN")
    run = Run(config, tmp_path)
    with run.batches(0) as batches:
        _, state = run.abstract_state(next(batches))
    assert "decode.loss_ce" in state.window

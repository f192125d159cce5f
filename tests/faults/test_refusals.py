"""What a run does with a work directory, weights or a loss that it cannot go on with."""

import json
import re
import shutil

import jax
import numpy as np
import pytest

from jaxseg.checkpoint.reader import load_weights
from jaxseg.runtime.workdir import WorkdirLock


def sentence_of(run):
    """The one message of a run that refuses: no traceback, exit code 1."""
    output = run.finish(1)
    assert "Traceback" not in output
    messages = [line for line in output.splitlines() if line.startswith("error: ")]
    assert len(messages) == 1
    return output[output.index(messages[0]) :]


def damage(step):
    """Turns round every data file of a checkpoint."""
    for path in (step / "state").rglob("d/*"):
        path.write_bytes(path.read_bytes()[::-1])


def test_a_damaged_checkpoint_is_passed_over(command, tiny, copy, assert_same_result):
    shutil.rmtree(copy / "checkpoints" / "60")
    damage(copy / "checkpoints" / "50")
    output = command(*tiny, "--workdir", copy).finish()
    assert re.search(r"damaged checkpoint, trying an older one: .*/50", output)
    assert "resumed at step 40" in output
    assert (copy / "checkpoints" / "50.damaged").is_dir()
    assert_same_result(copy)


@pytest.mark.faults
def test_a_finished_run_only_reports(command, tiny, copy, assert_same_result):
    before = (copy / "metrics.jsonl").read_text()
    config = (copy / "config.json").read_text()
    changed = "--config.optim_wrapper.optimizer.lr=0.5"
    output = command(*tiny, "--workdir", copy, changed).finish()
    assert "train 60/60" not in output
    assert "this run is complete: 60 of 60 iterations are done" in output
    assert "\n  optim_wrapper.optimizer.lr: 0.1 -> 0.5\n" in output
    assert (copy / "config.json").read_text() == config
    score = json.loads((copy / "eval.json").read_text())["summary"]["mIoU"]
    assert output.splitlines()[-1] == f"val mIoU {score:.2f}"
    assert (copy / "metrics.jsonl").read_text() == before
    assert_same_result(copy)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "train_dataloader.batch_size=2",
            "holds a run with another config, .*\n  train_dataloader.batch_size: 4 -> 2\n",
        ),
        (
            (
                "train_dataloader.dataset.data_prefix="
                "{'img_path':'images/val','seg_map_path':'labels/val'}"
            ),
            (
                "img_path: 'images/train' -> 'images/val'\n(.*\n)+"
                "  train_dataloader.dataset: 12 samples -> 4 samples\n"
            ),
        ),
        ("resume=False", "resume is False, but .*checkpoints holds a run"),
    ],
)
def test_a_resume_that_would_not_go_on_is_refused(
    command, tiny, copy, setting, message
):
    run = command(*tiny, "--workdir", copy, f"--config.{setting}")
    assert re.search(message, sentence_of(run))


def test_a_workdir_in_use_is_refused(command, tiny, tmp_path):
    with WorkdirLock(tmp_path):
        message = sentence_of(command(*tiny, "--workdir", tmp_path))
    assert re.search(r"in use by another job \(host .*, pid \d+\)", message)


@pytest.mark.faults
def test_load_from_another_number_of_classes(command, tiny, undisturbed, tmp_path):
    meta = {"classes": list("abcde"), "palette": [[i, i, i] for i in range(5)]}
    output = command(
        *tiny,
        f"--workdir={tmp_path}",
        f"--config.load_from={undisturbed}",
        "--config.model.decode_head.num_classes=5",
        f"--config.train_dataloader.dataset.metainfo={meta}",
        f"--config.val_dataloader.dataset.metainfo={meta}",
        "--config.optim_wrapper.optimizer.lr=0.0",
        "--config.param_scheduler=[]",
        "--config.train_cfg.max_iters=1",
    ).finish()
    assert f"load_from: {undisturbed}, step 60" not in output  # says which file
    assert f"load_from: {undisturbed}/checkpoints/60, step 60" in output
    for name in ("weight", "bias"):
        assert f"starts fresh: decode_head.conv_seg.{name} (4 -> 5)" in output
    # A learning rate of 0 leaves what was loaded: the moving average of that run.
    ours, theirs = load_weights(tmp_path)["params"], load_weights(undisturbed)["ema"]
    ours["decode_head"].pop("conv_seg")
    theirs["decode_head"].pop("conv_seg")
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_loss_that_stays_not_finite_ends_the_run(command, tiny, tmp_path):
    run = command(
        *tiny,
        f"--workdir={tmp_path}",
        "--config.optim_wrapper.optimizer.lr=1e999",
        "--config.default_hooks.checkpoint.interval=5",
    )
    message = sentence_of(run)
    assert "not finite in 10 steps in a row, up to step 10" in message
    # Nothing has changed since: no other checkpoint is made.
    assert [path.name for path in (tmp_path / "checkpoints").glob("*")] == ["5"]
    saved = load_weights(tmp_path)
    for name in ("params", "batch_stats", "ema"):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(saved[name]))

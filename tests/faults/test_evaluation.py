"""Evaluations beside a trainer, on other devices, and of very many images."""

import json
import pathlib
import time

import pytest

from tests.xla_flags import xla_flags

pytestmark = pytest.mark.faults


def evaluate(command, workdir, output, *arguments, **environment):
    return command(
        "--mode=eval",
        "--config",
        workdir / "config.json",
        "--checkpoint",
        workdir,
        "--workdir",
        output,
        *arguments,
        **environment,
    )


@pytest.mark.parametrize("devices", [2, 4, 8])
def test_the_number_of_devices_changes_no_score(
    command, undisturbed, tmp_path, devices
):
    evaluate(command, undisturbed, tmp_path, XLA_FLAGS=xla_flags(devices)).finish()
    found = json.loads((tmp_path / "eval.json").read_text())
    assert found == json.loads((undisturbed / "eval.json").read_text())


def test_beside_a_trainer_that_removes_its_checkpoints(command, tiny, tmp_path):
    workdir = tmp_path / "run"
    trainer = command(
        *tiny,
        "--workdir",
        workdir,
        "--config.train_cfg.max_iters=100000",
        "--config.train_cfg.val_interval=100000",
        "--config.default_hooks.checkpoint.interval=2",
        "--config.default_hooks.checkpoint.max_keep_ckpts=2",
    )
    trainer.wait_for("train 8/100000")
    for _ in range(3):
        output = evaluate(command, workdir, tmp_path / "eval").finish()
        assert output.splitlines()[-1].startswith("val mIoU")
    assert trainer.process.poll() is None


def resident_bytes(pid):
    pages = pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def test_memory_of_2000_images(command, undisturbed, tmp_path):
    config = json.loads((undisturbed / "config.json").read_text())
    inner = config["val_dataloader"]["dataset"]
    config["val_dataloader"]["dataset"] = dict(
        type="RepeatDataset", dataset=inner, times=500
    )
    (tmp_path / "config.json").write_text(json.dumps(config))
    run = command(
        "--mode=eval",
        "--config",
        tmp_path / "config.json",
        "--checkpoint",
        undisturbed,
        "--workdir",
        tmp_path,
        deadline=300,
    )
    run.wait_for("val: 2000 samples")
    sizes = []
    while run.process.poll() is None:
        try:
            sizes.append(resident_bytes(run.process.pid))
        except (OSError, IndexError):  # it ended in between
            break
        time.sleep(0.05)
    run.finish()
    # The first half has every compilation and every buffer at its largest.
    half = len(sizes) // 2
    assert max(sizes[half:]) - max(sizes[:half]) < 50e6

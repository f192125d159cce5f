"""Images that cannot be decoded, and steps that are not finite."""

import json
import shutil

import pytest

from jaxseg.runtime.metrics_file import read_metrics


@pytest.fixture
def damaged_data(tiny_data, tmp_path):
    """The data set with two training images whose pixels are cut off."""
    data = shutil.copytree(tiny_data, tmp_path / "data")
    for name in ("03.png", "07.png"):
        path = data / "images" / "train" / name
        path.write_bytes(path.read_bytes()[:3000])
    return data


def start(command, data, workdir, *arguments):
    short = "--config.train_cfg.max_iters=6"
    config = f"tests/tiny.py:{data}"
    return command("--config", config, "--workdir", workdir, short, *arguments)


def test_a_bad_image_ends_the_run_with_its_name(command, damaged_data, tmp_path):
    output = start(command, damaged_data, tmp_path / "run").finish(1)
    assert "Traceback" not in output
    error = output[output.index("error: ") :]
    assert "images/train/03.png" in error or "images/train/07.png" in error
    assert "truncated or damaged" in error
    assert "in sample " in error


@pytest.mark.faults
def test_bad_images_are_replaced_alike_with_and_without_workers(
    command, damaged_data, tmp_path
):
    losses = []
    for workers in (0, 1):
        output = start(
            command,
            damaged_data,
            tmp_path / f"run{workers}",
            "--config.train_dataloader.max_bad_samples=20",
            f"--config.train_dataloader.num_workers={workers}",
        ).finish()
        assert "bad sample 1 of the 20" in output
        assert "another one takes its place" in output
        lines = read_metrics(tmp_path / f"run{workers}" / "metrics.jsonl")
        losses.append([line["loss"] for line in lines if line["split"] == "train"])
    assert losses[0] == losses[1]


@pytest.mark.faults
def test_more_bad_images_than_allowed_end_the_run(command, damaged_data, tmp_path):
    allowed = "--config.train_dataloader.max_bad_samples=1"
    output = start(command, damaged_data, tmp_path / "run", allowed).finish(1)
    assert "error: bad sample 2 of the 1 that" in output
    assert "Traceback" not in output


def test_the_samples_of_skipped_steps_are_written_down(command, tiny_data, tmp_path):
    run = start(
        command,
        tiny_data,
        tmp_path,
        "--config.optim_wrapper.optimizer.lr=1e999",
        "--config.train_cfg.val_interval=6",
    )
    assert "was not finite" in run.finish()
    lines = [
        json.loads(line)
        for line in (tmp_path / "skipped_steps.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    # 12 images in batches of 4: each pass of three steps reads each once.
    for start_of_pass in (0, 3):
        steps = lines[start_of_pass : start_of_pass + 3]
        samples = [sample for line in steps for sample in line["samples"]]
        assert sorted(samples) == list(range(12))
    for line in lines:
        for sample, file in zip(line["samples"], line["files"], strict=True):
            assert file.endswith(f"images/train/{sample:02d}.png")

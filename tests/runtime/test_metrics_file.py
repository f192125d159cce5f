"""metrics.jsonl and TensorBoard events, also where the disk fails; progress, curves."""

import io
import json
import os
import resource
import shutil
import struct

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto.event_pb2 import Event, SessionLog

from jaxseg.runtime.metrics_file import MetricWriter, read_metrics
from jaxseg.runtime.progress import Meter, Progress
from jaxseg.train.curves import draw_curves


def read_events(workdir):
    """Parses TFRecords: length (8 bytes), crc (4), an Event, crc (4)."""
    events = []
    for path in sorted((workdir / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            events.append(Event.FromString(data[12 : 12 + length]))
            data = data[16 + length :]
    return events


def test_one_flat_object_a_line_and_nan_is_null(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(10, "train", {"loss": jnp.float32(0.5), "lr": 0.01})
        writer.write(20, "train", {"loss": float("nan"), "skipped": np.int64(1)})
        writer.write(20, "val", {"mIoU": np.float64(81.25), "loss": float("inf")})
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    assert [json.loads(line, parse_constant=refuse) for line in lines] == [
        {"step": 10, "split": "train", "loss": 0.5, "lr": 0.01},
        {"step": 20, "split": "train", "loss": None, "skipped": 1},
        {"step": 20, "split": "val", "mIoU": 81.25, "loss": None},
    ]


def test_tensorboard_events(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(10, "train", {"loss": 0.5})
    version, scalar = read_events(tmp_path)
    assert version.file_version == "brain.Event:2"
    assert scalar.step == 10
    assert scalar.summary.value[0].tag == "train/loss"
    assert scalar.summary.value[0].simple_value == 0.5


def test_steps_after_the_checkpoint_are_dropped_when_a_run_is_resumed(tmp_path):
    with MetricWriter(tmp_path) as writer:
        for step in (10, 20, 30):
            writer.write(step, "train", {"loss": 1.0})
            writer.write(step, "val", {"mIoU": 50.0})
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 40, "spl')  # killed while it wrote
    assert len(read_metrics(tmp_path / "metrics.jsonl")) == 6
    with MetricWriter(tmp_path, start_step=20) as writer:
        writer.write(30, "train", {"loss": 2.0})
    lines = read_metrics(tmp_path / "metrics.jsonl")
    keys = [(line["split"], line["step"]) for line in lines]
    assert keys == [
        ("train", 10), ("val", 10), ("train", 20), ("val", 20), ("train", 30),
    ]  # fmt: skip
    assert lines[-1]["loss"] == 2.0
    text = (tmp_path / "metrics.jsonl").read_text()
    assert len(text.splitlines()) == 5
    starts = [e for e in read_events(tmp_path) if e.HasField("session_log")]
    assert [(e.step, e.session_log.status) for e in starts] == [(21, SessionLog.START)]


def test_a_directory_that_vanishes_is_one_error_and_no_exception(tmp_path, caplog):
    workdir = tmp_path / "run"
    workdir.mkdir()
    with MetricWriter(workdir) as writer:
        writer.write(1, "train", {"loss": 1.0})
        shutil.rmtree(workdir)
        writer.write(2, "train", {"loss": 1.0})
        writer.write(3, "train", {"loss": 1.0})
        assert caplog.text.count("metrics.jsonl cannot be written") == 1
        workdir.mkdir()
        writer.write(4, "train", {"loss": 1.0})
    assert [x["step"] for x in read_metrics(workdir / "metrics.jsonl")] == [4]


def test_a_full_disk_is_one_error_an_output_and_no_exception(tmp_path, caplog):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with MetricWriter(tmp_path) as writer:
        writer.write(1, "train", {"loss": 1.0})
        size = os.path.getsize(tmp_path / "metrics.jsonl")
        # Python ignores SIGXFSZ, so a write past the limit fails like a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, limits[1]))
        try:
            for step in range(2, 40):
                writer.write(step, "train", {"loss": 1.0})
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caplog.text.count("cannot be written; training goes on") == 2
        writer.write(40, "train", {"loss": 1.0})
    assert [x["step"] for x in read_metrics(tmp_path / "metrics.jsonl")] == [1, 40]


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self):
        return self.now


def test_meter_by_hand():
    clock = Clock()
    meter = Meter(clock)
    for _ in range(2):
        with meter.waiting():
            clock.now += 1.0
        clock.now += 3.0
        meter.count(16)
    # 32 images in 8 s, 2 s of which went by waiting.
    assert meter.read() == {"images_per_second": 4.0, "data_wait": 0.25}
    clock.now += 1.0
    assert meter.read() == {"images_per_second": 0.0, "data_wait": 0.0}


def test_progress_without_reports_says_that_it_is_alive():
    stream, clock = io.StringIO(), Clock()
    with Progress(50, name="eval", stream=stream, clock=clock) as progress:
        for done in range(1, 11):
            clock.now += 8.0
            progress.update(done)
    # After 32 and 64 seconds, with 46 and 42 steps of 8 s to go.
    assert stream.getvalue().splitlines() == [
        "eval 4/50  eta 0:06:08",
        "eval 8/50  eta 0:05:36",
    ]


def test_progress_in_plain_lines():
    stream, clock = io.StringIO(), Clock()
    with Progress(1000, 100, stream=stream, clock=clock) as progress:
        for step in range(101, 152):
            progress.update(
                step, {"loss": 1 / 3, "lr": 0.01} if step % 50 == 1 else None
            )
            clock.now += 0.5
        progress.write("val mIoU 81.25")
    # 849 steps of 0.5 s are left at the end: 7 min 4 s.
    assert stream.getvalue().splitlines() == [
        "train 101/1000  loss 0.3333  lr 0.01  eta ?",
        "train 151/1000  loss 0.3333  lr 0.01  eta 0:07:04",
        "val mIoU 81.25",
    ]


def test_progress_bar_on_a_terminal():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Progress(10, 4, stream=stream) as progress:
        progress.update(5, {"loss": 0.25})
        progress.update(10, {"loss": 0.125})
    last = stream.getvalue().split("\r")[-1]
    assert "100%" in last
    assert "10/10" in last
    assert "loss=0.125" in last


def write_run(workdir):
    rng = np.random.default_rng(0)
    with MetricWriter(workdir) as writer:
        for step in range(50, 2001, 50):
            loss = float("nan") if step == 800 else 2 * np.exp(-step / 500) + 0.1
            values = {"loss": loss + 0.05 * rng.random(), "aux.loss_ce": 0.4 * loss}
            writer.write(step, "train", {**values, "lr": 0.01 * (1 - step / 2000)})
            if step % 500 == 0:
                scores = {"mIoU": 90 - 3e4 / step, "aAcc": 97 - 1e4 / step, "time": 3.0}
                writer.write(step, "val", scores)
    return workdir / "metrics.jsonl"


def test_curves(tmp_path):
    draw_curves(write_run(tmp_path), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (3 * 576, 432)  # 4.8 x 3.6 inches a panel, 120 dpi


def test_curves_of_a_run_without_validation(tmp_path):
    with MetricWriter(tmp_path) as writer:
        writer.write(1, "train", {"loss": 1.0})
    draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (576, 432)
    (tmp_path / "metrics.jsonl").write_text("")
    with pytest.raises(ValueError, match="metrics.jsonl: no losses"):
        draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")

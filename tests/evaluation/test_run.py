"""A data set from its files to scores, pictures and a submission."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from jaxseg.config import ConfigError
from jaxseg.evaluation.outputs import Outputs
from jaxseg.evaluation.run import evaluate_checkpoint, predict_split
from jaxseg.runtime.workdir import WorkdirError
from tests.tiny import get_config


@pytest.fixture
def config(tiny_data):
    """The validation images as those of the test; weights are fresh ones."""
    config = get_config(str(tiny_data))
    config["test_dataloader"] = config.pop("val_dataloader")
    return config


def test_scores_tables_pictures_and_label_maps(config, tmp_path, capsys):
    config["test_evaluator"] = dict(iou_metrics=["mIoU", "fwIoU"], per_image=True)
    outputs = Outputs(
        show_dir=tmp_path / "shown", out=tmp_path / "maps", out_probabilities=True
    )
    scores = evaluate_checkpoint(config, None, tmp_path, "test", outputs)
    assert list(scores.summary) == ["aAcc", "mIoU", "mAcc", "fwIoU"]
    text = capsys.readouterr().out
    assert text.splitlines()[-1] == f"test mIoU {scores.summary['mIoU']:.2f}"
    saved = json.loads((tmp_path / "test.json").read_text())
    assert saved["summary"]["fwIoU"] == scores.summary["fwIoU"]
    tables = {path.name for path in (tmp_path / "test").iterdir()}
    assert tables == {
        *("confusion.csv", "confusion.png", "per_class.csv", "per_image.csv")
    }
    lines = (tmp_path / "test" / "per_image.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[1].split(",")[0].endswith("val/00.png")
    for folder in ("shown", "maps"):
        names = sorted(path.name for path in (tmp_path / folder).glob("*.png"))
        assert names == [f"{i:02d}.png" for i in range(4)]
    mean = np.load(tmp_path / "maps" / "02.npy")
    assert mean.dtype == np.float32 and mean.shape == (64, 64, 4)
    with Image.open(tmp_path / "maps" / "02.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image), mean.argmax(-1))


def test_scores_are_reported_before_tables_that_cannot_be_written(
    config, tmp_path, capsys
):
    (tmp_path / "test").write_text("a file where the folder of the tables would be")
    with pytest.raises(WorkdirError, match="test: the tables cannot be written"):
        evaluate_checkpoint(config, None, tmp_path, "test")
    saved = json.loads((tmp_path / "test.json").read_text())
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"test mIoU {saved['summary']['mIoU']:.2f}"


def test_a_submission_needs_no_labels(config, tiny_data, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(tiny_data / "images" / "val", root / "images" / "val")
    dataset = config["test_dataloader"]["dataset"]
    dataset |= dict(data_root=str(root), reduce_zero_label=True)
    outputs = Outputs(format_only=tmp_path / "submit", out=tmp_path / "maps")
    predict_split(config, None, "test", outputs)
    for i in range(4):
        with Image.open(tmp_path / "submit" / f"{i:02d}.png") as image:
            assert image.mode == "L"
            submitted = np.asarray(image)
        with Image.open(tmp_path / "maps" / f"{i:02d}.png") as image:
            np.testing.assert_array_equal(submitted, np.asarray(image) + 1)
    with pytest.raises(ConfigError, match="val_dataloader is missing"):
        predict_split(config, None, "val", outputs)

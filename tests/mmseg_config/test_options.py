"""Values replaced in mmseg's own config, before it is translated."""

import pytest

from jaxseg.config import ConfigError, MmsegPath, parse_option, split_overrides
from jaxseg.load_config import load_config
from tests.mmseg_config.whole_configs import V0, V1


@pytest.fixture
def files(tmp_path):
    """The same run in the words of both lines, for two GPUs."""
    for name, text in (("v0_2x2_64x64.py", V0), ("v1_2xb2.py", V1)):
        (tmp_path / name).write_text(text)
    return {"0.x": tmp_path / "v0_2x2_64x64.py", "1.x": tmp_path / "v1_2xb2.py"}


def loaded(path, line):
    overrides, rest = split_overrides(line.split())
    assert rest == []
    return load_config(path, None, overrides)


def test_paths_of_0x_are_set_before_the_translation(files):
    line = "--config.data.samples_per_gpu=3 --config.optimizer.lr=0.5"
    config = loaded(files["0.x"], f"{line} --config.runner.max_iters=7")
    assert config["train_dataloader"]["batch_size"] == 6
    assert config["optim_wrapper"]["optimizer"]["lr"] == 0.5
    assert config["train_cfg"]["max_iters"] == 7
    # Ours go on with what was translated.
    config = loaded(files["0.x"], f"{line} --config.train_dataloader.batch_size=5")
    assert config["train_dataloader"]["batch_size"] == 5


def test_cfg_options_mean_what_they_mean_in_mmengine(files):
    line = "--cfg-options train_dataloader.batch_size=3 randomness.seed=4 "
    line += "val_evaluator.iou_metrics=mIoU,mDice optim_wrapper.clip_grad.max_norm=1 "
    config = loaded(
        files["1.x"], line + "train_dataloader.dataset.pipeline.2.prob=0.25"
    )
    assert config["train_dataloader"]["batch_size"] == 6
    assert config["randomness"] == dict(seed=4)
    assert config["val_evaluator"]["iou_metrics"] == ["mIoU", "mDice"]
    assert config["optim_wrapper"]["clip_grad"] == dict(max_norm=1)
    assert config["train_dataloader"]["dataset"]["pipeline"][2]["prob"] == 0.25
    config = loaded(files["1.x"], "--config.train_dataloader.batch_size=3")
    assert config["train_dataloader"]["batch_size"] == 3


@pytest.mark.parametrize(
    ("which", "line", "message"),
    [
        (
            "0.x",
            "--config.data.samples_per_gpuu=3",
            r"gpuu: .*v0\S*.py has no such key",
        ),
        (
            "0.x",
            "--config.dta.samples_per_gpu=3",
            "nearest paths are data.samples_per_g",
        ),
        ("1.x", "--config.optimizer.lr=1", "paths are .*optim_wrapper.optimizer.lr"),
        (
            "1.x",
            "--cfg-options model.backbon.type=UNet",
            "paths are model.backbone.type",
        ),
        (
            "1.x",
            "--cfg-options model.type.x=1",
            "model.type.x: 'EncoderDecoder' holds no",
        ),
        (
            "1.x",
            "--cfg-options train_dataloader.dataset.pipeline.9.prob=1",
            "pipeline.9.prob: '9' is no index of a list of 4; the nearest paths are",
        ),
        ("1.x", "--cfg-options metainfo.classes=a", "already; .* stands: .*classes"),
        (
            "1.x",
            "--cfg-options train_cfg.max_iters=x",
            "train_cfg.max_iters: expected a",
        ),
        (
            "1.x",
            "--cfg-options train_cfg.max_iters",
            "takes PATH=VALUE, found 'train_cfg",
        ),
    ],
)
def test_wrong_paths_end_in_a_sentence(files, which, line, message):
    with pytest.raises(ConfigError, match=message):
        loaded(files[which], line)


def test_configs_of_ours_have_no_such_paths():
    overrides = [(MmsegPath("train_cfg.max_iters"), 3)]
    with pytest.raises(
        ConfigError, match="it is for configs of mmseg, and config is none"
    ):
        load_config({"train_cfg": {"max_iters": 2}}, overrides=overrides)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4),
        ("true", True),
        ("None", None),
        ("none", None),
        ("512,1024", [512, 1024]),
        ("(512,1024)", [512, 1024]),
        ("[mIoU,mDice]", ["mIoU", "mDice"]),
        ("mIoU,mDice", ["mIoU", "mDice"]),
        ("[(a,1),[b]]", [["a", 1], ["b"]]),
        ("a/b.pth", "a/b.pth"),
    ],
)
def test_values_are_read_as_mmengine_reads_them(text, value):
    assert parse_option(text) == value


def test_other_arguments_go_on_behind_them():
    line = ["--mode", "eval", "--cfg-options", "a.b=1", "c=x", "--workdir", "w"]
    assert split_overrides(line) == (
        [("a.b", 1), ("c", "x")],
        ["--mode", "eval", "--workdir", "w"],
    )

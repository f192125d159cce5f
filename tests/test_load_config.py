import json

import numpy as np
import pytest

from jaxseg.apis import inference_model, init_model
from jaxseg.config import ConfigError
from jaxseg.config_source import is_mmseg_config
from jaxseg.load_config import EVALUATION, INFERENCE, load_config
from jaxseg.train.loop import train
from tests.mmseg_config.whole_configs import MODEL, V0_CHILD, V1_CHILD


@pytest.fixture
def write(tmp_path, tiny_data):
    """Writes an mmseg config beside its base; returns its path."""

    def write(text, name="unet_4xb2-2_squares.py"):
        (tmp_path / "model.py").write_text(MODEL)
        (tmp_path / name).write_text(text.replace("DATA", str(tiny_data)))
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (V0_CHILD, "unet_4x2_64x64_2_squares.py"),
        (V1_CHILD, "unet_4xb2-2_squares-64x64.py"),
    ],
    ids=["0.x", "1.x"],
)
def test_an_unmodified_config_trains_and_predicts(write, tmp_path, text, name):
    path = write(text, name)
    config = load_config(path)
    assert config["train_dataloader"]["batch_size"] == 8
    assert train(config, tmp_path / "run") == 0
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    lines = [json.loads(line) for line in lines]
    assert [(line["step"], line["split"]) for line in lines] == [
        (1, "train"),
        (2, "train"),
        (2, "val"),
    ]
    assert {"decode.loss_ce", "decode.loss_dice"} <= lines[0].keys()
    model = init_model(path, tmp_path / "run")
    assert model.classes == ("ground", "red", "green", "blue")
    label_map = inference_model(model, np.zeros((64, 128, 3), np.uint8))
    assert label_map.shape == (64, 128)


def test_an_experiment_makes_the_same_of_it(write):
    path = write(V1_CHILD)
    assert load_config(f"experiments/mmseg.py:{path}") == load_config(path)


def test_what_has_no_effect_is_logged_once(write, caplog):
    caplog.set_level("INFO", logger="jaxseg")
    path = write(V1_CHILD + "custom_imports = dict(imports=['no_such_module'])\n")
    load_config(load_config(path), INFERENCE)
    (line,) = [
        r.getMessage() for r in caplog.records if "custom_imports" in r.msg % r.args
    ]
    assert line.startswith(f"{path}: custom_imports: ['no_such_module'] not imported")


def test_what_is_said_of_the_training_is_for_the_training(write, caplog):
    caplog.set_level("INFO", logger="jaxseg")
    path = write(V1_CHILD, "unet.py")
    load_config(path, INFERENCE)
    assert "batch_size" not in caplog.text
    load_config(path)
    assert f"{path}: train_dataloader.batch_size=" in caplog.text


NO_DATASET = V1_CHILD.replace("'BaseSegDataset'", "'NoDataset'").replace(
    "type='SGD'", "type='NoOptimizer'"
)


@pytest.mark.parametrize("form", ["{}", "experiments/mmseg.py:{}"])
def test_all_is_named_that_the_caller_needs(write, form):
    source = form.format(write(NO_DATASET))
    missing = [
        "train_dataloader.dataset: NoDataset",
        "val_dataloader.dataset: NoDataset",
        "optim_wrapper.optimizer: NoOptimizer",
    ]
    for needs, named in ((None, missing), (EVALUATION, missing[1:2])):
        with pytest.raises(ConfigError) as error:
            load_config(source, needs)
        first, *lines = str(error.value).splitlines()
        assert first == f"{source} cannot be used:"
        assert lines == [f"  {name} is not in jaxseg yet" for name in named]


def test_a_model_alone_needs_no_data_set(write):
    path = write(NO_DATASET)
    config = load_config(path, INFERENCE)
    assert config.keys() == {
        "model",
        "val_dataloader",
        "val_evaluator",
        "param_scheduler",
        "train_cfg",
        "default_hooks",
    }
    assert [t["type"] for t in config["val_dataloader"]["dataset"]["pipeline"]] == [
        "LoadImageFromFile",
        "Resize",
        "LoadAnnotations",
        "PackSegInputs",
    ]
    model = init_model(path)
    assert model.classes == ("ground", "red", "green", "blue")
    assert inference_model(model, np.zeros((64, 128, 3), np.uint8)).shape == (64, 128)


def test_a_missing_backbone_is_named_everywhere(write):
    path = write(
        V1_CHILD + "model.update(backbone=dict(type='NoNet', _delete_=True))\n"
    )
    for call in (load_config, init_model):
        with pytest.raises(ConfigError, match="model.backbone: NoNet is not in jaxseg"):
            call(path)


def test_an_override_takes_the_place_of_what_is_missing(write):
    path = write(NO_DATASET)
    overrides = [
        ("train_dataloader.dataset.type", "BaseSegDataset"),
        ("val_dataloader.dataset.type", "BaseSegDataset"),
        ("optim_wrapper.optimizer", dict(type="SGD", lr=0.1)),
    ]
    config = load_config(path, None, overrides)
    assert config["val_dataloader"]["dataset"]["type"] == "BaseSegDataset"
    assert "missing" not in config
    with pytest.raises(ConfigError, match="optim_wrapper.optimizer") as error:
        load_config(path, None, overrides[:2])
    assert "NoDataset" not in str(error.value)


BY_EPOCHS = V1_CHILD.replace("by_epoch=False)]", "by_epoch=True)]").replace(
    "train_cfg = dict(type='IterBasedTrainLoop', max_iters=2, val_interval=2)",
    "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)\n"
    "auto_scale_lr = dict(enable=True, base_batch_size=16)",
)


def test_a_run_by_epochs_and_overrides_that_make_one_of_iterations(write):
    path = write(BY_EPOCHS)
    rate = ("optim_wrapper.optimizer.lr", 0.05)
    config = load_config(path, None, [rate])
    assert config["train_cfg"] == dict(max_epochs=2, val_interval=1)
    assert config["param_scheduler"][0]["by_epoch"] is True
    overrides = [
        ("train_cfg", dict(max_iters=2)),
        ("param_scheduler.0.by_epoch", False),
        rate,
    ]
    config = load_config(path, None, overrides)
    assert config["train_cfg"] == dict(max_iters=2)
    assert config["param_scheduler"][0]["by_epoch"] is False
    with pytest.raises(ConfigError, match="lr: auto_scale_lr") as error:
        load_config(path, None, overrides[:2])
    assert str(error.value).count("not in jaxseg") == 1


def test_a_change_inside_a_missing_component_does_not_replace_it(write):
    path = write(
        V1_CHILD + "model.update(backbone=dict(type='NoNet', _delete_=True))\n"
    )
    with pytest.raises(ConfigError, match="model.backbone: NoNet is not in jaxseg"):
        load_config(path, None, [("model.backbone.depth", 18)])


def test_custom_imports_of_the_command_line_bring_what_is_missing(
    write, tmp_path, monkeypatch
):
    (tmp_path / "my_net_for_load_config.py").write_text(
        "import dataclasses\n"
        "from jaxseg.registry import register\n"
        "@register\n"
        "@dataclasses.dataclass\n"
        "class MyNetForLoadConfig:\n"
        "    pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = write(
        V1_CHILD
        + "custom_imports = dict(imports=['my_net_for_load_config'])\n"
        + "model.update(backbone=dict(type='MyNetForLoadConfig', _delete_=True))\n"
    )
    with pytest.raises(ConfigError, match="MyNetForLoadConfig is not in jaxseg yet"):
        load_config(path)
    override = ("custom_imports", dict(imports=["my_net_for_load_config"]))
    config = load_config(path, overrides=[override])
    assert config["model"]["backbone"] == dict(type="MyNetForLoadConfig")


def test_a_config_of_ours_is_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = dict(train_cfg=dict(max_iters=5))
    (tmp_path / "a.json").write_text(json.dumps(config))
    (tmp_path / "a.py").write_text(f"def get_config():\n    return {config}\n")
    for source in (config, tmp_path / "a.json", str(tmp_path / "a.py")):
        assert load_config(source) == config
    assert load_config(config, overrides=[("train_cfg.max_iters", 6)]) == dict(
        train_cfg=dict(max_iters=6)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def get_config():\n    return {}\n", False),
        ("get_config = lambda: {}\n", False),
        ("from other import get_config\n", False),
        ("from other import main as get_config\n", False),
        ("model = dict(get_config=1)\n", True),
        ("model = dict(\n", True),  # the reader of mmseg's files says what is wrong
        ("", True),
    ],
)
def test_whose_config_it_is_is_seen_without_running_it(
    tmp_path, monkeypatch, text, expected
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.py"
    path.write_text(text + "\nraise SystemExit\n" if text.endswith(")\n") else text)
    assert is_mmseg_config(path) is expected


def test_a_config_that_is_not_there():
    with pytest.raises(ConfigError, match="nowhere.py: there is no such config file"):
        load_config("nowhere.py")


def test_a_config_without_a_model(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("lr = 0.1\n")
    with pytest.raises(ConfigError, match="model is missing, or no dict"):
        load_config(path)

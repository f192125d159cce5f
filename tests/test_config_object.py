import json

import pytest

from jaxseg.apis import build_dataset, load_config
from jaxseg.config import ConfigError
from jaxseg.config_object import Config
from tests.tiny import get_config


def test_a_config_is_read_changed_and_written(tiny_data, tmp_path):
    config = load_config(get_config(str(tiny_data)), {"train_cfg.max_iters": 7})
    assert config.train_cfg.max_iters == config["train_cfg"]["max_iters"] == 7
    config.model.backbone.base_channels = 8
    config.train_dataloader.dataset.pipeline[2].prob = 0.25
    config.tta = dict(enabled=False, flip=True)
    assert config.tta.flip is True
    config.override("model.decode_head.channels", 16)
    del config.ema
    assert "'base_channels': 8," in config.pretty_text
    for name in ("mine.json", "mine.py"):
        config.dump(tmp_path / name)
    colon = f"{tmp_path / 'mine.py'}:"  # named as a program, it is run anywhere
    again = [load_config(tmp_path / "mine.json"), load_config(colon)]
    assert again == [config, config]
    assert json.loads((tmp_path / "mine.json").read_text())["train_cfg"] == {
        "max_iters": 7,
        "val_interval": 30,
    }
    assert len(build_dataset(config)) == 12
    assert len(build_dataset(config, "val")) == 4


def test_what_is_wrong_is_named(tiny_data, tmp_path):
    config = Config(get_config(str(tiny_data)))
    with pytest.raises(AttributeError, match="no key 'modle' .*did you mean 'model'"):
        _ = config.modle
    with pytest.raises(ConfigError, match="no key 'deep'"):
        config.override("model.backbone.deep.er", 1)
    with pytest.raises(ConfigError, match="a config is a .py or a .json file"):
        config.dump(tmp_path / "mine.yaml")
    with pytest.raises(ConfigError, match="test_dataloader is missing"):
        build_dataset(config, "test")
    with pytest.raises(ConfigError, match="split is 'all'"):
        build_dataset(config, "all")

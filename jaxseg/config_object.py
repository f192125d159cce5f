"""Config object: a config to look at and to change in a notebook or a program."""

import json
import pprint
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxseg.config import ConfigError, nearest, override, plain


class Config(dict):
    """A config whose keys are attributes, too: `config.model.backbone.depth = 101`.

    It is a dict, and everything that takes a config takes it. Dicts in it, and in its
    lists, are such objects as well.
    """

    def __init__(self, *args, **values):
        super().__init__()
        for key, value in dict(*args, **values).items():
            self[key] = value

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, _wrapped(value))

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(
                f"the config has no key {key!r} here{nearest(key, self)}; it has "
                f"{', '.join(map(str, self))}"
            ) from None

    def __setattr__(self, key: str, value: Any) -> None:
        self[key] = value

    def __delattr__(self, key: str) -> None:
        try:
            del self[key]
        except KeyError:
            raise AttributeError(f"the config has no key {key!r} here") from None

    def override(self, path: str, value: Any) -> None:
        """Replaces one value by its path, as `--config.PATH=VALUE` does.

        Args:
            path: such as `train_dataloader.dataset.pipeline.2.crop_size`.
            value: the new value.

        Raises:
            ConfigError: for a path that does not exist, naming the nearest one.
        """
        override(self, [(path, _wrapped(value))])

    @property
    def pretty_text(self) -> str:
        """The config as Python writes it."""
        return pprint.pformat(plain(self), width=88, sort_dicts=False)

    def dump(self, path: str | Path) -> None:
        """Writes a file that `--config` and `load_config` take.

        Args:
            path: `.json`; or `.py`, a program with `get_config()`.

        Raises:
            ConfigError: if it ends otherwise.
        """
        path = Path(path)
        if path.suffix == ".json":
            text = json.dumps(plain(self), indent=2)
        elif path.suffix == ".py":
            body = self.pretty_text.replace("\n", "\n    ")
            text = f"def get_config():\n    return {body}"
        else:
            raise ConfigError(f"{path}: a config is a .py or a .json file")
        path.write_text(text + "\n")


def _wrapped(value):
    if isinstance(value, Mapping):
        return value if isinstance(value, Config) else Config(value)
    if isinstance(value, (list, tuple)):
        return [_wrapped(child) for child in value]
    return value

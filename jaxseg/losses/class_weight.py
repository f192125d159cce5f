"""Class weights: a factor for each class, from the config, a file or the data."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import yaml

from jaxseg.errors import FieldError

ClassWeight = tuple[float, ...] | str | None

# What a training computes from its labels (`train/class_weights.py`).
FROM_DATA = ("median_frequency", "inverse_frequency", "enet")


def read_class_weight(given: ClassWeight) -> ClassWeight:
    """The weights themselves, of a `class_weight` that may name a file.

    Args:
        given: weights, or the path of a .npy, .json, .yaml or .yml file with a list of
            them, or None; one of FROM_DATA stays.

    Raises:
        FieldError: naming the file and what was found in it.
    """
    if given is None or given in FROM_DATA:
        return given
    values, place = (_read(given), given) if isinstance(given, str) else (given, given)
    values = values.tolist() if isinstance(values, np.ndarray) else values
    is_list = isinstance(values, (list, tuple)) and len(values) > 0
    if not is_list or not all(type(value) in (int, float) for value in values):
        raise FieldError(
            f"class_weight: {place} holds {str(values)[:60]}, allowed is a list of "
            "numbers, one for each class"
        )
    return tuple(float(value) for value in values)


# What NumPy and the parsers raise besides.
_OF_DAMAGED_FILES = (EOFError, MemoryError, RecursionError, SystemError)


def _read(path):
    suffix = pathlib.Path(path).suffix.lower()
    try:
        if suffix == ".npy":
            return np.load(path, allow_pickle=False)
        if suffix == ".json":
            return json.loads(pathlib.Path(path).read_text())
        if suffix in (".yaml", ".yml"):
            return yaml.safe_load(pathlib.Path(path).read_text())
    except (OSError, ValueError, *_OF_DAMAGED_FILES, yaml.YAMLError) as error:
        raise FieldError(f"class_weight: {path} cannot be read: {error}") from error
    raise FieldError(
        f"class_weight: {path} ends in {suffix!r}, allowed are .npy, .json, .yaml and "
        f".yml (a pickle can run code), and the names {', '.join(FROM_DATA)}"
    )


def read_field(loss) -> None:
    """Puts the weights in the place of a file's name, in a frozen loss's field."""
    object.__setattr__(loss, "class_weight", read_class_weight(loss.class_weight))


def check_number(loss, channels: int) -> None:
    """Raises a FieldError where a loss's weights are not one for each channel."""
    if loss.class_weight is None or loss.class_weight in FROM_DATA:
        return
    if len(loss.class_weight) != channels:
        raise FieldError(
            f"class_weight of {loss.loss_name} has {len(loss.class_weight)} "
            f"entries, the logits have {channels} channels"
        )


def weights_of(loss, channels: int, dtype) -> jax.Array:
    """The weights (C,) of a loss that has them, checked against the channels."""
    if loss.class_weight in FROM_DATA:
        raise FieldError(
            f"class_weight of {loss.loss_name} is {loss.class_weight!r}, which "
            "jaxseg.main replaces by numbers when a training starts: elsewhere a loss "
            "needs the numbers, those of the work directory's config.json"
        )
    check_number(loss, channels)
    return jnp.asarray(np.asarray(loss.class_weight), dtype)

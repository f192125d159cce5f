"""Loss cases: losses by themselves, with values and gradients that mmseg computed.

A case (`.npz`) names a class, its options and its inputs, which a seed gives;
tests/reference/README.md describes the entries.
"""

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import losses
from jaxseg.losses.accuracy import Accuracy
from jaxseg.losses.targets import Targets
from jaxseg.ops.strips.upsampled import Upsampled
from jaxseg.resolve import build
from jaxseg.testing.reference import Row, label

_SIZE = (24, 32)


def is_loss_case(path: str | pathlib.Path) -> bool:
    """Whether a file is the case of a loss alone, not that of a model."""
    try:
        with np.load(path) as case:
            return "loss" in case
    except Exception:  # noqa: BLE001 - a damaged file brings out errors of every type
        return False  # `reference.check` says what is wrong with it


def check_loss(path: str | pathlib.Path, dtype: str = "float64") -> list[Row]:
    """Compares a loss of ours with the numbers of a case.

    Args:
        path: the path of the `.npz`.
        dtype: `float64`: all must agree to 1e-6. `float32`: to 1e-4, or four times
            what PyTorch lost in it.

    Returns:
        A row of the kind `loss` for the value, and one of the kind `gradient`. None of
        a case that mmseg refuses.

    Raises:
        ConfigError: where jaxseg does not know the class or its options.
    """
    with np.load(path) as archive:
        case = {name: archive[name] for name in archive.files}
    if "error" in case:
        return []
    with jax.enable_x64(dtype == "float64"):
        value, gradient = compute(case, dtype)
    rows = []
    for name, kind, found in (("value", "loss", value), ("grad", "gradient", gradient)):
        if name in case:
            noise = float(case.get(f"{name}_noise", 0))
            bound = 1e-6 if dtype == "float64" else max(1e-4, 4 * noise)
            error = _error(case, name, np.asarray(found))
            rows.append(Row(kind, str(case["loss"]), error, bound))
    return rows


def compute(case: Mapping[str, np.ndarray], dtype: str) -> tuple[Any, Any]:
    """Our value of a case, and its sum's gradient or None, in mmseg's layout."""
    seed = int(case["seed"])
    options = json.loads(str(case["kwargs"]))
    call = json.loads(str(case["call"]))
    pred, target = (draw(str(case[name]), seed, dtype) for name in ("pred", "target"))
    name = str(case["loss"])
    call.pop("cuda", None)
    weight = call.pop("weight", None)
    if weight is not None:
        weight = draw(weight, seed, dtype)
    if "reduction_override" in call:
        options["reduction"] = call.pop("reduction_override")
    # What mmseg's functions take where nothing is said.
    ignore_index = call.pop("ignore_index", 255 if name != "CrossEntropyLoss" else -100)
    if name == "Accuracy":
        options = {key: _as_tuple(value) for key, value in options.items()}
        return np.asarray(Accuracy(**options)(pred, target))[:, None], None
    options = {key: _as_tuple(value) for key, value in options.items()}
    loss = build(getattr(losses, name), options, name)
    if name == "OHEMPixelSampler":
        logits = Upsampled(pred, pred.shape[1:3])
        ce = losses.CrossEntropyLoss()
        return np.asarray(loss.sample(logits, Targets(target), (ce,))), None

    def total(pred):
        value = loss(pred, target, weight, ignore_index=ignore_index, **call)
        return value.sum(), value

    gradient, value = jax.grad(total, has_aux=True)(pred)
    if str(case["pred"]) == "depth":  # mmseg's has no channel
        return value, gradient[..., 0]
    return _channels_first(value, pred), _channels_first(gradient, pred)


def _as_tuple(value):
    return tuple(value) if isinstance(value, list) else value


def _channels_first(x, pred):
    """A map with channels in PyTorch's order; anything else as it is."""
    x = np.asarray(x)
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 and x.shape == pred.shape else x


def _error(case, name, found):
    """Largest difference over the largest absolute value, or infinity."""
    expected = case[name]
    if expected.size == 0:
        # Of nothing but ignored pixels mmseg gives an empty value, which adds up to 0.
        return float(np.abs(found).max())
    scale = float(case.get(f"{name}_absmax", np.abs(expected).max()))
    if f"{name}_index" in case:
        if found.shape != tuple(case[f"{name}_shape"]):
            return np.inf
        found = found.ravel()[case[f"{name}_index"]]
    if found.size != expected.size:
        return np.inf
    return float(np.abs(found.ravel() - expected.ravel()).max()) / (scale or 1.0)


# MARK: inputs


def draw(name: str, seed: int, dtype: str) -> jax.Array:
    """An input of the recipe, with the channels last; floats in `dtype`."""
    value = _INPUTS[name](seed)
    if value.dtype.kind == "f":
        value = value.astype(np.float32).astype(dtype)
    return jnp.asarray(value)


def _normal(*shape, stream=4):
    def make(seed):
        value = 2 * np.random.default_rng([seed, stream]).standard_normal(shape)
        return np.moveaxis(value, 1, -1)

    return make


def _uniform(low, high, shape, stream):
    return lambda seed: np.random.default_rng([seed, stream]).uniform(low, high, shape)


def _labels(seed):
    return label(2, _SIZE, 5, seed)


def _no_ignore(seed):
    labels = _labels(seed)
    return np.where(labels == 255, 0, labels)


def _edge(seed):
    labels = _labels(seed)
    edge = np.zeros(labels.shape, bool)
    edge[:, :, :-1] |= labels[:, :, :-1] != labels[:, :, 1:]
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edge.astype(np.uint8)


def _depth_target(seed):
    rng = np.random.default_rng([seed, 5])
    depth = rng.uniform(0.1, 10, (2, *_SIZE))
    depth[rng.random(depth.shape) < 0.2] = 0
    return depth


def _three_classes(seed):
    labels = _labels(seed)
    return np.where((labels == 3) | (labels == 4), 0, labels)


_INPUTS: dict[str, Callable[[int], np.ndarray]] = {
    "logits": _normal(2, 5, *_SIZE),
    "logits2": _normal(2, 5, *_SIZE, stream=5),
    "one_channel": _normal(2, 1, *_SIZE),
    "two_channels": _normal(2, 2, *_SIZE),
    "vectors": _normal(40, 5),
    "probabilities": lambda seed: np.moveaxis(
        _uniform(0, 1, (2, 5, *_SIZE), 4)(seed), 1, -1
    ),
    "depth": lambda seed: _uniform(0.1, 10, (2, *_SIZE), 4)(seed)[..., None],
    "depth_target": _depth_target,
    "labels": _labels,
    "no_ignore": _no_ignore,
    "three_classes": _three_classes,
    "all_ignored": lambda seed: np.full((2, *_SIZE), 255, np.uint8),
    "binary": lambda seed: label(2, _SIZE, 2, seed),
    "one_hot": lambda seed: np.eye(5, dtype=np.int32)[_no_ignore(seed)],
    "masks": lambda seed: (_no_ignore(seed) == 1).astype(np.float32),
    "edge": _edge,
    "no_edge": lambda seed: np.zeros((2, *_SIZE), np.uint8),
    "vector_labels": lambda seed: (
        np.random.default_rng([seed, 2]).integers(0, 5, 40).astype(np.int32)
    ),
    "pixels": _uniform(0.5, 1.5, (2, *_SIZE), 6),
    # mmseg's FocalLoss takes the weights of the pixels in one line.
    "flat_pixels": _uniform(0.5, 1.5, (2, *_SIZE), 6),
    "samples": lambda seed: np.array([0.5, 2.0]),
    "channels": lambda seed: np.array([3, 1]),
}

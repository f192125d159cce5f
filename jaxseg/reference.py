"""Cases computed by PyTorch MMSegmentation, and how a model of ours compares.

A case (`.npz`) holds a model config, the names and shapes of its weights, and a
sample of the numbers that mmseg computed with weights and inputs that a seed gives.
tests/reference/README.md describes the entries and the recipe.
"""

import dataclasses
import functools
import json
import math
import pathlib
import zlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.convert.state_dict import from_state_dict, keys_of
from jaxseg.resolve import resolve

_RATES = ("dropout_ratio", "drop_rate", "attn_drop_rate", "drop_path_rate")


@dataclasses.dataclass(frozen=True)
class Row:
    """One kind of number in the comparison.

    Attributes:
        name: `logits`, or `loss decode.loss_ce`, `gradient ...`, `statistic ...`.
        error: largest deviation, in the unit of `bound`.
        bound: what the case allows.
    """

    name: str
    error: float
    bound: float

    @property
    def ok(self) -> bool:
        return self.error <= self.bound


def fill(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """The recipe's value of a weight, float32."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    leaf = name.split(".")[-1]
    if leaf == "running_var" or shape == () or (len(shape) == 1 and leaf == "weight"):
        value = rng.uniform(0.5, 1.5, shape)
    elif leaf == "running_mean" or len(shape) == 1:
        value = 0.1 * rng.standard_normal(shape)
    else:
        value = rng.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    return np.asarray(value, np.float32)


def image(batch: int, size: tuple[int, int], seed: int) -> np.ndarray:
    """The recipe's normalised images, (N, H, W, 3) float32."""
    rng = np.random.default_rng([seed, 1])
    images = rng.standard_normal((batch, 3, *size)).astype(np.float32)
    return images.transpose(0, 2, 3, 1)


def label(batch: int, size: tuple[int, int], classes: int, seed: int) -> np.ndarray:
    """The recipe's labels, (N, H, W) uint8 with a tenth of the cells ignored."""
    rng = np.random.default_rng([seed, 2])
    cells = [math.ceil(side / 8) for side in size]
    small = rng.integers(0, classes, (batch, *cells))
    small[rng.random(small.shape) < 0.1] = 255
    large = small.repeat(8, axis=1).repeat(8, axis=2)
    return large[:, : size[0], : size[1]].astype(np.uint8)


def _without_dropout(config: Any) -> Any:
    if isinstance(config, Mapping):
        return {
            key: 0.0 if key in _RATES else _without_dropout(child)
            for key, child in config.items()
        }
    if isinstance(config, list):
        return [_without_dropout(child) for child in config]
    return config


def check(path: str | pathlib.Path, dtype: str = "float64") -> list[Row]:
    """Compares the model of one case with the numbers in it.

    Args:
        path: of the `.npz`.
        dtype: `float64`: everything must agree to 1e-6, which shows that the
            arithmetic is mmseg's. `float32`: to the case's own bounds. Where training
            batch norms over a few values multiply the rounding of a sum, single
            gradients miss those bounds by chance, also in PyTorch when it runs on
            another number of threads: the bounds come from one run of it.
    """
    with jax.enable_x64(dtype == "float64"):
        return _check(path, dtype)


def _check(path, dtype):
    case = dict(np.load(path, allow_pickle=False))
    double = dtype == "float64"
    config = json.loads(str(case["model"]))
    model = resolve(_without_dropout(config) | {"dtype": dtype}, "model")
    size, seed = tuple(case["size"].tolist()), int(case["seed"])
    names = zip(json.loads(str(case["keys"])), json.loads(str(case["shapes"])))
    weights = {
        name: fill(name, tuple(shape), seed).astype(dtype)
        for name, shape in names
        if not name.endswith("num_batches_tracked")
    }
    images = jnp.asarray(image(1, size, seed), dtype)
    target = jax.eval_shape(model.init, jax.random.key(0), images)
    variables = from_state_dict(weights, target)
    rows = [_check_logits(case, model, variables, images, double)]
    if "loss_names" in case:
        rows += _check_training(case, model, variables, size, seed, dtype)
    return rows


def _check_logits(case, model, variables, images, double):
    logits = jax.jit(functools.partial(model.apply, method="encode_decode"))(
        variables, images
    )
    logits = np.asarray(logits, np.float64).transpose(0, 3, 1, 2)
    if logits.shape != tuple(case["shape"]):
        raise ValueError(f"logits are {logits.shape}, mmseg's {tuple(case['shape'])}")
    scale = float(case["absmax"])
    error = np.abs(logits.ravel()[case["index"]] - case["value"]).max() / scale
    bound = 1e-6 if double else max(1e-4, 4 * float(case["noise"]))
    return Row("logits", float(error), bound)


def _check_training(case, model, variables, size, seed, dtype):
    classes = model.decode_head.num_classes
    images = jnp.asarray(image(2, size, seed), dtype)
    labels = jnp.asarray(label(2, size, classes, seed))

    @jax.jit
    def step(params, batch_stats):
        def total(params):
            losses, new = model.apply(
                {"params": params, "batch_stats": batch_stats},
                images,
                labels,
                method="loss",
                mutable=["batch_stats"],
            )
            return sum(v for k, v in losses.items() if "loss" in k), (losses, new)

        gradients, (losses, new) = jax.grad(total, has_aux=True)(params)
        norm = functools.partial(jax.tree.map, lambda x: jnp.sqrt(jnp.sum(x * x)))
        return losses, norm(gradients), norm(new)

    stats = variables.get("batch_stats", {})
    losses, gradients, statistics = step(variables["params"], stats)
    by_key = {
        "loss": {key: float(value) for key, value in losses.items()},
        "grad": _leaves_by_key({"params": gradients}),
        "stat": _leaves_by_key(statistics),
    }
    rows = []
    for kind, words, floor in (
        ("loss", "loss", 1e-4),
        ("grad", "gradient", 1e-3),
        ("stat", "statistic", 1e-3),
    ):
        ours = by_key[kind]
        values = "values" if kind == "loss" else "norms"
        theirs = dict(
            zip(json.loads(str(case[f"{kind}_names"])), case[f"{kind}_{values}"])
        )
        if ours.keys() != theirs.keys():
            raise ValueError(f"{words} differ: {sorted(ours.keys() ^ theirs.keys())}")
        largest = max(np.abs(case[f"{kind}_{values}"]), default=0.0)
        for (name, value), noise in zip(theirs.items(), case[f"{kind}_noise"]):
            bound = 1e-6 if dtype == "float64" else max(floor, 4 * float(noise))
            error = abs(ours[name] - value)
            small = kind != "loss" and error <= 1e-6 * largest
            relative = 0.0 if small else error / max(abs(value), 1e-30)
            rows.append(Row(f"{words} {name}", float(relative), bound))
    return rows


def _leaves_by_key(variables):
    flat = {}
    for key, path in keys_of(variables).items():
        node = variables
        for part in path:
            node = node[part]
        flat[key] = float(node)
    return flat

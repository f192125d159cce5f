"""Reference cases: numbers of PyTorch MMSegmentation, and how a model of ours compares.

A case (`.npz`) holds a model config, the names and shapes of its weights, and a
sample of the numbers that mmseg computed with weights and inputs that a seed gives.
tests/reference/README.md describes the entries and the recipe;
scripts/check_reference.py prints the comparison.
"""

import dataclasses
import functools
import itertools
import json
import math
import pathlib
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.layers.draws import given_draws
from jaxseg.load_config import load_config
from jaxseg.mmseg_config.translate import translate
from jaxseg.registry import lookup
from jaxseg.resolve import MODEL_TABLES, resolve_model
from jaxseg.weights import load
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.layout import to_mmseg
from jaxseg.weights.part import is_below
from jaxseg.weights.prefix import for_model
from jaxseg.weights.state_dict import COUNTER, keys_of

KINDS = ("logits", "loss", "gradient", "statistic")

# What the cases' README grants float32 beside four times PyTorch's own loss in it.
_FLOAT32_BOUND = {"logits": 1e-4, "loss": 1e-4, "gradient": 1e-3, "statistic": 1e-3}
_FLOAT64_BOUND = 1e-6

# A rounding to bfloat16 loses up to 2^-9 of a value. A hundred of them one behind the
# other add up as their root, to 10 * 2^-9 = 0.02 of a logit. A loss and a statistic are
# means over many values, a gradient has the roundings of both passes, and of a kernel
# before a batch norm it is what remains of terms that cancel.
_BFLOAT16_BOUND = {"logits": 0.02, "loss": 0.005, "gradient": 0.25, "statistic": 0.002}

# Entries of integers that a model computes from its config. The recipe has no values
# for them, and a case tells their names and shapes alone.
_INDEX_TABLES = ("relative_position_index",)

# The statistics that a case holds; others, such as EMANet's bases, are left out.
_STATISTICS = ("running_mean", "running_var")

# What every case has; the numbers of training are there where mmseg gives them.
_ENTRIES = {"config", "model", "keys", "shapes", "seed", "size", "index", "value"}
_ENTRIES |= {"shape", "absmax", "noise"}


@dataclasses.dataclass(frozen=True)
class Row:
    """One number of a case, or all its logits, in the comparison.

    Attributes:
        kind: one of KINDS.
        name: the name of the loss, or PyTorch's key of the weight; empty for logits.
        error: deviation relative to the number, or to a small part of the largest one
            of its kind where the number is less than that; of logits the largest
            deviation, relative to the largest logit.
        bound: what the case allows.
    """

    kind: str
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


def edge(labels: np.ndarray) -> np.ndarray:
    """The recipe's edge map of labels (N, H, W): 1 beside another label, uint8.

    A pixel is compared with its right and its lower neighbour.
    """
    edges = np.zeros(labels.shape, np.uint8)
    edges[:, :, :-1] |= labels[:, :, :-1] != labels[:, :, 1:]
    edges[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return edges


def draws(
    seed: int, pairs: Sequence[int] = ()
) -> Callable[[tuple[int, ...]], np.ndarray]:
    """What gives the recipe's random numbers of one forward, a shape at a time.

    Args:
        seed: of the recipe.
        pairs: the number of pairs of each matching, in order. A shape of four axes is
            (N, room for pairs, ...), and each of the N matchings of a prediction draws
            twice; mmseg draws for the pairs alone, image after image.
    """
    rng = np.random.default_rng([seed, 3])
    calls = itertools.count()

    def draw(shape):
        if len(shape) < 4:
            return rng.random(shape).astype(np.float32)
        first = next(calls) // 2 * shape[0]
        values = np.zeros(shape, np.float32)
        for of_image, count in zip(
            values, pairs[first : first + shape[0]], strict=True
        ):
            of_image[:count] = rng.random((count, *shape[2:]))
        return values

    return draw


def check(
    path: str | pathlib.Path,
    dtype: str = "float64",
    configs: str | pathlib.Path | None = None,
    trains: bool = True,
) -> list[Row]:
    """Compares the model of one case with the numbers in it.

    Args:
        path: the path of the `.npz`.
        dtype: `float64`: everything must agree to 1e-6, which shows that the
            arithmetic is mmseg's. `float32`: to the case's own bounds. Where training
            batch norms over a few values multiply the rounding of a sum, single
            gradients miss those bounds by chance, also in PyTorch when it runs on
            another number of threads: the bounds come from one run of it. `bfloat16`:
            the model computes in it, parameters and images are float32; to bounds for
            models in which no batch norm trains on a few values.
        configs: mmsegmentation 1.2.2's folder of configs; the model is then that of
            the file which the case names, and not the one stored in the case.
        trains: whether the numbers of training are compared beside the logits.

    Returns:
        A row for the logits and, if asked for and but for a case that mmseg itself could not train,
        one for every loss, gradient and statistic.

    Raises:
        ConfigError: if the file is no case, or its config cannot be used, which names
            every component that jaxseg does not have.
        LoadError: if the weights do not fit the model.
    """
    with jax.enable_x64(dtype == "float64"):
        return _check(_read(path), path, dtype, configs, trains)


def _read(path):
    try:
        with np.load(path, allow_pickle=False) as file:
            case = dict(file)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such file") from error
    except Exception as error:  # zipfile, zlib and NumPy have errors of every type
        raise ConfigError(
            f"{path}: no reference case, which is an .npz ({error})"
        ) from error
    lacking = _ENTRIES - case.keys()
    if lacking:
        raise ConfigError(
            f"{path}: no reference case: it lacks {', '.join(sorted(lacking))}"
        )
    return case


def _check(case, path, dtype, configs, trains):
    model = resolve_model(_model_config(case, path, configs) | {"dtype": dtype})
    size, seed = tuple(case["size"].tolist()), int(case["seed"])
    of_inputs = "float64" if dtype == "float64" else "float32"
    images = jnp.asarray(image(1, size, seed), of_inputs)
    try:
        target = jax.eval_shape(model.init, jax.random.key(0), images)
    except (ConfigError, ModelSizeError) as error:  # parts that do not fit together
        raise ConfigError(f"{path}: the model cannot be built: {error}") from error
    variables = _load(_state_dict(case, seed), model, target, str(path))
    variables = jax.tree.map(lambda leaf: jnp.asarray(leaf, of_inputs), variables)

    # Without float64 numbers to compare with, float32's bounds are all there is.
    if dtype == "float64" and not case.get("exact", True):
        dtype = "float32"
    with given_draws(draws(seed)):
        rows = [_check_logits(case, model, variables, images, dtype)]
    if trains and "loss_names" in case:
        numbers = _train_once(case, model, variables, of_inputs)
        for kind in KINDS[1:]:
            rows += _check_numbers(case, kind, numbers[kind], dtype)
    return rows


def _model_config(case, path, configs):
    if configs is None:
        translation = translate({"model": json.loads(str(case["model"]))}, path)
        translation.require(("model",))
        model = translation.config["model"]
    else:
        model = load_config(pathlib.Path(configs) / str(case["config"]), ("model",))
        model = model["model"]
    if str(case.get("config_variant", "")) == "class_weight":
        _weigh_the_models_classes(model["decode_head"])
    return _without_dropout(model)


def _weigh_the_models_classes(head):
    """Where a config's list is for other classes than the model has: ones, and its last."""
    for loss in head["loss_decode"]:
        if loss.get("class_weight") is not None:
            ones = [1.0] * head["num_classes"]
            loss["class_weight"] = [*ones, loss["class_weight"][-1]]


def _without_dropout(config: Any) -> Any:
    """The config with all rates of dropout and drop path 0, those by default too."""
    if isinstance(config, list):
        return [_without_dropout(child) for child in config]
    if not isinstance(config, Mapping):
        return config
    config = {key: _without_dropout(child) for key, child in config.items()}
    rates = {key for key, child in config.items() if _is_rate(key, child)}
    if "type" in config:
        fields = dataclasses.fields(lookup(config["type"], "model", MODEL_TABLES))
        rates |= {field.name for field in fields if _is_rate(field.name, field.default)}
    return config | dict.fromkeys(rates, 0.0)


def _is_rate(key, value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "drop" in key and number


def _state_dict(case, seed):
    """The state dict of the case's model, in PyTorch's names, shapes and order."""
    result = {}
    names, shapes = json.loads(str(case["keys"])), json.loads(str(case["shapes"]))
    for name, shape in zip(names, shapes, strict=True):
        leaf = name.split(".")[-1]
        if leaf == COUNTER:
            result[name] = np.zeros(shape, np.int64)
        elif leaf not in _INDEX_TABLES:
            result[name] = fill(name, tuple(shape), seed)
    return result


def _load(state_dict, model, target, source):
    """The model's variables, by way of a `.pth` as mmseg's runner writes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "weights.pth")
        write_weights(path, state_dict, {})
        saved = for_model(load.read_checkpoint(path), target, model)
        tree = load.fill(saved.state_dict, target, source, model)
        return load.as_variables(tree, target, source)


def _check_logits(case, model, variables, images, dtype):
    logits = jax.jit(functools.partial(model.apply, method="encode_decode"))(
        variables, images
    )
    logits = np.asarray(logits, np.float64).transpose(0, 3, 1, 2)
    if logits.shape != tuple(case["shape"]):
        raise ConfigError(f"logits are {logits.shape}, mmseg's {tuple(case['shape'])}")
    scale = float(case["absmax"])
    error = np.abs(logits.ravel()[case["index"]] - case["value"]).max() / scale
    bound = _bound("logits", case["noise"], dtype)
    return Row("logits", "", float(error), bound)


def _bound(kind, noise, dtype):
    if dtype == "float64":
        return _FLOAT64_BOUND
    if dtype == "bfloat16":
        return _BFLOAT16_BOUND[kind]
    return max(_FLOAT32_BOUND[kind], 4 * float(noise))


def _targets(case, classes):
    """The targets of the case's training batch."""
    size, seed = tuple(case["size"].tolist()), int(case["seed"])
    labels = label(int(case.get("batch", 2)), size, classes, seed)
    if str(case.get("label_variant", "")) == "no_ignore":
        labels[labels == 255] = 0
    targets = {"gt_seg_map": labels, "gt_edge_map": edge(labels)}
    return {key: jnp.asarray(target) for key, target in targets.items()}


def _train_once(case, model, variables, dtype):
    """Losses, and norms of gradients and of new statistics, by kind and name."""
    targets = _targets(case, model.num_classes)
    batch, *size = targets["gt_seg_map"].shape
    seed = int(case["seed"])
    images = jnp.asarray(image(batch, tuple(size), seed), dtype)

    pairs = case.get("match_sizes", ())

    # All arguments: of constants XLA would compute what it can as it compiles.
    @jax.jit
    def step(params, batch_stats, images, targets):
        def total(params):
            with given_draws(draws(seed, pairs)):
                losses, new = model.apply(
                    {"params": params, "batch_stats": batch_stats},
                    images,
                    targets,
                    method="loss",
                    mutable=["batch_stats"],
                )
            return sum(v for k, v in losses.items() if "loss" in k), (losses, new)

        gradients, (losses, new) = jax.grad(total, has_aux=True)(params)
        norm = functools.partial(jax.tree.map, lambda x: jnp.sqrt(jnp.sum(x * x)))
        return losses, norm(gradients), norm(new)

    frozen = model.frozen_keys(variables["params"])
    stats = variables.get("batch_stats", {})
    losses, gradients, statistics = step(variables["params"], stats, images, targets)
    return {
        "loss": {key: float(value) for key, value in losses.items()},
        "gradient": {
            key: norm
            for key, norm in _leaves_by_key({"params": gradients}).items()
            if not any(is_below(key, part) for part in frozen)
        },
        "statistic": {
            key: norm
            for key, norm in to_mmseg(_leaves_by_key(statistics), model, {}, 0).items()
            if key.endswith(_STATISTICS)
        },
    }


def _leaves_by_key(variables):
    flat = {}
    for key, path in keys_of(variables).items():
        node = variables
        for part in path:
            node = node[part]
        flat[key] = float(node)
    return flat


def _check_numbers(case, kind, ours, dtype):
    prefix = {"gradient": "grad", "statistic": "stat"}.get(kind, kind)
    values = case[f"{prefix}_values" if kind == "loss" else f"{prefix}_norms"]
    names = json.loads(str(case[f"{prefix}_names"]))
    if ours.keys() != set(names):
        raise ConfigError(
            f"the {kind} entries differ from mmseg's in "
            f"{', '.join(sorted(ours.keys() ^ set(names)))}"
        )
    # A norm that is next to nothing beside the largest one has no digits of its own:
    # that of a bias in front of a batch norm is rounding alone.
    least = (1e-9 if dtype == "float64" else 1e-6) * np.abs(values).max(initial=0.0)
    rows = []
    for name, value, noise in zip(names, values, case[f"{prefix}_noise"], strict=True):
        bound = _bound(kind, noise, dtype)
        scale = abs(value) if kind == "loss" else max(abs(value), least / bound)
        error = abs(ours[name] - value)
        rows.append(Row(kind, name, float(error / scale) if error else 0.0, bound))
    return rows

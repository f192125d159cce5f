"""How many configs of mmsegmentation jaxseg reads, translates and builds.

    python scripts/mmseg_coverage.py mmsegmentation-1.2.2/mmseg/.mim/configs --processes 8

Of every config of a tree, but for those under `_base_`: is it read; is nothing of it
missing in jaxseg, in the model and in all of it; and are its model, pipelines, optimiser
and schedule built, which is done by shape alone, without weights or data. Below is what
is missing, with the number of configs that ask for it. With --keys nothing is built;
instead every key of every config is changed, and a key that nobody knows is put into every
dict of it (`jaxseg.testing.config_keys`). The exit code is 1 if a
config fails in a way that names nothing that is missing, or a key vanishes without a word.
"""

import argparse
import collections
import contextlib
import dataclasses
import functools
import json
import logging
import multiprocessing
import pathlib
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import jax

from input_pipeline import transforms
from jaxseg.command_line import command
from jaxseg.mmseg_config.reader.inherit import read
from jaxseg.mmseg_config.translate import Translation, translate
from jaxseg.optim.optimizer import make_optimizer
from jaxseg.resolve import resolve, resolve_model
from jaxseg.segmentors.init_variables import init_variables
from jaxseg.settings.read import read_settings
from jaxseg.testing.config_keys import FATES, SILENT, Walk, dotted, get, is_refused

HOW_TO_GET_THEM = """\
{root}: there are no configs here. Those of a release are in its wheel:
  pip download --no-deps mmsegmentation==1.2.2
  python -m zipfile -e mmsegmentation-1.2.2-py3-none-any.whl mmsegmentation-1.2.2
  python {script} mmsegmentation-1.2.2/mmseg/.mim/configs"""

# Parts of a config that look at data on disk when they are resolved.
_NEED_DATA = ("train_dataloader", "val_dataloader", "model")


# Of the configs, each process gets so many parts one after the other.
_PARTS = 8


@dataclasses.dataclass
class _Outcome:
    """What became of one config.

    Attributes:
        done: what of it works, the keys of `_print`.
        missing: the names of what jaxseg lacks for it.
        failure: the error of a config that fails otherwise.
        keys: how many places of it have which fate.
        silent: the places that vanish.
    """

    done: list[str] = dataclasses.field(default_factory=list)
    missing: set[str] = dataclasses.field(default_factory=set)
    failure: str | None = None
    keys: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    silent: list[str] = dataclasses.field(default_factory=list)


@command
def main(arguments: list[str]) -> int:
    """Prints the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("root", type=pathlib.Path, help="a folder of configs")
    parser.add_argument(
        "--processes", type=int, default=1, help="that share the configs (1)"
    )
    parser.add_argument(
        "--keys", action="store_true", help="build nothing; what becomes of every key?"
    )
    given = parser.parse_args(arguments)
    root = given.root
    if given.processes < 1:
        parser.error(f"--processes is {given.processes}, allowed: 1 or more")
    paths = [
        path
        for path in sorted(root.rglob("*.py"))
        if "_base_" not in path.relative_to(root).parts
    ]
    if not paths:
        print(HOW_TO_GET_THEM.format(root=root, script=sys.argv[0]), file=sys.stderr)
        return 2
    counts, missing, failures = collections.Counter(), collections.Counter(), []
    keys = collections.Counter()
    outcome_of = functools.partial(_outcome, walks=given.keys)
    with contextlib.closing(_outcomes(outcome_of, paths, given.processes)) as outcomes:
        for path, outcome in zip(paths, outcomes, strict=True):
            counts.update(outcome.done)
            missing.update(outcome.missing)
            keys.update(outcome.keys)
            if outcome.failure is not None:
                failures.append(f"{path.relative_to(root)}: {outcome.failure}")
            for place in outcome.silent:
                failures.append(f"{path.relative_to(root)}: {place}")
    if given.keys:
        _print_keys(len(paths), keys, failures)
    else:
        _print(len(paths), counts, missing, failures)
    return 1 if failures else 0


def _outcomes(
    outcome_of: Callable[[pathlib.Path], _Outcome],
    paths: Sequence[pathlib.Path],
    processes: int,
) -> Iterator[_Outcome]:
    """Of each path, in their order; neighbours, which share models, stay together."""
    if processes == 1:
        yield from map(outcome_of, paths)
        return
    size = -(-len(paths) // (processes * _PARTS))
    # A fork of a process that runs JAX can hang.
    start = multiprocessing.get_context("spawn")
    with futures.ProcessPoolExecutor(processes, start) as pool:
        yield from pool.map(outcome_of, paths, chunksize=size)


def _outcome(path: pathlib.Path, walks: bool) -> _Outcome:
    # Each config's custom keys without a match are no news here.
    logging.getLogger("jaxseg").setLevel(logging.WARNING)
    outcome = _Outcome()
    try:
        raw = read(path)
        outcome.done.append("read")
        translation = translate(raw, path)
        outcome.missing.update(name for _, name in translation.missing)
        if walks:
            outcome.done.append("translated")
            _walk(Walk(raw, str(path), _SEEN), outcome)
        else:
            outcome.done += _check(translation)
    except Exception as error:  # noqa: BLE001 - of any kind, it is one of the counts
        outcome.failure = repr(error)
    return outcome


def _walk(walk: Walk, outcome: _Outcome) -> None:
    """Counts what becomes of the keys of a config, and names those that vanish."""
    outcome.keys.update(walk.fates.values())
    outcome.silent += [
        f"{dotted(path)} vanishes"
        for path, fate in walk.fates.items()
        if fate == SILENT
    ]
    for path, config in walk.strangers():
        # What refuses it depends on the place and the type there alone.
        place = dotted(path), str(get(walk.raw, path).get("type"))
        if config is None or not _refused(place, _key(config)):
            outcome.silent.append(f"an unknown key of {dotted(path)} vanishes")


_REFUSED: dict[tuple[str, str], bool] = {}
_SEEN: dict = {}  # what the configs of this process have alike


def _refused(place: tuple[str, str], config: str) -> bool:
    if place not in _REFUSED:
        _REFUSED[place] = is_refused(json.loads(config))
    return _REFUSED[place]


def _check(translation: Translation) -> list[str]:
    """What of a config works; raises if it fails although nothing is missing."""
    done = ["translated"]
    if not any(path.split(".")[0] == "model" for path, _ in translation.missing):
        done.append("model")
        _model_shapes(_key(translation.config["model"]))
    if translation.missing:
        return done
    config = translation.config
    done.append("all")
    read_settings({k: v for k, v in config.items() if k not in _NEED_DATA})
    for part in ("train_dataloader", "val_dataloader", "test_dataloader"):
        for pipeline in _pipelines(config.get(part)):
            resolve(pipeline, f"{part} ... pipeline", (transforms,))
    parts = {k: config.get(k) for k in ("model", "optim_wrapper", "param_scheduler")}
    if config.get("optim_wrapper"):
        loop = config["train_cfg"]
        epochs = loop.get("max_epochs")
        length = None if epochs is None else 10  # any: there is no data to count
        _build_optimizer(_key(parts), loop.get("max_iters") or epochs * length, length)
    return [*done, "built"]


def _pipelines(node: Any) -> Iterator[list[Any]]:
    """Every pipeline of a data set, and of those inside it."""
    if isinstance(node, list):
        for child in node:
            yield from _pipelines(child)
    elif isinstance(node, dict):
        for key, child in node.items():
            if key == "pipeline" and child:
                yield child
            else:
                yield from _pipelines(child)


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


@functools.cache
def _model_shapes(model: str):
    """The model and its variables' shapes; configs that share it build it once."""
    segmentor = resolve_model(json.loads(model))
    channels = segmentor.in_channels
    size = segmentor.data_preprocessor.size or (128, 128)
    init = functools.partial(init_variables, segmentor, 0, channels, size)
    return segmentor, jax.eval_shape(init)


@functools.cache
def _build_optimizer(parts: str, max_iters: int, epoch_length: int | None) -> None:
    parts = json.loads(parts)
    segmentor, variables = _model_shapes(_key(parts["model"]))
    params = variables["params"]
    make_optimizer(
        parts["optim_wrapper"],
        parts["param_scheduler"] or [],
        max_iters,
        params,
        frozen=segmentor.frozen_keys(params),
        epoch_length=epoch_length,
    )


def _print_keys(count, keys, failures):
    print(f"{sum(keys.values()):7d} places in {count} configs")
    for fate in FATES:
        print(f"{keys[fate]:7d} {fate}")
    for failure in failures:
        print(f"FAILED  {failure}", file=sys.stderr)


def _print(total, counts, missing, failures):
    for key, text in (
        ("read", "read"),
        ("translated", "translated, what is missing named"),
        ("model", "models that are complete, and built by shape"),
        ("all", "configs that are complete"),
        ("built", "their pipelines, optimiser and schedule built"),
    ):
        print(f"{counts[key]:5d} of {total}  {text}")
    print("\nconfigs  missing")
    for name, count in sorted(missing.items(), key=lambda item: (-item[1], item[0])):
        print(f"{count:7d}  {name}")
    for failure in failures:
        print(f"FAILED  {failure}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

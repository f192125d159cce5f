"""Conversion of checkpoints between mmseg's, jaxseg's and files of weights."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxseg.checkpoint.layout import step_dirs
from jaxseg.checkpoint.store import Checkpoints
from jaxseg.config import plain
from jaxseg.inference.loaded import build_segmentor, fresh_variables
from jaxseg.weights.files.weights_file import write_weights
from jaxseg.weights.layout import buffers_of, to_mmseg
from jaxseg.weights.load import (
    LoadError,
    fill,
    in_order,
    read_checkpoint,
)
from jaxseg.weights.prefix import for_model
from jaxseg.weights.sizes import adapt_first_layer
from jaxseg.weights.state_dict import (
    COUNTER,
    is_passed_over,
    to_state_dict,
    torch_shapes,
)

FILES = (".pth", ".safetensors", ".npz")


def convert_checkpoint(
    config: str | Path | Mapping[str, Any] | None,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    skip: Sequence[str] = (),
    adapt: bool = False,
    overwrite: bool = False,
) -> list[str]:
    """Writes a checkpoint of any form in another one.

    Every weight is checked against the model and keeps its type and its bits. The
    order of the entries, the counters of the batch norms and the meta data are kept,
    too, so that a file of mmseg's comes back from a folder of ours as it was. Weights
    of a run of ours get the counters that mmseg would have: the number of iterations.

    Args:
        config: as for `build_segmentor`.
        source: as for `read_checkpoint`.
        target: a file ending in one of `FILES`; or a folder, for a checkpoint of ours.
        skip: modules or parameters, by the keys that mmseg has, that are not taken
            from the source: they start fresh, by the config's seed.
        adapt: whether a first layer for 3 channels is adapted to the model's.
        overwrite: whether a target that is there is replaced, once the new one is
            whole; of folders, one with nothing but checkpoints in it.

    Returns:
        What is to be said about it, line by line.

    Raises:
        ConfigError: if the config is wrong.
        LoadError: listing every missing, unexpected and misshapen key; or if the
            target is there and cannot or shall not be replaced.
    """
    target = Path(target).expanduser()
    is_file = target.suffix in FILES
    if target.exists():
        _check_replaceable(target, is_file, overwrite)
    checkpoint = read_checkpoint(source)
    config, segmentor = build_segmentor(config or checkpoint.config, checkpoint)
    variables = fresh_variables(config, segmentor, abstract=True)
    checkpoint = for_model(checkpoint, variables, segmentor)
    state_dict, meta = checkpoint.weights, checkpoint.meta
    fresh = _start_fresh(state_dict, config, segmentor, skip) if skip else {}
    state_dict = {k: a for k, a in state_dict.items() if not _below([k], *skip)} | fresh
    if _below(fresh, "decode_head"):  # it has not learnt those classes
        meta = {k: v for k, v in meta.items() if k not in ("classes", "palette")}
    if adapt:
        state_dict = adapt_first_layer(state_dict, variables)
    tree = fill(state_dict, variables, str(source), segmentor)
    buffers = buffers_of(segmentor)
    given = {k: a for k, a in state_dict.items() if k in buffers or k.endswith(COUNTER)}
    result = to_mmseg(to_state_dict(tree), segmentor, given, checkpoint.step)
    result = in_order(result, checkpoint.keys)
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_file:
        write_weights(target, result, meta)
    else:
        source = {
            "meta": meta,
            "keys": list(result),
            "counters": {k: int(a) for k, a in result.items() if k.endswith(COUNTER)},
        }
        _write_folder(target, tree, config, checkpoint.step, source)
    left_out = [k for k in state_dict if is_passed_over(k) and k not in result]
    return [
        *(f"starts fresh: {key}" for key in fresh),
        *(f"left out: {key}" for key in left_out),
        f"{target}: {len(result)} entries, step {checkpoint.step}",
    ]


def _check_replaceable(target, is_file, overwrite):
    if target.is_dir() == is_file:
        kind = "folder" if is_file else "file"
        raise LoadError(
            f"{target} is a {kind}; a checkpoint of jaxseg is written to a folder, any "
            f"other to a file ending in {', '.join(FILES)}"
        )
    there = set() if is_file else set(target.iterdir())
    if not overwrite and (is_file or there):
        raise LoadError(f"{target} is there; --overwrite replaces it")
    if others := there - set(step_dirs(target, finished=True)):
        names = ", ".join(sorted(path.name for path in others)[:5])
        raise LoadError(
            f"{target} holds {names}: only a folder with nothing but checkpoints in it "
            "is replaced"
        )


def _start_fresh(state_dict, config, segmentor, skip):
    """The model's fresh weights in the place of those that are skipped, by key."""
    keys = list(torch_shapes(fresh_variables(config, segmentor, abstract=True)))
    for name in skip:
        if not _below([*keys, *state_dict], name):
            parts = sorted({key.split(".")[0] for key in [*keys, *state_dict]})
            raise LoadError(
                f"skip: there is no {name}; the parts are {', '.join(parts)}"
            )
    keys = _below(keys, *skip)
    if not keys:
        return {}
    drawn = to_state_dict(fresh_variables(config, segmentor, abstract=False))
    return {key: drawn[key] for key in keys}


def _below(keys, *names):
    """Those of the keys that are one of the names, or in a module of that name."""
    starts = tuple(f"{name.rstrip('.')}." for name in names)
    return [key for key in keys if f"{key}.".startswith(starts)]


def _write_folder(folder, tree, config, step, source):
    known = {name: source["meta"].get(name) for name in ("classes", "palette")}
    if all(known.values()) and "dataset_meta" not in config:
        config = {**config, "dataset_meta": known}
    prefix = f".{folder.name}."
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder.parent) as draft:
        new = Path(draft) / "new"
        with Checkpoints(new) as checkpoints:
            checkpoints.save(step, tree, config=plain(config), source=plain(source))
            checkpoints.wait()
        old = Path(draft) / "old"  # goes with the draft
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise

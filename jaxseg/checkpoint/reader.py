"""Checkpoint reader: reads beside a trainer that writes, without orbax's manager."""

import dataclasses
import logging
import operator
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
import orbax.checkpoint as ocp
import tensorstore as ts

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.errors import (
    CheckpointError,
    DamagedCheckpointError,
    NoCheckpointError,
    RemovedCheckpointError,
)
from jaxseg.checkpoint.layout import STATE, is_finished, step_dirs, steps_folder

_log = logging.getLogger("jaxseg")

# The trainer removes a step in less; local disks take milliseconds.
_PRUNING_SECONDS = 0.5


def read_arrays(
    step_dir: Path,
    targets: Mapping[str, ocp.RestoreArgs],
    arrays: Mapping[str, Mapping],
) -> dict:
    """Reads the arrays that `targets` names; the others stay on the disk.

    Args:
        step_dir: The checkpoint's.
        targets: How to restore each.
        arrays: What the manifest says of each. Nothing is read where the files hold
            another shape or dtype: a few bytes of them may stand for gigabytes.

    Raises:
        DamagedCheckpointError: Orbax could not read them, whatever it raised, or they
            are not what the manifest says.
    """
    try:
        _check_stored(step_dir, {name: arrays[name] for name in targets})
        with ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader:
            return reader.restore(
                step_dir / STATE,
                args=ocp.args.PyTreeRestore(
                    item=dict.fromkeys(targets, 0),
                    restore_args=dict(targets),
                    partial_restore=True,
                ),
            )
    except DamagedCheckpointError:
        raise
    except Exception as error:  # Orbax, TensorStore, JSON: every one has its own.
        reason = str(error).strip().split("\n")[0] or repr(error)
        raise DamagedCheckpointError(
            f"{step_dir / STATE}: cannot be read: {type(error).__name__}: {reason}"
        ) from error


def _check_stored(step_dir, arrays):
    """Compares the headers of stored arrays, as orbax writes them, with the manifest."""
    files = {"driver": "file", "path": f"{step_dir / STATE}/"}
    store = {"driver": "ocdbt", "base": files}
    opened = {
        name: ts.open(
            {"driver": "zarr", "kvstore": {**store, "path": f"{name}/"}}, open=True
        )
        for name in arrays
    }
    for name, future in opened.items():
        found, shape = future.result(), tuple(arrays[name]["shape"])
        chunk = found.chunk_layout.read_chunk.shape or ()  # None of a scalar
        # A chunk is decoded as a whole, also where it is larger than the array.
        sizes = [max(size, 1) for size in shape]
        if found.shape != shape or any(map(operator.gt, chunk, sizes)):
            raise DamagedCheckpointError(
                f"{step_dir / STATE}: {name} is stored as {found.shape} in chunks of "
                f"{chunk}, and the manifest says {shape}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class SavedWeights:
    """A checkpoint whose manifest is read, and whose arrays are not.

    Attributes:
        path: The step's directory.
        arrays: What the manifest says of each array of a model, by name.
        config: The resolved config of the run.
        source: Of converted weights, else None.
        step: Number of updates.
    """

    path: Path
    arrays: Mapping[str, Mapping]
    config: dict
    source: dict | None
    step: int

    def read(self, names: Collection[str]) -> dict[str, np.ndarray]:
        """Reads and verifies some of the arrays.

        Raises:
            DamagedCheckpointError: They are not those that were written.
            RemovedCheckpointError: The run that goes on there has removed them.
        """
        arrays = {name: self.arrays[name] for name in names}
        targets = {name: ocp.RestoreArgs(restore_type=np.ndarray) for name in arrays}
        try:
            restored = read_arrays(self.path, targets, arrays)
            manifest.check_data(self.path, arrays, restored)
        except DamagedCheckpointError as error:
            # A step that is being removed looks damaged too, until it is gone.
            time.sleep(_PRUNING_SECONDS)
            if is_finished(self.path):
                raise
            raise RemovedCheckpointError(
                f"{self.path}: was removed while it was read, by the run that goes on "
                "there: try again"
            ) from error
        return restored


def load_weights(
    path: str | Path,
    which: str = "latest",
    collections: tuple[str, ...] = ("params", "batch_stats", "ema"),
) -> dict:
    """Reads a model's weights, and nothing else, from a checkpoint.

    Safe beside a trainer: where the step is pruned under the reader, the choice is
    made again among those that are there then.

    Args:
        path: A workdir, its `checkpoints` directory, or one step of that.
        which: 'latest' or 'best' (by the config's `save_best`), unless `path` is a
            step.
        collections: First keys of the state to read; absent ones are left out.

    Returns:
        The collections as nested dicts of numpy arrays; 'config', the resolved config
        of the run; 'source' of converted weights, else None; 'step' and 'path' of the
        checkpoint read.

    Raises:
        NoCheckpointError: No finished checkpoint is there.
        DamagedCheckpointError: The chosen one is damaged: name another step.
    """

    def read(step_dir):
        saved = _open(step_dir, collections)
        return saved, saved.read(saved.arrays)

    saved, arrays = _of_a_step(path, which, read)
    return {
        **manifest.nest(arrays),
        "config": saved.config,
        "source": saved.source,
        "step": saved.step,
        "path": saved.path,
    }


def open_weights(path: str | Path, which: str = "latest") -> SavedWeights:
    """`load_weights` but for the arrays, which the caller reads once they fit.

    Raises:
        As `load_weights`.
    """
    return _of_a_step(path, which, _open)


def find_step(source: str | Path) -> Path:
    """The directory of the step that `source` names.

    Args:
        source: A workdir, `WORKDIR:best`, its `checkpoints` directory or one step of it.

    Raises:
        NoCheckpointError: No finished checkpoint is there.
    """
    folder, best, _ = str(source).rpartition(":best")
    path = Path(folder if best else source).expanduser().absolute()
    return path if is_finished(path) else _choose(path, "best" if best else "latest")


def _of_a_step(path, which, read):
    """What `read` returns of the step that `path` and `which` name."""
    path = Path(path).absolute()
    if which not in ("latest", "best"):
        raise ValueError(f"which is {which!r}; allowed: 'latest', 'best'")
    failed = None
    while True:
        step_dir = path if is_finished(path) else _choose(path, which)
        try:
            return read(step_dir)
        except DamagedCheckpointError as error:
            # A step that is being pruned looks damaged too, until it is gone.
            if step_dir in (path, failed):
                raise
            _log.info("%s; in case it is being removed, choosing again", error)
            failed = step_dir
            time.sleep(_PRUNING_SECONDS)


def _open(step_dir, collections=("params", "batch_stats", "ema")):
    body = manifest.read(step_dir)
    arrays = {
        name: entry
        for name, entry in body["arrays"].items()
        if name.split("/")[0] in collections
    }
    if not arrays:
        raise CheckpointError(f"{step_dir}: holds none of {', '.join(collections)}")
    return SavedWeights(
        step_dir, arrays, body["config"], body.get("source"), body["step"]
    )


def _choose(path: Path, which: str) -> Path:
    steps = step_dirs(steps_folder(path), finished=True)
    if not steps:
        raise NoCheckpointError(
            f"{path}: no finished checkpoint; expected a workdir, its checkpoints "
            "directory or one step of it"
        )
    return steps[-1] if which == "latest" else _best(steps)


def _best(steps: list[Path]) -> Path:
    scores = {}
    for step_dir in steps:
        try:
            score = manifest.score(manifest.read(step_dir))
        except DamagedCheckpointError as error:
            _log.warning("not considered as the best: %s", error)
            continue
        if score is not None:
            scores[step_dir] = score
    if not scores:
        raise NoCheckpointError(
            f"{steps[0].parent}: no checkpoint was saved with the metric of save_best"
        )
    return max(scores, key=scores.get)

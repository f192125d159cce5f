"""Checkpoint store: saves and restores the state of a run, by orbax's manager.

`layout.py` says where the parts lie, and `manifest.py` how what is read is verified;
`reader.py` reads beside a trainer. No file but that and this one knows orbax.
"""

import dataclasses
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jaxseg.checkpoint import manifest
from jaxseg.checkpoint.errors import (
    CheckpointError,
    DamagedCheckpointError,
    NoCheckpointError,
)
from jaxseg.checkpoint.hosts import check_hosts_agree, on_all_hosts
from jaxseg.checkpoint.layout import STATE, is_finished, step_dirs
from jaxseg.checkpoint.reader import read_arrays

_log = logging.getLogger("jaxseg")


class Checkpoints:
    """The checkpoints of one training run. Not for a second process that reads.

    Kept are the latest `max_keep` and the best one by `best_metric`. Every process
    of a multi-host run makes the same calls, on a directory that all of them see.
    """

    def __init__(
        self,
        directory: str | Path,
        *,
        max_keep: int = 3,
        best_metric: str | None = None,
        best_mode: str = "max",
    ):
        """Opens `directory`, and removes what a killed run left unfinished in it.

        Args:
            directory: Where the steps live, e.g. `workdir/checkpoints`; is created.
            max_keep: Number of latest checkpoints to keep. At least 2 where another
                process evaluates while this one trains.
            best_metric: Name in `add_metrics` by which one best checkpoint is kept as
                well; None keeps none.
            best_mode: 'max' or 'min': which values of the metric are better.
        """
        if max_keep < 1:
            raise ValueError(f"max_keep is {max_keep}; at least 1 is needed")
        if best_mode not in ("max", "min"):
            raise ValueError(f"best_mode is {best_mode!r}; allowed: 'max', 'min'")
        self.directory = Path(directory).absolute()
        self._best_by = best_metric and (best_metric, best_mode)
        self._scores: dict[int, float] = {}
        self._error: Exception | None = None
        self._saving: int | None = None
        self._remove_unfinished()
        self._manager = self._open_manager(max_keep)
        for step in self.steps():
            try:
                self._note_score(step, manifest.read(self._path(step)))
            except CheckpointError as error:
                _log.warning("%s; its metrics are unknown", error)

    def _remove_unfinished(self) -> None:
        if jax.process_index() == 0:
            for path in step_dirs(self.directory, finished=False):
                _log.warning("%s: removing an unfinished checkpoint", path)
                shutil.rmtree(path)
        multihost_utils.sync_global_devices("jaxseg:unfinished_checkpoints_removed")

    def _open_manager(self, max_keep: int) -> ocp.CheckpointManager:
        registry = ocp.handlers.DefaultCheckpointHandlerRegistry()
        json_handler = ocp.JsonCheckpointHandler(filename=manifest.FILE_NAME)
        registry.add(manifest.ITEM, ocp.args.JsonSave, json_handler)
        return ocp.CheckpointManager(
            self.directory,
            handler_registry=registry,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=_LatestAndBest(max_keep, self.best_step),
                # Orbax's default trusts a directory's name: an empty `300/` would be
                # the latest step.
                atomicity_options=ocp.options.AtomicityOptions(
                    mode=ocp.options.AtomicityMode.COMMIT_FILE
                ),
                # Orbax's would take every directory without a commit file, also a
                # user's `notes/`.
                cleanup_tmp_directories=False,
                # Else a damaged checkpoint raises here, before any can be tried.
                lightweight_initialize=True,
            ),
        )

    def steps(self) -> list[int]:
        """Returns the steps that have a finished checkpoint or one being saved."""
        return sorted(self._manager.all_steps())

    def latest_step(self) -> int | None:
        """Returns the last of `steps`, or None in a fresh directory."""
        return max(self.steps(), default=None)

    def best_step(self) -> int | None:
        """Returns the step with the best metric; of equal ones the first."""
        return max(sorted(self._scores), key=self._scores.get, default=None)

    def save(
        self,
        step: int,
        state,
        *,
        config: dict,
        samples: int | None = None,
        source: Mapping | None = None,
    ) -> bool:
        """Starts saving `state` and returns; the files are written in the background.

        What blocks is the copy from the device and the checksums, and the rest of the
        save before, where that is not finished. A save that fails (a full disk) is
        logged as an error and its files are removed; the earlier checkpoints stay, and
        the run may go on: `wait` raises where the failure must not pass.

        Args:
            step: Number of updates the state has seen; also the data iterator's state.
            state: Pytree of arrays, sharded or not. The caller may donate it
                afterwards.
            config: The resolved config, plain JSON types.
            samples: Of the training data set, by which a resumed run knows it again.
            source: Of weights that were converted: what `load_weights` says of it.

        Returns:
            False where `step` is the latest checkpoint already: nothing is written.

        Raises:
            ValueError: A later step exists.
            HostsDriftedError: The hosts do not hold the same state.
        """
        self._finish_save()
        latest = self.latest_step()
        if latest == step:
            return False
        if latest is not None and latest > step:
            raise ValueError(
                f"{self.directory}: cannot save step {step} behind step {latest}, which "
                "a resumed run would continue from. Remove the later checkpoints, or "
                "use another workdir"
            )
        flat = manifest.flatten(state)
        arrays = manifest.describe(flat)
        check_hosts_agree(step, arrays)
        body = manifest.build(
            step, arrays, config, self._best_by, samples=samples, source=source
        )
        self._saving = step
        self._error = None
        try:
            self._manager.save(
                step,
                args=ocp.args.Composite(
                    **{
                        STATE: ocp.args.PyTreeSave(flat),
                        manifest.ITEM: ocp.args.JsonSave(body),
                    }
                ),
                force=True,
            )
        except Exception as error:  # noqa: BLE001 - whatever the file system gave
            self._note_failure(error)
        return True

    def add_metrics(self, step: int, metrics: Mapping[str, float]) -> None:
        """Adds the results of an evaluation to a checkpoint, which came before them.

        An error of the disk is logged; a checkpoint whose save has failed gets none.
        Which ones are kept is decided at the next save. A NaN never becomes the best.

        Raises:
            ValueError: `best_metric` is not in `metrics`.
            DamagedCheckpointError: The checkpoint's manifest cannot be read.
        """
        if self._best_by and self._best_by[0] not in metrics:
            raise ValueError(
                f"best_metric {self._best_by[0]!r} is not among the results: "
                f"{', '.join(metrics)}"
            )
        self._finish_save()
        path = self._path(step)
        if jax.process_index() == 0 and step in self.steps():
            try:
                manifest.add_metrics(path, metrics)
            except OSError as error:
                _log.error("%s: its metrics were not written: %s", path, error)
        multihost_utils.sync_global_devices("jaxseg:metrics_added")
        if step in self.steps():
            self._note_score(step, manifest.read(path))

    def read_manifest(self) -> dict:
        """Returns the manifest of the newest checkpoint whose manifest is readable.

        Raises:
            NoCheckpointError: There is no checkpoint.
            DamagedCheckpointError: No checkpoint has one.
        """
        error = NoCheckpointError(f"{self.directory}: no checkpoint")
        for step in reversed(self.steps()):
            try:
                return manifest.read(self._path(step))
            except DamagedCheckpointError as damage:
                error = damage
        raise error

    def wait(self) -> None:
        """Blocks until the save in progress is on the disk.

        Raises:
            CheckpointError: The last `save` failed.
        """
        self._finish_save()
        if self._error is not None:
            raise CheckpointError(
                f"{self.directory}: the last checkpoint was not saved: {self._error}"
            ) from self._error

    def restore(self, abstract_state, step: int | None = None) -> tuple:
        """Reads a state, verified, onto the devices that `abstract_state` names.

        Args:
            abstract_state: Pytree of `jax.ShapeDtypeStruct` (or arrays). A leaf's
                `sharding` may be of another mesh than the one that saved.
            step: None: the newest sound checkpoint. One that is damaged is passed over
                with a warning, and renamed to `<step>.damaged` once an older one is
                read.

        Returns:
            (state, step).

        Raises:
            NoCheckpointError: There is no checkpoint, or not the one asked for.
            StructureMismatchError: The checkpoint is of another model; nothing older is
                tried.
            DamagedCheckpointError: `step` is damaged, or every checkpoint is.
        """
        self._finish_save()
        steps = self.steps()
        if not steps or step not in (None, *steps):
            raise NoCheckpointError(
                f"{self.directory}: no checkpoint {'' if step is None else step}; "
                f"there are {steps or 'none'}"
            )
        if step is not None:
            return self._read(step, abstract_state), step
        damaged = {}
        for candidate in reversed(steps):
            try:
                state = self._read(candidate, abstract_state)
            except DamagedCheckpointError as error:
                _log.warning("damaged checkpoint, trying an older one: %s", error)
                damaged[candidate] = error
                continue
            self._set_aside(damaged)
            return state, candidate
        raise DamagedCheckpointError(
            f"{self.directory}: every checkpoint is damaged. To train from scratch, use "
            "another workdir.\n  " + "\n  ".join(map(str, damaged.values()))
        )

    def close(self) -> None:
        """Waits for the save in progress; a failure was logged, or raised by `wait`."""
        self._finish_save()
        self._manager.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _path(self, step: int) -> Path:
        return self.directory / str(step)

    def _note_score(self, step: int, body: dict) -> None:
        score = manifest.score({**body, "best_by": self._best_by})
        if score is not None:
            self._scores[step] = score

    def _finish_save(self) -> None:
        try:
            self._manager.wait_until_finished()
        except Exception as error:  # noqa: BLE001 - whatever the thread met
            self._note_failure(error)
        kept = self.steps()
        self._scores = {s: v for s, v in self._scores.items() if s in kept}

    def _note_failure(self, error: Exception) -> None:
        self._error = error
        path = self._path(self._saving)
        _log.error("%s: saving this checkpoint failed: %s", path, error)
        # The unfinished files would keep a full disk full.
        if jax.process_index() == 0 and not is_finished(path):
            shutil.rmtree(path, ignore_errors=True)
        self._manager.reload()

    def _read(self, step: int, abstract_state):
        return read_state(self._path(step), abstract_state)

    def _set_aside(self, steps) -> None:
        """Renames damaged checkpoints: the run will save at these steps again."""
        if not steps:
            return
        if jax.process_index() == 0:
            for step in steps:
                aside = self.directory / f"{step}.damaged"
                shutil.rmtree(aside, ignore_errors=True)
                self._path(step).rename(aside)
                _log.warning("%s: kept as %s", self._path(step), aside.name)
        multihost_utils.sync_global_devices("jaxseg:damaged_checkpoints_set_aside")
        self._manager.reload()


def read_state(step_dir: Path, abstract_state):
    """Reads the state of one checkpoint, verified, of this run or of another.

    Args:
        step_dir: The checkpoint's.
        abstract_state: As `Checkpoints.restore` takes it.

    Raises:
        StructureMismatchError: The checkpoint is of another model.
        DamagedCheckpointError: It is damaged.
    """
    arrays = on_all_hosts(manifest.read, step_dir)["arrays"]
    wanted = manifest.flatten(abstract_state)
    manifest.check_structure(step_dir, arrays, wanted)
    targets = {name: _target(x) for name, x in wanted.items()}
    restored = on_all_hosts(read_arrays, step_dir, targets, arrays)
    on_all_hosts(manifest.check_data, step_dir, arrays, restored)
    treedef = jax.tree.structure(abstract_state)
    return jax.tree.unflatten(treedef, [restored[name] for name in wanted])


@dataclasses.dataclass
class _LatestAndBest(ocp.checkpoint_managers.PreservationPolicy):
    """Orbax's own BestN sorts by the metric, and one NaN there deletes the best."""

    latest: int
    best_step: Callable[[], int | None]

    def should_preserve(self, checkpoints, *, context):
        steps = [info.step for info in checkpoints]
        keep = {*steps[-self.latest :], self.best_step()}
        return [step in keep for step in steps]


def _target(x) -> ocp.ArrayRestoreArgs:
    sharding = getattr(x, "sharding", None)
    if sharding is None:
        sharding = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return ocp.ArrayRestoreArgs(
        sharding=sharding, global_shape=x.shape, dtype=x.dtype, strict=True
    )

"""The same model in PyTorch's MMSegmentation, in turns with ours.

The other side is a process of its own (`scripts/benchmark/torch_side/model.py`). It
computes only while ours waits, and ours only while it does: whatever else the machine
does, and however it heats up, hits both alike. So a ratio means more than the times do.

Both sides speak in lines. The job is one line of Python literals, which keep tuples;
everything after it is JSON:

    -> {'model': {...}, 'optim_wrapper': {...}, 'batch': 'batch.npz', 'threads': 2, ...}
    <- {"variants": ["contiguous", ...], "parameters": 12345, "torch": "2.13.0"}
    -> {"variant": "contiguous", "measure": "train", "steps": 2}
    <- {"seconds": 1.5, "peak_memory": 1234567}

An {"error": "..."} in place of an answer ends it, and so does the end of our input.
"""

import json
import pathlib
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.errors import JaxsegError
from scripts.benchmark.measuring.device import usable_cpus
from scripts.benchmark.measuring.workload import Workload


class AgainstError(JaxsegError, RuntimeError):
    """The other side cannot do its part."""


class OtherSide:
    """The process that runs PyTorch; use it in a `with` statement.

    Attributes:
        hello: its first answer: `variants`, `parameters`, `torch`, `mmseg`, `device`.
        peak_memory: bytes of its GPU at most, after its last turn; None where it does
            not say.
    """

    def __init__(
        self,
        command: Sequence[str],
        job: Mapping[str, Any],
        log: pathlib.Path,
        started: Callable[["OtherSide"], None] = lambda side: None,
    ):
        """Starts the process, and waits until its models are built.

        Args:
            command: what to start.
            job: of Python literals.
            log: where what it prints goes.
            started: is called with this object once the process runs: another thread
                can `close` it while its models are built.

        Raises:
            AgainstError: if it cannot be started, or refuses the job.
        """
        self._log = log
        self.peak_memory: int | None = None
        try:
            with open(log, "wb") as file:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=file,
                    text=True,
                )
        except OSError as error:
            raise AgainstError(f"{command[0]} cannot be started: {error}") from error
        try:
            started(self)
            self.hello = self._ask(repr(dict(job)))
        except BaseException:
            self.close()
            raise

    def turn(self, variant: str, measure: str, steps: int) -> float:
        """Seconds of some steps of one of its variants.

        Raises:
            AgainstError: with what it says, or the last lines that it printed.
        """
        order = {"variant": variant, "measure": measure, "steps": steps}
        answer = self._ask(json.dumps(order))
        self.peak_memory = answer.get("peak_memory")
        return answer["seconds"]

    def _ask(self, line):
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or "null")
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise AgainstError(self._complaint(f"no answer ({error})")) from error
        if answer is None:
            raise AgainstError(self._complaint("it ended before its answer"))
        if "error" in answer:
            raise AgainstError(self._complaint(answer["error"]))
        return answer

    def _complaint(self, what):
        printed = self._log.read_text(errors="replace").splitlines()[-8:]
        return "\n  ".join([f"{self._process.args[0]}: {what}", *printed])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def make_job(
    workload: Workload, folder: pathlib.Path, mmseg_config: str | None = None
) -> dict[str, Any]:
    """What the other side needs to run the same.

    Args:
        workload: ours.
        folder: where the batch goes, as `batch.npz`.
        mmseg_config: a file whose model is taken, where it is one of mmseg 1.x.

    Raises:
        AgainstError: if there is more than one device.
    """
    if jax.device_count() > 1:
        raise AgainstError(
            f"a comparison runs on one device, and there are {jax.device_count()}"
        )
    run, batch = workload.run, folder / "batch.npz"
    np.savez(
        batch,
        img=workload.train_batch["img"],
        gt_seg_map=workload.train_batch["gt_seg_map"],
        images=workload.images,
    )
    # The job is read before anything is imported: floats that have no literal (inf,
    # nan) occur in no model of mmseg's.
    return {
        "config_file": mmseg_config,
        "model": run.config["model"],
        "optim_wrapper": run.config["optim_wrapper"],
        "batch": str(batch),
        "result_size": workload.result_size,
        "threads": usable_cpus(),
        "platform": jax.devices()[0].platform,
        "variants": None,
    }


def check_same_model(workload: Workload, hello: Mapping[str, Any]) -> None:
    """Refuses to compare models that differ in the number of parameters.

    Raises:
        AgainstError: with both numbers.
    """
    leaves = jax.tree.leaves(workload.variables["params"])
    parameters = sum(leaf.size for leaf in leaves)
    if parameters != hello["parameters"]:
        raise AgainstError(
            f"the models differ: ours has {parameters} parameters, the other "
            f"{hello['parameters']}"
        )

"""Skipped steps: those whose update was left out, because it was not finite."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import jax

from input_pipeline.loader import indices_of_batch
from jaxseg.errors import JaxsegError
from jaxseg.runtime.json_lines import drop_after, is_step
from jaxseg.train.run import Run

_log = logging.getLogger("jaxseg")

# So many of them in a row end a run: it will not recover.
MOST_SKIPPED = 10

FILE_NAME = "skipped_steps.jsonl"


class NotFiniteError(JaxsegError, RuntimeError):
    """Too many steps in a row made something that is not finite."""


class SkippedSteps:
    """Writes down what a step that was left out had read, so that it can be repeated.

    `skipped_steps.jsonl` in the work directory gets a line a step: `step`, `loss` as
    text, `samples`, the indices into train_dataloader.dataset in the order of the
    global batch, and their `files`, null where the source holds pixels.
    """

    def __init__(self, run: Run, start: int):
        """Drops the lines of steps after `start`: they will be done again."""
        self._run = run
        if jax.process_index() == 0:
            path = run.workdir / FILE_NAME
            try:
                drop_after(path, start, _is_record)
            except OSError as error:
                _log.error("%s cannot be read; training goes on: %s", path, error)

    def check(self, step: int, result: Mapping[str, jax.Array]) -> None:
        """Looks at the result of a step, in the order of the steps.

        Raises:
            NotFiniteError: it was the `MOST_SKIPPED`th in a row.
        """
        in_a_row = int(result["skipped_in_a_row"])
        if not in_a_row:
            return
        loss = float(result["loss"])
        path = self._run.workdir / FILE_NAME
        if jax.process_index() == 0:
            self._write(step, loss, path)
        if in_a_row >= MOST_SKIPPED:
            raise NotFiniteError(
                f"the loss, its gradient or the new weights were not finite in "
                f"{in_a_row} steps in a row, up to step {step} (loss {loss}). Their "
                "updates were left out, so the checkpoints are sound; their samples "
                f"are in {path}. Try a smaller learning rate, optim_wrapper.clip_grad, "
                "or float32 compute"
            )

    def _write(self, step, loss, path):
        dataset, settings = self._run.train_set, self._run.settings
        samples = indices_of_batch(
            dataset,
            settings.train_dataloader.batch_size,
            self._run.seed,
            # Step 1 takes batch 0.
            step - 1,
            by_epoch=self._run.order.by_epoch,
            drop_last=self._run.order.drop_last,
        )
        line = {"step": step, "loss": str(loss), "samples": samples}
        line["files"] = [dataset[index].get("img_path") for index in samples]
        try:
            with open(path, "a") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            _log.error("%s cannot be written; training goes on: %s", path, error)
        _log.warning(
            "step %d was not finite (loss %s) and left out; its samples are in %s",
            step,
            loss,
            path,
        )


def _is_record(line: Mapping[str, Any]) -> bool:
    return is_step(line.get("step"))

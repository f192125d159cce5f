"""Runner: carries a converter's plan out, in several processes, and checks the result."""

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from input_pipeline import datasets
from input_pipeline.errors import DataError
from input_pipeline.prepare.converter import Converter, Count, Plan
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import Output, write_file
from input_pipeline.prepare.processes import carry_out

SUMMARY = "prepared.json"
# Plain forms of compressed and inner archives, until the run is done.
SCRATCH = ".scratch"


@dataclasses.dataclass
class Prepared:
    """What a run has made.

    Attributes:
        folder: where it lies.
        tasks: how many steps it took.
        done_before: how many of them an earlier run had done.
        counts: what was found.
        samples: {'train': n, 'val': n} as the data set's class finds them.
        notes: what the converter has to say of the sources.
    """

    folder: pathlib.Path
    tasks: int
    done_before: int
    counts: list[Count]
    samples: dict[str, int]
    notes: list[str]


def prepare(
    converter: Converter,
    sources: Sequence[str],
    folder: str | os.PathLike,
    options: Mapping[str, Any] | None = None,
    *,
    partial: bool = False,
    num_processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Prepared:
    """Brings a data set from its download into the layout of its config.

    Goes on where an earlier call with the same arguments ended.

    Args:
        converter: of the data set.
        sources: archives and folders.
        folder: where to.
        options: values of `converter.options` that are not the defaults.
        partial: take other numbers of files than the published ones.
        num_processes: processes at work; 1 is this one.
        progress: called with the steps that are done, and how many there are.

    Raises:
        DataError: sources that cannot be used, other numbers of files than expected, a
            folder with something else in it.
        WorkerError: a process that died.
    """
    values = {o.name: o.default for o in converter.options} | dict(options or {})
    output = Output(folder, {"name": converter.name, **values})
    files = Files(sources, output.folder / SCRATCH, converter.inner_archives)
    try:
        plan = converter.plan(files, values)
    except DataError as error:
        raise DataError(
            f"{error}\n{converter.name} takes {', '.join(converter.sources)}, with "
            f"{converter.layout}"
        ) from error
    _check_counts(converter.name, plan, partial)
    left = [task for task in plan.tasks if not output.is_done(task)]
    before = done = len(plan.tasks) - len(left)
    progress(done, len(plan.tasks))
    for task, written in carry_out(output.folder, left, num_processes):
        output.add(task, written)
        done += 1
        progress(done, len(plan.tasks))
    samples = _check_result(converter, plan, output.folder)
    _write_summary(converter, plan, output.folder)
    shutil.rmtree(output.folder / SCRATCH, ignore_errors=True)
    return Prepared(
        output.folder, len(plan.tasks), before, plan.counts, samples, plan.notes
    )


def _check_counts(name: str, plan: Plan, partial: bool) -> None:
    wrong = [c for c in plan.counts if c.found != c.expected]
    if wrong and not partial:
        found = "; ".join(f"{c.found} {c.what}, expected {c.expected}" for c in wrong)
        raise DataError(
            f"{name}: {found}. The download is not whole, or of another version; "
            "--partial takes what there is."
        )


def _check_result(
    converter: Converter, plan: Plan, folder: pathlib.Path
) -> dict[str, int]:
    """Lists the result as a training does; every image must have its label."""
    dataset = getattr(datasets, converter.dataset)

    def found(parts):
        return sum(len(dataset(data_root=str(folder), **part)) for part in parts)

    return {"train": found(plan.train), "val": found([plan.val])}


def _write_summary(converter: Converter, plan: Plan, folder: pathlib.Path) -> None:
    """What experiments/prepared.py makes its config of."""
    summary = {
        "name": converter.name,
        "dataset": converter.dataset,
        "train": plan.train,
        "val": plan.val,
        "scale": converter.scale,
        "crop_size": converter.crop_size,
    }
    write_file(folder, SUMMARY, json.dumps(summary, indent=1).encode())

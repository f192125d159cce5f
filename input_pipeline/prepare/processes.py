"""Processes that do a plan's tasks; they import nothing but what tasks need."""

import multiprocessing
import pathlib
from collections.abc import Iterator
from concurrent import futures
from concurrent.futures.process import BrokenProcessPool

import cv2

from input_pipeline.errors import WorkerError
from input_pipeline.parent import end_with_parent
from input_pipeline.prepare.converter import Task
from input_pipeline.prepare.output import do_task

# Tasks that wait for a process, for each that is at work.
_AHEAD = 4


def carry_out(
    folder: pathlib.Path, tasks: list[Task], num_processes: int
) -> Iterator[tuple[Task, dict[str, int]]]:
    """Does tasks, in several processes; yields (task, files written) as each is done.

    Args:
        folder: what the files lie below.
        tasks: in any order.
        num_processes: processes at work; 1 is this one.

    Raises:
        DataError: of a task.
        WorkerError: a process that died.
    """
    if num_processes == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, do_task(folder, task)
        return
    pool = futures.ProcessPoolExecutor(
        min(num_processes, len(tasks)),
        # Not fork: the parent may have threads, of JAX or OpenCV.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_process,
    )
    waiting, running = iter(tasks), {}
    try:
        for task in waiting:
            running[pool.submit(do_task, folder, task)] = task
            if len(running) == num_processes * _AHEAD:
                yield from _finished(running)
        while running:
            yield from _finished(running)
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process that prepares files was ended from outside, perhaps because the "
            "machine has too little memory; go on with a smaller --num_processes."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _finished(running: dict):
    """Waits for the first of what runs; yields (task, files written)."""
    done, _ = futures.wait(running, return_when=futures.FIRST_COMPLETED)
    for future in done:
        yield running.pop(future), future.result()


def _start_process() -> None:
    end_with_parent()
    cv2.setNumThreads(1)

"""The other side of `scripts/benchmark_input.py`: mmsegmentation's own data pipeline.

Started by that script with the python of an environment that has torch and mmseg; it
imports nothing of jaxseg's. What the two say to each other stands in
`jaxseg/benchmark/against.py`; the job is mmseg's configs of some data sets, by name.
"""

import ast
import importlib
import json
import os
import sys
import time

import cv2
from benchmark_torch import stand_in_for_missing_parts


def main() -> None:
    """Reads the job, and takes a turn for every line."""
    # mmengine prints to the standard output, which is ours to answer on.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values):
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    try:
        job = ast.literal_eval(sys.stdin.readline())
        stand_in_for_missing_parts()
        datasets = build_datasets(job["datasets"])
        answer(variants=list(datasets), **versions())
        for line in sys.stdin:
            order = json.loads(line)
            answer(seconds=turn(datasets[order["variant"]], order["steps"]))
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
        raise


def build_datasets(configs):
    """Name -> data set of mmseg, with its pipeline; everything on one thread."""
    importlib.import_module("mmseg.utils").register_all_modules()
    registry = importlib.import_module("mmseg.registry").DATASETS
    importlib.import_module("torch").set_num_threads(1)
    cv2.setNumThreads(1)
    return {name: registry.build(config) for name, config in configs.items()}


def versions():
    """Of what takes part."""
    names = ("torch", "mmseg", "mmcv", "cv2")
    return {name: importlib.import_module(name).__version__ for name in names}


def turn(dataset, passes):
    """Seconds of a core that some passes over a data set take."""
    start = time.process_time()
    for _ in range(passes):
        for index in range(len(dataset)):
            dataset[index]
    return time.process_time() - start


if __name__ == "__main__":
    main()

"""The other side of `scripts/benchmark/input.py`: mmsegmentation's own data pipeline.

Started by that script with the python of an environment that has torch and mmseg; it
imports nothing of jaxseg's. What the two say to each other stands in
`scripts/benchmark/measuring/against.py`; the job is mmseg's configs of some data sets, by name.
"""

import importlib
import time

import cv2
from model import stand_in_for_missing_parts
from serve import serve


def start(job):
    """The answer to a job, and what takes the turns."""
    stand_in_for_missing_parts()
    datasets = build_datasets(job["datasets"])
    hello = {"variants": list(datasets), **versions()}
    return hello, lambda order: turn(datasets[order["variant"]], order["steps"])


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
    """The seconds of a core that some passes over a data set take."""
    start = time.process_time()
    for _ in range(passes):
        for index in range(len(dataset)):
            dataset[index]
    return {"seconds": time.process_time() - start}


if __name__ == "__main__":
    serve(start)

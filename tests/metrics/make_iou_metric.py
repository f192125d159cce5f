"""Makes iou_metric.npz: predictions, labels, and what IoUMetric says of them.

    python tests/metrics/make_iou_metric.py

in an environment with mmsegmentation 1.2.2, mmengine 0.10.7 and torch 2.13. The file
holds `pred_I` and `label_I` of every image, `areas_K` (intersection, union, prediction
and label, a row each, before anything is divided) and `cases`, a JSON list of the
settings, with the summary that MMSegmentation prints and its scores before rounding.
"""

import json
import logging
import pathlib

import numpy as np
import torch
from mmengine.logging import MMLogger
from mmseg.evaluation import IoUMetric

NUM_CLASSES = 7
ABSENT = 3  # is neither labelled nor predicted
ONLY_PREDICTED = 4
NEVER_RIGHT = 5  # is labelled and predicted, at no place both
ALL = ["mIoU", "mDice", "mFscore"]
# Of evaluations; the keys are IoUMetric's.
CASES = [
    {"iou_metrics": ALL},
    {"iou_metrics": ["mIoU"]},
    {"iou_metrics": ["mFscore"], "beta": 2},
    {"iou_metrics": ALL, "nan_to_num": 0},
    {"iou_metrics": ALL, "nan_to_num": -1, "beta": 2},
    {"iou_metrics": ALL, "ignore_index": 2},
    {"iou_metrics": ALL, "ignore_index": 9},  # 255 is then out of range as 7 is
]


def make_images():
    """(pred, label) of several sizes; labels of 0 to 6, 7, 9, 200 and 255."""
    rng = np.random.default_rng(0)
    images = []
    for height, width in ((37, 53), (64, 41), (1, 90), (29, 29)):
        label = rng.choice([0, 1, 2, NEVER_RIGHT, 6], (height, width))
        pred = np.where(rng.random(label.shape) < 0.7, label, rng.choice([0, 1, 2, 6]))
        pred[pred == NEVER_RIGHT] = 6
        pred[rng.random(label.shape) < 0.03] = ONLY_PREDICTED
        pred[(rng.random(label.shape) < 0.02) & (label != NEVER_RIGHT)] = NEVER_RIGHT
        for value in (7, 9, 200, 255):
            label[rng.random(label.shape) < 0.04] = value
        assert ABSENT not in label and ABSENT not in pred
        images.append((pred.astype(np.uint8), label.astype(np.uint8)))
    return images


def evaluate(images, **settings):
    """IoUMetric's summed areas, its summary, and its scores before rounding."""
    metric = IoUMetric(**settings)
    metric.dataset_meta = {"classes": [f"class {i}" for i in range(NUM_CLASSES)]}
    samples = [
        {
            "pred_sem_seg": {"data": torch.from_numpy(pred.astype(np.int64))[None]},
            "gt_sem_seg": {"data": torch.from_numpy(label.astype(np.int64))[None]},
        }
        for pred, label in images
    ]
    metric.process({}, samples)
    areas = [sum(parts) for parts in zip(*metric.results, strict=True)]
    scores = metric.total_area_to_metrics(
        *areas, metric.metrics, metric.nan_to_num, metric.beta
    )
    summary = metric.compute_metrics(metric.results)
    areas = torch.stack(areas).numpy()
    assert (areas == areas.astype(np.int64)).all()
    return (
        areas.astype(np.int64),
        {name: float(value) for name, value in summary.items()},
        {name: np.asarray(v, np.float64).tolist() for name, v in scores.items()},
    )


def main():
    MMLogger.get_instance("quiet", log_level=logging.ERROR)
    images = make_images()
    stored = {}
    for i, (pred, label) in enumerate(images):
        stored |= {f"pred_{i}": pred, f"label_{i}": label}
    cases = []
    for k, settings in enumerate(CASES):
        stored[f"areas_{k}"], summary, scores = evaluate(images, **settings)
        cases.append({"settings": settings, "summary": summary, "scores": scores})
    stored["cases"] = np.array(json.dumps(cases))  # NaN as Python's json writes it
    path = pathlib.Path(__file__).with_name("iou_metric.npz")
    np.savez_compressed(path, **stored)
    print(f"{path}: {path.stat().st_size} bytes")
    for case in cases:
        print(case["settings"], case["summary"])


if __name__ == "__main__":
    main()

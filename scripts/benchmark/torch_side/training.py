"""The other side of `scripts/benchmark/training.py`: a training by mmseg's Runner.

Started by that script with the python of an environment that has torch and mmseg, and
with the path of a job, of Python literals, as its argument; it imports nothing of jaxseg's. It writes what
mmengine's runner writes, and prints a line `{"step": ..., "mIoU": ...}` an evaluation.
"""

import ast
import json
import pathlib
import sys

from evaluation import with_tuples
from model import stand_in_for_missing_parts


def main(path):
    stand_in_for_missing_parts()
    job = ast.literal_eval(pathlib.Path(path).read_text())
    import torch
    from mmengine.config import Config
    from mmengine.registry import init_default_scope
    from mmengine.runner import Runner
    from mmseg.utils import register_all_modules

    register_all_modules()
    init_default_scope("mmseg")
    torch.set_num_threads(job["threads"])
    register_parts(job)
    Runner.from_cfg(Config(runner_config(job))).train()


def register_parts(job):
    """The data set, whose labels are mapped as jaxseg's are, and what prints scores."""
    from mmengine.hooks import Hook
    from mmseg.datasets import BaseSegDataset
    from mmseg.registry import DATASETS, HOOKS

    @DATASETS.register_module()
    class MappedLabels(BaseSegDataset):
        @classmethod
        def get_label_map(cls, new_classes=None):
            return job["label_map"]

    @HOOKS.register_module()
    class PrintScores(Hook):
        def after_val_epoch(self, runner, metrics=None):
            print(json.dumps({"step": runner.iter, "mIoU": float(metrics["mIoU"])}))


def runner_config(job):
    """The config of mmengine's Runner."""

    def loader(part, sampler):
        dataset = dict(
            type="MappedLabels",
            metainfo=dict(classes=job["classes"], palette=job["palette"]),
            data_root=job["data_root"],
            reduce_zero_label=False,
            **part["dataset"],
        )
        dataset["pipeline"] = list(map(with_tuples, dataset["pipeline"]))
        return dict(
            batch_size=part["batch_size"],
            num_workers=0,
            sampler=sampler,
            dataset=dataset,
        )

    model = dict(job["model"])
    for key in ("dtype", "precision"):  # jaxseg's own
        model.pop(key, None)
    model.setdefault("train_cfg", {})
    padding = dict(pad_val=0, seg_pad_val=255)
    model["data_preprocessor"] = model["data_preprocessor"] | padding
    return dict(
        default_scope="mmseg",
        model=model,
        train_dataloader=loader(
            job["train"], dict(type="InfiniteSampler", shuffle=True)
        ),
        val_dataloader=loader(job["val"], dict(type="DefaultSampler", shuffle=False)),
        val_evaluator=dict(type="IoUMetric", iou_metrics=["mIoU"]),
        optim_wrapper=dict(type="OptimWrapper", **job["optim_wrapper"]),
        param_scheduler=[s | {"by_epoch": False} for s in job["param_scheduler"]],
        train_cfg=dict(
            type="IterBasedTrainLoop",
            max_iters=job["max_iters"],
            val_interval=job["val_interval"],
        ),
        val_cfg=dict(type="ValLoop"),
        default_hooks=dict(
            logger=dict(type="LoggerHook", interval=25, log_metric_by_epoch=False),
            checkpoint=None,
        ),
        custom_hooks=[dict(type="PrintScores")],
        log_processor=dict(by_epoch=False),
        randomness=dict(seed=job["seed"]),
        work_dir=job["workdir"],
    )


if __name__ == "__main__":
    main(sys.argv[1])

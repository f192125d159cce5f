"""The other side of `scripts/benchmark/evaluation.py --against mmseg`: mmseg's evaluation.

Started by that script with the python of an environment that has torch and mmseg; it
imports nothing of jaxseg's. What the two say to each other stands in
`scripts/benchmark/measuring/against.py`.
"""

import copy
import time

from model import build_model, stand_in_for_missing_parts
from serve import serve


def start(job):
    """The answer to a job, and what takes the turns."""
    stand_in_for_missing_parts()
    side = Side(job)
    return side.hello(), side.turn


class Side:
    """One model in both memory layouts, and the data set."""

    def __init__(self, job):
        import torch
        from mmengine.registry import init_default_scope
        from mmseg.registry import DATASETS
        from mmseg.utils import register_all_modules

        register_all_modules()
        init_default_scope("mmseg")
        torch.set_num_threads(job["threads"])
        on_gpu = job["platform"] in ("gpu", "cuda")
        if on_gpu and not torch.cuda.is_available():
            raise RuntimeError("jaxseg runs on a GPU, and this torch sees none")
        device = torch.device("cuda" if on_gpu else "cpu")
        # As scripts/benchmark/measuring/evaluation.py's.
        self._now = time.process_time if job["threads"] == 1 else time.perf_counter
        model, self._model_from = build_model(job)
        # Built for this job's model, so that nothing is missing and nothing is left.
        weights = torch.load(job["weights"], weights_only=True)["state_dict"]
        model.load_state_dict(weights)
        layouts = {
            "contiguous": torch.contiguous_format,
            "channels_last": torch.channels_last,
        }
        self._networks = {
            name: Network(copy.deepcopy(model).to(device).eval(), layout, self._now)
            for name, layout in layouts.items()
        }
        classes = job["dataset"]["metainfo"]["classes"]
        palette = [[i % 256] * 3 for i in range(len(classes))]
        self._data = DATASETS.build(
            {
                **job["dataset"],
                "img_suffix": ".jpg",
                "seg_map_suffix": ".png",
                "reduce_zero_label": False,
                "metainfo": {"classes": classes, "palette": palette},
                "pipeline": list(map(with_tuples, job["dataset"]["pipeline"])),
            }
        )

    def hello(self):
        import mmseg
        import torch

        first = next(iter(self._networks))
        counts, scores = self._run(first, counting=True)
        return {
            "variants": list(self._networks),
            "torch": torch.__version__,
            "mmseg": mmseg.__version__,
            "torch_device": str(self._networks[first].device),
            "threads": torch.get_num_threads(),
            "model_from": self._model_from,
            "counts": counts.tolist(),
            "scores": scores,
        }

    def turn(self, order):
        measure = getattr(self, order["measure"])
        turns = (measure(order["variant"]) for _ in range(order["steps"]))
        return {"seconds": sum(turns)}

    def evaluation(self, variant):
        start = self._now()
        self._run(variant)
        return self._now() - start

    def evaluation_network(self, variant):
        network = self._networks[variant]
        network.seconds = 0.0
        self._run(variant)
        return network.seconds

    def reading(self, variant):
        start = self._now()
        for i in range(len(self._data)):
            self._data[i]
        return self._now() - start

    def _run(self, variant, counting=False):
        """The scores of mmseg's metric, and a confusion matrix if it is wanted."""
        import numpy as np
        import torch
        from mmengine.dataset import pseudo_collate
        from mmseg.registry import METRICS

        metric = METRICS.build({"type": "IoUMetric", "iou_metrics": ["mIoU"]})
        metric.dataset_meta = self._data.metainfo
        classes = len(self._data.metainfo["classes"])
        counts = np.zeros((classes + 1, classes), np.int64)
        model = self._networks[variant].model
        with torch.no_grad():
            for i in range(len(self._data)):
                batch = pseudo_collate([self._data[i]])
                samples = [sample.to_dict() for sample in model.test_step(batch)]
                metric.process(batch, samples)
                if counting:
                    found = samples[0]["pred_sem_seg"]["data"].cpu().numpy().ravel()
                    label = samples[0]["gt_sem_seg"]["data"].cpu().numpy().ravel()
                    np.add.at(counts, (label[label != 255], found[label != 255]), 1)
        scores = metric.evaluate(len(self._data))
        return counts, {name: float(score) for name, score in scores.items()}


def with_tuples(step):
    """A step of a pipeline; mmcv takes a scale as a tuple only."""
    return {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in step.items()
    }


class Network:
    """A model whose network takes its input in a memory layout, and counts its time.

    Attributes:
        seconds: that the network took since this was set.
    """

    def __init__(self, model, layout, clock):
        self.model = model.to(memory_format=layout)
        self.device = next(model.parameters()).device
        self.seconds = 0.0
        self._clock = clock
        extract, forward = model.extract_feat, model.decode_head.forward
        model.extract_feat = self._timed(
            lambda images: extract(images.contiguous(memory_format=layout))
        )
        model.decode_head.forward = self._timed(forward)

    def _timed(self, run):
        def call(*arguments):
            start = self._synchronized()
            result = run(*arguments)
            self.seconds += self._synchronized() - start
            return result

        return call

    def _synchronized(self):
        import torch

        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return self._clock()


if __name__ == "__main__":
    serve(start)

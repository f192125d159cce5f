"""The other side of `scripts/benchmark/model.py --against mmseg`: a model in PyTorch.

Started by that script with the python of an environment that has torch and mmseg; it
imports nothing of jaxseg's. What the two say to each other stands in
`scripts/benchmark/measuring/against.py`. It needs nothing from torchvision, and no compiled part
of mmcv: mmcv-lite is enough.
"""

import contextlib
import copy
import importlib
import importlib.machinery
import sys
import time
import types

from serve import serve


def start(job):
    """The answer to a job, and what takes the turns."""
    stand_in_for_missing_parts()
    side = Side(job)
    return side.hello(), side.turn


def stand_in_for_missing_parts() -> None:
    """Puts empty modules where mmcv's compiled part or a working torchvision lacks.

    mmseg imports both as it loads, for operations that none of jaxseg's models has:
    deformable convolution and the like of mmcv.ops, datasets and models of torchvision.
    """
    missing = {
        "mmcv._ext": ("mmcv._ext",),
        "torchvision": (
            "torchvision",
            "torchvision.models",
            "torchvision.ops",
            "torchvision.transforms",
            "torchvision.transforms.functional",
            "torchvision.utils",
        ),
    }
    for needed, names in missing.items():
        try:
            importlib.import_module(needed)
        except (ImportError, RuntimeError):  # RuntimeError: built for another torch
            for name in names:
                sys.modules[name] = Empty(name)


class Empty(types.ModuleType):
    """A module in which every name is a function that returns None."""

    def __init__(self, name):
        super().__init__(name)
        self.__spec__ = importlib.machinery.ModuleSpec(name, None)
        self.__path__ = []
        self.__file__ = name
        self.__version__ = "0.0.0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


class Side:
    """One model in several variants, and the batch."""

    def __init__(self, job):
        import torch
        from mmseg.utils import register_all_modules

        register_all_modules()
        torch.set_num_threads(job["threads"])
        on_gpu = job["platform"] in ("gpu", "cuda")
        if on_gpu and not torch.cuda.is_available():
            raise RuntimeError("jaxseg runs on a GPU, and this torch sees none")
        self._device = torch.device("cuda" if on_gpu else "cpu")
        self._job = job
        self._data = read_batch(job)
        model, self._model_from = build_model(job)
        self._variants = {}
        for name in job["variants"] or VARIANTS_OF["cuda" if on_gpu else "cpu"]:
            mine = copy.deepcopy(model).to(self._device)
            options = OPTIONS_OF[name]
            self._variants[name] = Variant(mine, job["optim_wrapper"], **options)
        self._parameters = sum(p.numel() for p in model.parameters())

    def hello(self):
        import mmseg
        import torch

        return {
            "variants": list(self._variants),
            "parameters": self._parameters,
            "torch": torch.__version__,
            "mmseg": mmseg.__version__,
            "torch_device": str(self._device),
            "threads": torch.get_num_threads(),
            "model_from": self._model_from,
        }

    def turn(self, order):
        run = getattr(self._variants[order["variant"]], order["measure"])
        self._synchronize()
        start = time.perf_counter()
        for _ in range(order["steps"]):
            run(self._data)
        self._synchronize()
        return {
            "seconds": time.perf_counter() - start,
            "peak_memory": self._peak_memory(),
        }

    def _synchronize(self):
        import torch

        if self._device.type == "cuda":
            torch.cuda.synchronize()

    def _peak_memory(self):
        """Bytes at most so far of the GPU, by all variants; None on a CPU."""
        import torch

        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return None


# Options of a Variant.
OPTIONS_OF = {
    "contiguous": {},
    "channels_last": dict(channels_last=True),
    "channels_last compile": dict(channels_last=True, compiled=True),
    "float32": {},
    "bf16": dict(bf16=True),
    "bf16 channels_last": dict(bf16=True, channels_last=True),
    "bf16 channels_last compile": dict(bf16=True, channels_last=True, compiled=True),
}

# Where a job names none.
VARIANTS_OF = {
    "cpu": ("contiguous", "channels_last"),
    "cuda": ("float32", "bf16", "bf16 channels_last", "bf16 channels_last compile"),
}


class Variant:
    """A model and its optimiser in one memory layout and precision."""

    def __init__(
        self, model, optim_wrapper, channels_last=False, bf16=False, compiled=False
    ):
        import torch
        from mmengine.optim import build_optim_wrapper

        self._model = model
        self._device = next(model.parameters()).device
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        model.to(memory_format=self._layout)
        self._bf16 = bf16
        wrapper = dict(optim_wrapper)
        for key in ("dtype", "loss_scale"):
            wrapper.pop(key, None)
        wrapper["type"] = "AmpOptimWrapper" if bf16 else "OptimWrapper"
        if bf16:
            wrapper["dtype"] = "bfloat16"
        self._optimizer = build_optim_wrapper(model, wrapper)
        self._train_step = model.train_step
        self._forward = model._forward
        self._test_step = model.test_step
        if compiled:
            # The whole step, as mmengine's Runner does with `compile=True`.
            self._train_step = torch.compile(model.train_step)
            self._forward = torch.compile(model._forward)
            self._test_step = torch.compile(model.test_step)

    def _inference(self):
        import torch

        self._model.eval()
        stack = contextlib.ExitStack()
        stack.enter_context(torch.no_grad())
        if self._bf16:
            stack.enter_context(torch.autocast(self._device.type, torch.bfloat16))
        return stack

    def train(self, data):
        self._model.train()
        self._train_step(data["train"], self._optimizer)

    def network(self, data):
        with self._inference():
            if id(self) not in data["normalised"]:
                prepared = self._model.data_preprocessor(data["test"], False)
                inputs = prepared["inputs"].contiguous(memory_format=self._layout)
                data["normalised"][id(self)] = inputs
            self._forward(data["normalised"][id(self)])

    def label_maps(self, data):
        with self._inference():
            for sample in self._test_step(data["test"]):
                sample.pred_sem_seg.data.cpu().numpy()


def build_model(job):
    """The model as one device trains it, and what it was built from.

    A config file of mmseg 1.x is taken as it is; those of 0.x, which this mmseg cannot
    build, and jaxseg's own come as a dict in mmseg 1.x's vocabulary.
    """
    from mmengine.config import Config, ConfigDict
    from mmengine.model.utils import revert_sync_batchnorm
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    init_default_scope("mmseg")
    config, model_from = dict(job["model"]), "jaxseg's config"
    if job["config_file"] is not None:
        model = Config.fromfile(job["config_file"]).model
        if "data_preprocessor" in model:
            config, model_from = dict(model), "the config file"
    # Jaxseg's own: the optimiser's wrapper stands for them here.
    for key in ("dtype", "precision", "pretrained"):
        config.pop(key, None)
    # Training wants one of size and size_divisor; the batch has its size already.
    preprocessor = {"type": "SegDataPreProcessor", **config["data_preprocessor"]}
    preprocessor |= {"size": None, "size_divisor": 1, "test_cfg": None}
    config["data_preprocessor"] = preprocessor
    config.setdefault("train_cfg", {})
    config.setdefault("test_cfg", {"mode": "whole"})
    return revert_sync_batchnorm(MODELS.build(ConfigDict(config))), model_from


def read_batch(job):
    """The arrays of jaxseg (N, H, W, C), RGB, as mmseg's data loader gives them."""
    import numpy as np
    import torch
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    arrays = np.load(job["batch"])

    def inputs(images):
        if images.shape[-1] == 3:
            images = images[..., ::-1]  # mmseg loads BGR
        images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        return [torch.from_numpy(image) for image in images]

    def sample(shape, result, label=None):
        meta = dict(img_shape=shape, pad_shape=shape, ori_shape=result)
        made = SegDataSample(metainfo=meta)
        if label is not None:
            label = torch.from_numpy(label.astype(np.int64))[None]
            made.gt_sem_seg = PixelData(data=label)
        return made

    labels, test = arrays["gt_seg_map"], arrays["images"]
    result = tuple(job["result_size"])
    return {
        "train": {
            "inputs": inputs(arrays["img"]),
            "data_samples": [sample(x.shape, x.shape, x) for x in labels],
        },
        "test": {
            "inputs": inputs(test),
            "data_samples": [sample(x.shape[:2], result) for x in test],
        },
        "normalised": {},
    }


if __name__ == "__main__":
    serve(start)

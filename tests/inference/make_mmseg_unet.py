"""Makes mmseg_unet.pth, as mmseg's runner saves it, and mmseg_unet.npz: its logits.

    python make_mmseg_unet.py

Made with torch 2.13, mmsegmentation 1.2.2, mmengine 0.10 and mmcv-lite 2.1.0, whose
missing operators are stood in for.
"""

import pathlib
import sys
import types

import numpy as np
import torch

FOLDER = pathlib.Path(__file__).parent
operators = types.ModuleType("mmcv._ext")


def _operator(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return lambda *arguments, **options: None


operators.__getattr__ = _operator
sys.modules["mmcv._ext"] = operators

from mmengine import Config
from mmseg.registry import MODELS
from mmseg.utils import register_all_modules

register_all_modules()
torch.manual_seed(0)
config = Config.fromfile(FOLDER / "mmseg_unet.py")
model = MODELS.build(config.model)
for count, (name, buffer) in enumerate(model.named_buffers()):
    if name.endswith("num_batches_tracked"):
        buffer.fill_(40_000 + count + (1 << 40))  # more than 32 bits hold
    elif name.endswith("running_var"):
        buffer.uniform_(0.5, 1.5)
    else:
        buffer.normal_(0, 0.1)
meta = {
    "dataset_meta": {
        "classes": ("sky", "road", "car"),
        "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    },
    "iter": 40_000,
    "epoch": 0,
    "seed": 3,
    "experiment_name": "unet",
    "cfg": config.pretty_text,
}
torch.save({"meta": meta, "state_dict": model.state_dict()}, FOLDER / "mmseg_unet.pth")
images = np.random.default_rng(0).standard_normal((1, 3, 16, 16)).astype(np.float32)
with torch.no_grad():
    logits = model.eval().encode_decode(
        torch.from_numpy(images), [{"img_shape": (16, 16)}]
    )
np.savez(FOLDER / "mmseg_unet.npz", logits=logits.numpy().transpose(0, 2, 3, 1))

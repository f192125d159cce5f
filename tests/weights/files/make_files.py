"""Makes the stored checkpoints of these tests: with PyTorch and mmengine themselves.

    python tests/weights/files/make_files.py

in an environment with torch 2.13 and mmengine 0.10.7. Beside every file of tensors
lies a .json of what PyTorch says is in it: {key: [dtype, shape, bytes in hex]}.
"""

import argparse
import json
import pathlib
import tempfile
import warnings

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.runner import Runner

FILES = pathlib.Path(__file__).parent / "examples"
LEGACY = {"_use_new_zipfile_serialization": False}


def plain_tensors():
    """All dtypes that every version of torch has, and every way to lie in memory."""
    base = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    shared = torch.arange(10, dtype=torch.float32)
    parameter = torch.nn.Parameter(torch.full((2,), 0.5))
    parameter.note = "a Parameter with an attribute"
    tensors = {
        str(dtype).removeprefix("torch."): (torch.arange(5) - 2).to(dtype)
        for dtype in (torch.float16, torch.float32, torch.float64, torch.bfloat16)
        + (torch.int8, torch.int16, torch.int32, torch.int64)
    }
    return tensors | {
        "uint8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "complex64": torch.tensor([1 + 2j, -3j]),
        "complex128": torch.tensor([1 + 2j], dtype=torch.complex128),
        "scalar": torch.tensor(7),
        "empty": torch.zeros(0, 3),
        "transposed": base.permute(2, 0, 1),
        "sliced": base[1, ::2, 1:3],
        "column": base[:, 1, 3],
        "expanded": torch.tensor([3.0]).expand(2, 4),
        "shared.whole": shared,
        "shared.part": shared[3:7],
        "shared.even": shared[::2],
        "parameter": torch.nn.Parameter(torch.ones(2, 2)),
        "parameter_with_state": parameter,
        "buffer": torch.nn.Buffer(torch.full((3,), 2.0)),
    }


def new_tensors():
    """The dtypes that have no class of storage (torch >= 2.3)."""
    names = ("uint16", "uint32", "uint64", "float8_e4m3fn", "float8_e5m2")
    return {name: torch.arange(4).to(getattr(torch, name)) for name in names}


def write_expectation(name, tensors):
    entries = {}
    for key, tensor in tensors.items():
        flat = tensor.detach().contiguous().reshape(-1)
        data = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
        dtype = str(tensor.dtype).removeprefix("torch.")
        entries[key] = [dtype, list(tensor.shape), data.hex()]
    (FILES / name).write_text(json.dumps(entries, indent=1) + "\n")


class Tiny(BaseModel):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(3, 2)
        self.bn = torch.nn.BatchNorm1d(2)

    def forward(self, *inputs, mode="loss"):
        return {"loss": self.bn(self.fc(torch.stack(inputs))).mean()}


class Samples(torch.utils.data.Dataset):
    def __init__(self):
        colors = [[128, 64, 128], [70, 130, 180]]
        self.metainfo = {"classes": ("road", "sky"), "palette": colors}

    def __len__(self):
        return 32

    def __getitem__(self, index):
        return torch.ones(3) * index


def train(folder):
    """A run of four iterations; returns the path of its checkpoint."""
    Runner(
        Tiny(),
        work_dir=folder,
        train_dataloader={
            "batch_size": 4,
            "num_workers": 0,
            "dataset": Samples(),
            "sampler": {"type": "DefaultSampler", "shuffle": False},
        },
        optim_wrapper={"optimizer": {"type": "AdamW", "lr": 1e-3}},
        param_scheduler=[{"type": "PolyLR", "end": 4, "by_epoch": False}],
        train_cfg={"by_epoch": False, "max_iters": 4},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "by_epoch": False}},
        cfg=Config({"crop_size": (512, 1024)}),
    ).train()
    return f"{folder}/iter_4.pth"


def check_written():
    """Whether PyTorch reads the file of `test_pth_writer.py`."""
    written = torch.load(FILES / "written.pth", weights_only=True)
    assert written["meta"]["dataset_meta"]["classes"][0] == "road"
    kernel = torch.arange(24, dtype=torch.float32).reshape(4, 3, 2).permute(2, 1, 0)
    state_dict = written["state_dict"]
    assert torch.equal(state_dict["backbone.conv1.weight"], kernel)
    assert state_dict["backbone.bn1.num_batches_tracked"].item() == 7
    assert state_dict["bool"].tolist() == [True, False]
    assert state_dict["complex"].tolist() == [1 + 2j]
    assert state_dict["empty"].shape == (0, 3)
    for key in ("half", "double", "bfloat16", "bytes", "ints", "big_endian"):
        assert state_dict[key].tolist() == [0, 1, 2], key


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    tensors = plain_tensors()
    write_expectation("tensors.json", tensors)
    torch.save(tensors, FILES / "tensors_zip.pth")
    torch.save(tensors, FILES / "tensors_legacy.pth", **LEGACY)
    torch.save(tensors, FILES / "tensors_protocol4.pth", pickle_protocol=4)
    write_expectation("new_tensors.json", new_tensors())
    torch.save(new_tensors(), FILES / "new_tensors_zip.pth")

    with tempfile.TemporaryDirectory() as folder:
        checkpoint = torch.load(train(folder), weights_only=False)
    # As custom hooks leave them there.
    checkpoint["message_hub"]["runtime_info"]["config"] = ConfigDict(a={"b": [1, 2]})
    checkpoint["message_hub"]["runtime_info"]["numbers"] = np.arange(6.0).reshape(2, 3)
    checkpoint["message_hub"]["runtime_info"]["nothing"] = np.zeros((0, 2))
    write_expectation("mmengine.json", checkpoint["state_dict"])
    torch.save(checkpoint, FILES / "mmengine_zip.pth")
    torch.save(checkpoint, FILES / "mmengine_legacy.pth", **LEGACY)

    # As DeiT's and MAE's own repositories save them.
    args = argparse.Namespace(lr=1e-3, output_dir=pathlib.PosixPath("/out"))
    model = {"module.head.weight": torch.ones(2, 3)}
    torch.save({"model": model, "args": args}, FILES / "deit.pth")

    check_written()

    # What is refused.
    torch.save(torch.nn.Linear(2, 2), FILES / "refused_module.pth")
    scripted = torch.jit.trace(torch.nn.Linear(2, 2), torch.ones(1, 2))
    torch.jit.save(scripted, FILES / "refused_torchscript.pth")
    quantised = torch.quantize_per_tensor(torch.ones(2), 1.0, 0, torch.qint8)
    torch.save({"q": quantised}, FILES / "refused_quantised.pth")
    torch.save({"s": torch.eye(2).to_sparse()}, FILES / "refused_sparse.pth")


if __name__ == "__main__":
    main()

"""Makes the checkpoints, the image and the expected numbers of these tests.

    python tests/mmseg_pair/make_pair.py

in an environment with torch 2.13, mmsegmentation 1.2.2, mmengine 0.10.7 and mmcv-lite
2.1.0, whose missing operators are stood in for. A minute on two cores.

MODEL.pth: a small network, trained for some iterations to tell discs, squares and bars
on painted images, saved as mmseg's runner saves it. One that is there is kept.
image.png: 127x203 pixels, one of these images. image.jpg: the same, lying on its side,
with the EXIF orientation that turns it upright, as cameras do.
expected.npz: by the name of a config, NAME/classes, the label map of `image.png` that
mmseg's `inference_model` gives, and NAME/logits, every fifth row and column of its
`seg_logits` (of the probabilities, for the binary head). NAME/tta is the label map of
SegTTAModel with the config's `tta_pipeline`. jpg/... is whole/... of `image.jpg`.
"""

import importlib.machinery
import pathlib
import sys
import types

import cv2
import numpy as np
import torch
from PIL import Image

FOLDER = pathlib.Path(__file__).parent


class _Operators(types.ModuleType):
    """Stands in for mmcv's compiled operators, none of which is used here."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **options: None


sys.modules["mmcv._ext"] = _Operators("mmcv._ext")
sys.modules["mmcv._ext"].__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)

from mmengine import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.model import revert_sync_batchnorm
from mmengine.runner import save_checkpoint
from mmengine.structures import PixelData
from mmseg.apis import inference_model, init_model
from mmseg.models import SegTTAModel
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules

# The config that a network is trained with, and those that use it.
USERS = {
    "whole": (
        "whole",
        "whole_align_corners",
        "whole_padded",
        "slide",
        "slide_padded",
        "slide_resized",
    ),
    "binary_slide": ("binary_slide",),
    "vit": ("vit",),
}
AUGMENTED = ("whole", "whole_padded", "slide", "slide_padded", "vit")
COLORS = np.array([[90, 110, 80], [210, 110, 60], [60, 90, 190], [200, 190, 170]])


def paint(rng, height, width):
    """An RGB image of discs, squares and bars on a ground, and its label."""
    y, x = np.indices((height, width), np.float64)
    label = np.zeros((height, width), np.uint8)
    for _ in range(height * width // 900):
        kind = rng.integers(1, 4)
        top, left = rng.uniform(0, height), rng.uniform(0, width)
        size, angle = rng.uniform(6, 14), rng.uniform(0, np.pi)
        u = (x - left) * np.cos(angle) + (y - top) * np.sin(angle)
        v = (y - top) * np.cos(angle) - (x - left) * np.sin(angle)
        inside = {
            1: u**2 + v**2 < size**2,
            2: np.maximum(abs(u), abs(v)) < size,
            3: (abs(u) < 2.5 * size) & (abs(v) < 3),
        }[kind]
        label[inside] = kind
    colors = COLORS[label] + rng.normal(0, 12, (height, width, 3))
    shade = rng.normal(0, 25, 3) * (x / width - 0.5)[..., None]
    shade = shade + rng.normal(0, 25, 3) * (y / height - 0.5)[..., None]
    soft = cv2.GaussianBlur(colors + shade, (0, 0), 0.7)
    return np.clip(soft, 0, 255).astype(np.uint8), label


def train(name, iterations=400):
    """Trains the network of a config and saves it."""
    torch.manual_seed(0)
    rng = np.random.default_rng(1)
    config = Config.fromfile(FOLDER / "configs" / f"{name}.py")
    config.model.pretrained = None
    model = revert_sync_batchnorm(MODELS.build(config.model)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, iterations, 0.9)
    for i in range(iterations):
        inputs, samples = [], []
        for image, label in (paint(rng, 64, 64) for _ in range(8)):
            if name == "binary_slide":
                label = np.minimum(label, 1)
            bgr = np.ascontiguousarray(image[..., ::-1].transpose(2, 0, 1))
            inputs.append(torch.from_numpy(bgr))
            truth = PixelData(data=torch.from_numpy(label.astype(np.int64))[None])
            meta = {"img_shape": (64, 64), "ori_shape": (64, 64)}
            samples.append(SegDataSample(gt_sem_seg=truth, metainfo=meta))
        data = model.data_preprocessor(
            {"inputs": inputs, "data_samples": samples}, training=True
        )
        losses = model(**data, mode="loss")
        optimizer.zero_grad()
        sum(value for key, value in losses.items() if "loss" in key).backward()
        optimizer.step()
        schedule.step()
        if i % 100 == 99:
            print(name, i + 1, {k: round(v.item(), 3) for k, v in losses.items()})
    meta = {
        "cfg": config.pretty_text,
        "dataset_meta": dict(config.val_dataloader.dataset.metainfo),
        "experiment_name": name,
        "seed": 0,
        "epoch": 0,
        "iter": iterations,
    }
    path = FOLDER / f"{name}.pth"
    save_checkpoint({"meta": meta, "state_dict": model.state_dict()}, str(path))
    print(f"{path}: {path.stat().st_size} bytes")


def augmented(model):
    """SegTTAModel's label map of the image."""
    pipeline = model.cfg.tta_pipeline
    pipeline[1].transforms = [
        step for step in pipeline[1].transforms if step[0].type != "LoadAnnotations"
    ]
    data = Compose(pipeline)({"img_path": str(FOLDER / "image.png")})
    with torch.no_grad():
        results = SegTTAModel(module=model).test_step(pseudo_collate([data]))
    return results[0].pred_sem_seg.data.numpy().squeeze().astype(np.uint8)


def infer(config, checkpoint, image):
    """The model, and the label map and logits that it gives for an image file."""
    path = str(FOLDER / "configs" / f"{config}.py")
    model = init_model(path, str(FOLDER / f"{checkpoint}.pth"), device="cpu")
    result = inference_model(model, str(FOLDER / image))
    classes = result.pred_sem_seg.data.numpy().squeeze().astype(np.uint8)
    return model, classes, result.seg_logits.data.numpy()


def write_images(image):
    Image.fromarray(image).save(FOLDER / "image.png")
    turned = Image.fromarray(np.rot90(image))
    exif = Image.Exif()
    exif[274] = 6  # Orientation: to be turned clockwise
    turned.save(FOLDER / "image.jpg", quality=90, exif=exif)


def main():
    register_all_modules()
    torch.set_num_threads(2)
    image, label = paint(np.random.default_rng(7), 127, 203)
    write_images(image)
    stored = {}
    for trained, users in USERS.items():
        if not (FOLDER / f"{trained}.pth").exists():
            train(trained)
        for name in users:
            model, classes, logits = infer(name, trained, "image.png")
            stored[f"{name}/classes"] = classes
            stored[f"{name}/logits"] = logits[:, ::5, ::5].transpose(1, 2, 0)
            truth = np.minimum(label, 1) if logits.shape[0] == 1 else label
            print(name, logits.shape, f"{(classes == truth).mean():.1%} right")
            if name in AUGMENTED:
                stored[f"{name}/tta"] = augmented(model)
    _, stored["jpg/classes"], logits = infer("whole", "whole", "image.jpg")
    stored["jpg/logits"] = logits[:, ::5, ::5].transpose(1, 2, 0)
    path = FOLDER / "expected.npz"
    np.savez_compressed(path, **stored)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()

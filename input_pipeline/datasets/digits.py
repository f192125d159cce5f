"""Digits: handwritten digits on photographs, a data set that needs no download."""

import dataclasses
import functools

import cv2
import numpy as np

from input_pipeline.class_list import resolve_classes
from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.transform import Transform

DIGITS = (
    ("background", (0, 0, 0)),
    ("0", (230, 25, 75)),
    ("1", (60, 180, 75)),
    ("2", (255, 225, 25)),
    ("3", (0, 130, 200)),
    ("4", (245, 130, 48)),
    ("5", (145, 30, 180)),
    ("6", (70, 240, 240)),
    ("7", (240, 50, 230)),
    ("8", (210, 245, 60)),
    ("9", (250, 190, 212)),
)

_DIGIT_SIZE = (0.29, 0.40)  # box of a digit, as a share of the scene's shorter side
_INK = 0.38  # grey level, of 1, from which a pixel of a scaled scan is stroke
_EDGE = 0.15  # half the width, in grey levels, of the blend at a stroke's edge


@dataclasses.dataclass(eq=False)
class DigitsDataset(SegDataset):
    """Scenes of real handwritten digits on backgrounds cut from two photographs.

    The digits are the 1797 8x8 scans of scikit-learn's `load_digits`, scaled up,
    turned a little and painted in a colour that stands out from what is behind them;
    the backgrounds come from its `china.jpg` and `flower.jpg`. Labels mark the stroke.
    Every fifth scan appears in 'val' only, the others in 'train' only. A scene is a
    pure function of (seed, split, index), composed when it is asked for (under 1 ms).

    Attributes:
        split: 'train' or 'val'.
        num_scenes: length of the data set.
        size: (height, width) of a scene in pixels, both 32 or more.
        seed: the seed of the scenes.
        pipeline: transforms of a sample.

    Raises:
        DataError: an unknown split, no scenes, or a size that is too small.
        ImportError: scikit-learn is not installed.
    """

    split: str = "train"
    num_scenes: int = 2000
    size: tuple[int, int] = (96, 96)
    seed: int = 0
    pipeline: tuple[Transform, ...] = ()

    def __post_init__(self):
        if self.split not in ("train", "val"):
            raise DataError(
                f"DigitsDataset: split={self.split!r}; it may be 'train' or 'val'."
            )
        if self.num_scenes < 1:
            raise DataError(
                f"DigitsDataset: num_scenes={self.num_scenes}; it must be 1 or more."
            )
        if min(self.size) < 32 or max(self.size) > 384:
            raise DataError(
                f"DigitsDataset: size={self.size}; height and width may be 32 to 384, "
                "what the photographs (427x640) cover."
            )
        self.metainfo, self.label_map, self.file_palette = resolve_classes(
            "DigitsDataset", DIGITS, {}
        )
        self.ignore_index, self.reduce_zero_label = 255, False
        _scans(self.split)  # says now, not in the first batch, what is not installed

    def __len__(self) -> int:
        return self.num_scenes

    def __getitem__(self, index: int) -> dict:
        if not 0 <= index < self.num_scenes:
            raise IndexError(f"scene {index} of {self.num_scenes}")
        rng = np.random.default_rng([self.seed, self.split == "val", index])
        image = _background(self.size, rng)
        labels = np.zeros(self.size, np.uint8)
        scans, targets = _scans(self.split)
        for y, x, side in _boxes(self.size, rng):
            which = rng.integers(len(scans))
            patch = np.s_[y : y + side, x : x + side]
            ink = _handwriting(scans[which], side, rng)
            image[patch] = _painted(image[patch], ink, rng)
            labels[patch][ink > _INK] = targets[which] + 1
        scene = {
            "img": image.astype(np.uint8),
            "gt_seg_map": labels,
            "img_path": f"digits_{self.split}_{index:05d}.png",
        }
        return scene | self.facts()


@functools.cache
def _scans(split: str) -> tuple[np.ndarray, np.ndarray]:
    """The split's scans (N, 8, 8), float32 from 0 to 1, and their digits (N,)."""
    digits = _sklearn_datasets().load_digits()
    val = np.arange(len(digits.target)) % 5 == 0
    chosen = val if split == "val" else ~val
    return digits.images[chosen].astype(np.float32) / 16, digits.target[chosen]


@functools.cache
def _photographs() -> list[np.ndarray]:
    """china.jpg and flower.jpg, (427, 640, 3) RGB uint8."""
    return _sklearn_datasets().load_sample_images().images


def _sklearn_datasets():
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "DigitsDataset takes its scans and photographs from scikit-learn, which "
            "is not installed: pip install -e '.[digits]'"
        ) from error
    return datasets


def _background(size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A piece of a photograph, perhaps mirrored, its contrast lowered; float32 RGB."""
    height, width = size
    photographs = _photographs()
    photo = photographs[rng.integers(len(photographs))]
    top = rng.integers(photo.shape[0] - height + 1)
    left = rng.integers(photo.shape[1] - width + 1)
    piece = photo[top : top + height, left : left + width].astype(np.float32)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    mean = piece.mean(axis=(0, 1))
    return mean + (piece - mean) * rng.uniform(0.3, 0.6)


def _boxes(size: tuple[int, int], rng: np.random.Generator) -> list[tuple]:
    """Up to five squares (y, x, side) that do not overlap, at least one."""
    boxes = []
    for _ in range(40):
        side = int(min(size) * rng.uniform(*_DIGIT_SIZE))
        y, x = rng.integers(size[0] - side + 1), rng.integers(size[1] - side + 1)
        apart = all(
            y + side <= top or top + other <= y or x + side <= left or left + other <= x
            for top, left, other in boxes
        )
        if apart and len(boxes) < 5:
            boxes.append((y, x, side))
    return boxes


def _handwriting(scan: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """The scan scaled to (side, side) and turned by up to 8 degrees; 0 to 1."""
    scale = side / scan.shape[0]
    turn = cv2.getRotationMatrix2D((3.5, 3.5), rng.uniform(-8, 8), scale)
    turn[:, 2] += (side - 1) / 2 - 3.5
    ink = cv2.warpAffine(scan, turn, (side, side), flags=cv2.INTER_CUBIC)
    return ink.clip(0, 1)


def _painted(
    behind: np.ndarray, ink: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """`behind` with strokes some 80 grey levels lighter or darker than its mean."""
    mean = behind.mean()
    room = np.array([mean - 80, 175 - mean])  # below and above, where colours may be
    dark = room[0] > 0 and (room[1] <= 0 or rng.random() < 0.5)
    low, high = (0, mean - 80) if dark else (mean + 80, 255)
    color = rng.uniform(low, high) + rng.uniform(-35, 35, size=3)
    cover = ((ink - _INK) / (2 * _EDGE) + 0.5).clip(0, 1)[..., None]
    return behind + (color.clip(0, 255) - behind) * cover

"""The input pipeline beside mmsegmentation's own, on the same files and one core.

Each row of the table is one way to read the same pictures: from JPEG or PNG files, or
from a packed data set. The transforms are mmseg's usual ones for training, up to what
its PackSegInputs and ours return, one image after the other. Time is that of the
processor, so that other work on the machine does not count.
"""

import dataclasses
import pathlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from input_pipeline import datasets, transforms
from input_pipeline.packing.write import pack
from input_pipeline.sources import SegDataset
from jaxseg.errors import JaxsegError
from jaxseg.resolve import resolve
from jaxseg.settings.device_augment import with_augmentation_on_device
from scripts.benchmark.measuring.against import OtherSide

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


@dataclasses.dataclass(frozen=True)
class Kind:
    """Pictures of a published data set's size, and how it is trained on.

    Attributes:
        title: for the table.
        size: (height, width) of the pictures.
        scale: (width, height) of RandomResize.
        crop_size: (height, width).
        num_classes: in the labels.
        reduce_zero_label: whether label 0 is ignored.
    """

    title: str
    size: tuple[int, int]
    scale: tuple[int, int]
    crop_size: tuple[int, int]
    num_classes: int
    reduce_zero_label: bool


KINDS = {
    "ade": Kind("ADE20K", (512, 683), (2048, 512), (512, 512), 150, True),
    "cityscapes": Kind(
        "Cityscapes", (1024, 2048), (2048, 1024), (512, 1024), 19, False
    ),
}


@dataclasses.dataclass(frozen=True)
class Row:
    """One of our ways to read, and which of mmseg's it is compared with.

    Attributes:
        title: for the table.
        files: what ours reads: `jpg`, `png`, `raw` or `arrayrecord`.
        theirs: `jpg` or `png`.
        crop_first: RandomCrop's.
        on_device: whether flip and distortion are only drawn.
    """

    title: str
    files: str
    theirs: str
    crop_first: bool = False
    on_device: bool = False


ROWS = (
    Row("JPEG", "jpg", "jpg"),
    Row("JPEG, crop first", "jpg", "jpg", crop_first=True),
    Row("JPEG, augmented on the device", "jpg", "jpg", on_device=True),
    Row("PNG", "png", "png"),
    Row("ArrayRecord", "arrayrecord", "png"),
    Row("raw cache", "raw", "png"),
    Row("raw cache, crop first", "raw", "png", crop_first=True),
    Row("raw cache, augmented on the device", "raw", "png", on_device=True),
    Row("raw cache, both", "raw", "png", crop_first=True, on_device=True),
)


def make_files(
    folder: pathlib.Path, kind: Kind, images: pathlib.Path | None, count: int
) -> None:
    """Writes pictures of a kind's size as `jpg/*.jpg`, `png/*.png`, and `labels/*.png`.

    Args:
        folder: where to.
        kind: their size and number of classes.
        images: a folder of images to cut them from; None makes some up.
        count: how many.

    Raises:
        JaxsegError: if there is no image in the folder.
    """
    for name in ("jpg", "png", "labels"):
        (folder / name).mkdir(parents=True)
    found = _real(images, kind.size) if images else _made_up(kind.size)
    for i, picture in zip(range(count), found, strict=False):
        cv2.imwrite(str(folder / f"png/{i:03d}.png"), picture)
        jpeg = [cv2.IMWRITE_JPEG_QUALITY, 95]
        cv2.imwrite(str(folder / f"jpg/{i:03d}.jpg"), picture, jpeg)
        # By Pillow, as Cityscapes' labels are: OpenCV chooses other filters.
        label = Image.fromarray(_label(picture, kind.num_classes))
        label.save(folder / f"labels/{i:03d}.png")


def _real(folder: pathlib.Path, size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Pictures from a folder, scaled to cover the size and cut; without end."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not paths:
        raise JaxsegError(f"{folder}: no image in it ends in one of {_SUFFIXES}")
    # Neighbours in a folder look alike.
    stride = max(1, len(paths) // 12)
    while True:
        for path in paths[::stride]:
            picture = cv2.imread(str(path))
            factor = max(size[0] / picture.shape[0], size[1] / picture.shape[1])
            how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
            scaled = [int(np.ceil(side * factor)) for side in picture.shape[1::-1]]
            picture = cv2.resize(picture, scaled, interpolation=how)
            yield np.ascontiguousarray(picture[: size[0], : size[1]])


def _made_up(size: tuple[int, int]) -> Iterator[np.ndarray]:
    """Smooth colours under a little noise; without end."""
    rng = np.random.default_rng(0)
    while True:
        coarse = rng.integers(0, 256, (size[0] // 64, size[1] // 64, 3), np.uint8)
        picture = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
        noise = rng.normal(0, 4, picture.shape)
        yield np.clip(picture + noise, 0, 255).astype(np.uint8)


def _label(picture: np.ndarray, num_classes: int) -> np.ndarray:
    """Regions of similar brightness, whose edges are those of the picture."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), picture.shape[0] / 85).astype(np.int32)
    return (grey * 12 // 256 * 7 % num_classes).astype(np.uint8)


def dataset_config(folder: pathlib.Path, kind: Kind, files: str) -> dict[str, Any]:
    """The config of a data set of `make_files`, which mmseg takes as well."""
    classes = [f"class {i}" for i in range(kind.num_classes)]
    return {
        "type": "BaseSegDataset",
        "data_root": str(folder),
        "data_prefix": {"img_path": files, "seg_map_path": "labels"},
        "img_suffix": f".{files}",
        "seg_map_suffix": ".png",
        "reduce_zero_label": kind.reduce_zero_label,
        "metainfo": {
            "classes": classes,
            "palette": [[i] * 3 for i in range(len(classes))],
        },
        "pipeline": [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations"},
            {
                "type": "RandomResize",
                "scale": kind.scale,
                "ratio_range": (0.5, 2.0),
                "keep_ratio": True,
            },
            {"type": "RandomCrop", "crop_size": kind.crop_size, "cat_max_ratio": 0.75},
            {"type": "RandomFlip", "prob": 0.5},
            {"type": "PhotoMetricDistortion"},
            {"type": "PackSegInputs"},
        ],
    }


def our_dataset(folder: pathlib.Path, kind: Kind, row: Row) -> SegDataset:
    """What a row reads; packed beside the files if it is not yet."""
    config = dataset_config(folder, kind, "png" if row.files == "raw" else row.files)
    if row.files in ("raw", "arrayrecord"):
        config = dataset_config(folder, kind, "png")
        if not (folder / row.files).exists():
            source = resolve(config, "dataset", (datasets, transforms))
            pack(source, folder / row.files, format=row.files)
        pipeline, path = config["pipeline"], str(folder / row.files)
        config = {"type": "PackedDataset", "path": path, "pipeline": pipeline}
    if row.crop_first:
        config["pipeline"][3]["crop_first"] = True
    if row.on_device:
        loader = with_augmentation_on_device({"dataset": config}, "train_dataloader")
        config = loader["dataset"]
    return resolve(config, "dataset", (datasets, transforms))


def compare(
    folder: pathlib.Path,
    kind: Kind,
    rows: Sequence[Row],
    command: Sequence[str],
    passes: int,
    rounds: int,
) -> dict[str, Any]:
    """Times our rows and mmseg's in turns, on the files of `make_files`.

    Args:
        folder: of the files.
        kind: of the files.
        rows: some of `ROWS`.
        command: starts `scripts/benchmark/torch_side/input.py`.
        passes: over the files, in a turn.
        rounds: how often everyone has a turn.

    Returns:
        `peer`: versions of the other side. `theirs`: its images/s, by files. `rows`:
        of each its images/s, and the ratio to its peer's: median, lowest, highest.

    Raises:
        AgainstError: if the other side cannot do its part.
    """
    theirs = dict.fromkeys(row.theirs for row in rows)
    ours = {row.title: our_dataset(folder, kind, row) for row in rows}
    job = {name: dataset_config(folder, kind, name) for name in theirs}
    with OtherSide(command, {"datasets": job}, folder / "other_side.txt") as other:
        seconds = {name: [] for name in (*theirs, *ours)}
        for turn in range(rounds + 1):
            for name in theirs:
                seconds[name].append(other.turn(name, "load", passes))
            for name, dataset in ours.items():
                seconds[name].append(_turn(dataset, passes, turn))
    # The first turn fills the caches.
    seconds = {name: values[1:] for name, values in seconds.items()}
    images = passes * len(next(iter(ours.values())))
    return {
        "kind": dataclasses.asdict(kind),
        "images": images // passes,
        "passes": passes,
        "rounds": rounds,
        "peer": other.hello,
        "theirs": {name: _rate(images, seconds[name]) for name in theirs},
        "rows": {
            row.title: {
                "images_per_second": _rate(images, seconds[row.title]),
                "theirs": row.theirs,
                "ratio": _spread(seconds[row.theirs], seconds[row.title]),
            }
            for row in rows
        },
    }


def _turn(dataset: SegDataset, passes: int, seed: int) -> float:
    """Seconds of a core that some passes over a data set take."""
    rng = np.random.default_rng(seed)
    start = time.process_time()
    for _ in range(passes):
        for index in range(len(dataset)):
            dataset.sample(index, rng)
    return time.process_time() - start


def _rate(images, seconds):
    return images / statistics.median(seconds)


def _spread(theirs, ours):
    ratios = [t / o for t, o in zip(theirs, ours, strict=True)]
    return {
        "median": statistics.median(ratios),
        "lowest": min(ratios),
        "highest": max(ratios),
    }


def format_result(result: Mapping[str, Any]) -> str:
    """The table of a result of `compare`."""
    kind = result["kind"]
    height, width = kind["size"]
    lines = [
        (
            f"{kind['title']}: {result['images']} images of {height}x{width}, crops of "
            f"{kind['crop_size'][0]}x{kind['crop_size'][1]}, images/s a core"
        ),
        f"  {'':36}{'jaxseg':>8}{'mmseg':>8}{'ratio':>7}  lowest, highest",
    ]
    for title, row in result["rows"].items():
        ratio, theirs = row["ratio"], result["theirs"][row["theirs"]]
        lines.append(
            f"  {title:36}{row['images_per_second']:8.1f}{theirs:8.1f}"
            f"{ratio['median']:7.2f}  {ratio['lowest']:.2f}, {ratio['highest']:.2f}"
            f"  (mmseg from {row['theirs'].upper()})"
        )
    return "\n".join(lines)

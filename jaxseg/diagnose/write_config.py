"""Written config: what the doctor found of two folders, as a file to train with."""

import json
import os
import pathlib
from typing import Any

from jaxseg.config import ConfigError
from jaxseg.diagnose.diagnosis import Diagnosis
from jaxseg.diagnose.splits import stem_of

_EACH = 10  # every tenth image is for validation
_MOST_CROP = 512

_TEXT = '''"""{title}

    python -m jaxseg.doctor --config {name}
    python -m jaxseg.main --config {name}

Written by `python -m jaxseg.doctor`; change what you like.
"""

CLASSES = {classes}


def get_config():
    dataset = {dataset}
    load = [{load}]
    crop = {crop}  # height, width
    augment = [
        dict(type="LoadAnnotations"),
        dict(
            type="RandomResize",
            scale={scale},  # width, height
            ratio_range=(0.5, 2.0),
            keep_ratio=True,
        ),
        dict(type="RandomCrop", crop_size=crop, cat_max_ratio=0.75),
        dict(type="RandomFlip", prob=0.5),
{photometric}        dict(type="PackSegInputs"),
    ]
    label = [dict(type="LoadAnnotations"), dict(type="PackSegInputs")]
    train = dataset | dict(ann_file={train}, pipeline=load + augment)
    val = dataset | dict(ann_file={val}, pipeline=load + label)
    norm = dict(type="SyncBN")
    return dict(
        model=dict(
            type="EncoderDecoder",
            data_preprocessor=dict(
                type="SegDataPreProcessor",
                bgr_to_rgb=True,
                size=crop,
                mean={mean},
                std={std},
                seg_pad_val={ignore_index},
            ),
            backbone=dict(
                type="ResNetV1c", depth=18, in_channels={channels}, norm_cfg=norm
            ),  # pretrained weights: docs/pretrained.md
            decode_head=dict(
                type="UPerHead",
                in_channels=[64, 128, 256, 512],
                in_index=[0, 1, 2, 3],
                channels=128,
                num_classes=len(CLASSES),
                ignore_index={ignore_index},
                norm_cfg=norm,
                loss_decode=dict(type="CrossEntropyLoss", avg_non_ignore=True),
            ),
            test_cfg=dict(mode="whole"),
        ),
        train_dataloader=dict(batch_size=8, dataset=train),
        val_dataloader=dict(dataset=val),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=5e-4, weight_decay=0.01)),
        param_scheduler=[dict(type="PolyLR", power=0.9, eta_min=0.0, end=20000)],
        train_cfg=dict(max_iters=20000, val_interval=2000),
    )
'''


def write_config(diagnosis: Diagnosis, path: pathlib.Path) -> list[pathlib.Path]:
    """Writes a config that trains a small UPerNet on the two folders of a diagnosis.

    Beside it, lists of the images of training and of validation: those below `train`
    and `val`, if the image folder has them, otherwise every tenth is for validation.

    Args:
        diagnosis: of two folders.
        path: the file, which must not exist.

    Returns:
        The files that were written.

    Raises:
        ConfigError: a file that exists, no image with a label, or labels that could not
            be read.
    """
    lists = check_is_new(path)
    (split, tally), dataset = diagnosis.splits[0], diagnosis.proposed_dataset()
    if split.dataset is None or not tally.labels or not tally.moments:
        raise ConfigError(f"{path}: not written, as no label or no image can be read")
    parts = _parts(split.dataset, dataset)
    channels, moments = max(tally.moments.items(), key=lambda item: item[1].count)
    height, width = max(tally.sizes, key=lambda size: tally.sizes[size][0])
    smallest = min(min(size) for size in tally.sizes)
    side = max(32, min(_MOST_CROP, smallest // 32 * 32))
    classes = dataset["metainfo"].pop("classes")
    ignore_index = dataset.get("ignore_index", 255)
    is_plain = tally.types.most_common(1)[0][0] in ((3, "uint8"), (1, "uint8"))
    load = 'dict(type="LoadImageFromFile")'
    if split.color_type != "color":
        load = f'dict(type="LoadImageFromFile", color_type={_python(split.color_type)})'
    text = _TEXT.format(
        title=f"{', '.join(classes[:5])}{', ...' * (len(classes) > 5)}: UPerNet-R18.",
        name=path.name,
        classes=_list(classes),
        dataset=_as_call(dataset),
        load=load,
        crop=(side, side),
        scale=(width, height),
        photometric=(
            '        dict(type="PhotoMetricDistortion"),\n'
            if is_plain and channels == 3
            else ""
        ),
        train=_python(str(lists[0].resolve())),
        val=_python(str(lists[1].resolve())),
        mean=[round(float(value), 3) for value in moments.mean],
        std=[round(max(float(value), 1e-3), 3) for value in moments.std],
        channels=channels,
        ignore_index=ignore_index,
    )
    for file, stems in zip(lists, parts, strict=True):
        file.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    return [path, *lists]


def check_is_new(path: pathlib.Path) -> list[pathlib.Path]:
    """The lists of images beside a config, all of which are yet to be written.

    Raises:
        ConfigError: if one exists.
    """
    lists = [path.with_name(f"{path.stem}_{part}.txt") for part in ("train", "val")]
    for file in (path, *lists):
        if file.exists():
            raise ConfigError(f"{file} exists; it is not written over")
    return lists


def _parts(source, dataset) -> tuple[list[str], list[str]]:
    """Stems of the images of training and of validation."""
    folder = dataset["data_prefix"]["img_path"]
    records = [source[index] for index in range(len(source))]
    stems = [
        stem_of(os.path.relpath(record["img_path"], folder), dataset["img_suffix"])
        for record in records
        if "seg_map_path" in record
    ]
    val = [stem for stem in stems if stem.startswith("val/")]
    train = [stem for stem in stems if stem.startswith("train/")]
    if train and val:
        return train, val
    if len(stems) < 2:
        return stems, stems
    val = stems[::_EACH]
    held_out = set(val)
    return [stem for stem in stems if stem not in held_out], val


def _as_call(dataset: dict[str, Any]) -> str:
    """The data set as Python; its classes are the file's CLASSES."""
    lines = ["dict("]
    for key, value in dataset.items():
        shown = _python(value)
        if key == "metainfo":
            more = "".join(f", {k}={_python(v)}" for k, v in value.items())
            shown = f"dict(classes=CLASSES{more})"
        lines.append(f"        {key}={shown},")
    return "\n".join([*lines, "    )"])


def _python(value: Any) -> str:
    """A value as it is written in a config."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_python, value))}]"
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        names = all(k.isidentifier() for k in value)
        pairs = (f"{k}={_python(v)}" for k, v in value.items())
        return f"dict({', '.join(pairs)})" if names else json.dumps(value)
    return repr(value)


def _list(names: list[str]) -> str:
    """Names one a line, where they do not fit into one."""
    line = _python(names)
    if len(line) <= 78:
        return line
    return "[\n" + "".join(f"    {_python(name)},\n" for name in names) + "]"

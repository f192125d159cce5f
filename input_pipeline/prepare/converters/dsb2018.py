"""Data Science Bowl 2018: a folder an image, with a mask a nucleus."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Converter, Count, Outputs, Plan, Task
from input_pipeline.prepare.divided import DIVIDED, TRAIN, VAL, divided
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import as_png
from input_pipeline.prepare.pixels import image_png, read_mask
from input_pipeline.sources import some_of


def union_png(*members_and_to: Member | str) -> Outputs:
    """Masks of one size as PNG: 1 where one of them is."""
    *members, to = members_and_to
    union = read_mask(members[0])
    for member in members[1:]:
        mask = read_mask(member)
        if mask.shape != union.shape:
            raise DataError(
                f"{member}: a mask of {mask.shape}; that of {members[0]} is "
                f"{union.shape}."
            )
        union = np.maximum(union, mask)
    yield to, as_png(union)


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    images = files.named(r"([0-9a-f]{64})/images/[0-9a-f]{64}\.png")
    masks = files.grouped(r"([0-9a-f]{64})/masks/[0-9a-f]{64}\.png", True)
    missing = sorted(set(images) ^ set(masks))
    if missing or not images:
        raise DataError(
            f"dsb2018: {len(images)} images; {len(missing)} folders have an image "
            f"without masks, or masks without one:\n{some_of(missing)}\n{files.held()}"
        )
    tasks = []
    for name, split in divided(list(images)):
        to = f"{split}/{name}.png"
        tasks += [
            Task(image_png, (images[name],), (f"images/{to}",)),
            Task(union_png, masks[name], (f"annotations/{to}",)),
        ]
    return Plan(tasks, [Count("images", len(images), 670)], [TRAIN], VAL)


DSB2018 = Converter(
    name="dsb2018",
    title="Data Science Bowl 2018, nuclei of cells",
    sources=("stage1_train.zip",),
    url="https://www.kaggle.com/c/data-science-bowl-2018",
    licence="CC0",
    size="670 images, 83 MB",
    layout="ID/images/ID.png, ID/masks/*.png",
    dataset="DSB2018Dataset",
    home="data/dsb2018",
    plan=_plan,
    checks=DIVIDED,
    scale=(512, 512),
    crop_size=(256, 256),
)

"""ISBI 2012: thirty slices of a volume, and their labels, as TIFFs of several pages."""

import io
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from PIL import TiffImagePlugin

from input_pipeline.errors import DataError
from input_pipeline.formats.limits import MAX_PIXELS
from input_pipeline.formats.tiff import read_pages
from input_pipeline.prepare.archive import Member, read_member
from input_pipeline.prepare.converter import Converter, Count, Outputs, Plan, Task
from input_pipeline.prepare.divided import DIVIDED, TRAIN, VAL, divided
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import as_png

_SLICES = 30
_MOST_BYTES = 1 << 28


def slices_png(volume: Member, labels: Member) -> Outputs:
    """The slices of both volumes; white, 255, is the inside of a cell."""
    images, masks = list(_pages(volume)), list(_pages(labels))
    if len(images) != len(masks):
        raise DataError(f"{labels}: {len(masks)} slices; {volume} has {len(images)}.")
    names = [f"{index:02}" for index in range(len(images))]
    for (name, part), image, mask in zip(divided(names), images, masks, strict=True):
        if not np.isin(mask, (0, 255)).all():
            raise DataError(f"{labels}: slice {name} has values beside 0 and 255.")
        yield f"images/{part}/{name}.png", as_png(image)
        yield f"annotations/{part}/{name}.png", as_png(mask // 255)


def _pages(member: Member) -> Iterator[np.ndarray]:
    """The pages of a TIFF of 8-bit greys, (H, W)."""
    data = read_member(member, _MOST_BYTES)
    found = read_pages(str(member), io.BytesIO(data), MAX_PIXELS)
    if any((page.samples, page.bits) != (1, 8) for page in found):
        raise DataError(f"{member}: has pages of other than 8-bit greys.")
    try:
        with TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
            for index in range(len(found)):
                image.seek(index)
                yield np.array(image)
    except (OSError, EOFError, SyntaxError) as error:
        raise DataError(f"{member}: a page cannot be decoded ({error}).") from error


def _plan(files: Files, options: Mapping[str, Any]) -> Plan:
    del options
    volumes = [
        files.one(rf"train-{kind}\.tiff?", f"train-{kind}.tif")
        for kind in ("volume", "labels")
    ]
    data = read_member(volumes[0], _MOST_BYTES)
    found = len(read_pages(str(volumes[0]), io.BytesIO(data), MAX_PIXELS))
    counts = [Count("slices", found, _SLICES)]
    return Plan([Task(slices_png, tuple(volumes))], counts, [TRAIN], VAL)


ISBI_EM = Converter(
    name="isbi_em",
    title="ISBI 2012, membranes of neurons by an electron microscope",
    sources=("train-volume.tif", "train-labels.tif"),
    url="https://imagej.net/events/isbi-2012-segmentation-challenge",
    licence="research",
    size="30 slices of 512x512, 15 MB",
    layout="train-volume.tif, train-labels.tif, a page a slice",
    dataset="ISBIEMDataset",
    home="data/isbi_em",
    plan=_plan,
    checks=f"{DIVIDED} The labels of test-volume.tif are not published.",
    scale=(512, 512),
    crop_size=(256, 256),
)

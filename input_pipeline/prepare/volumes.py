"""Volumes: CT scans cut into slices, as TransUNet's authors cut them."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Outputs
from input_pipeline.prepare.nifti import read_nifti
from input_pipeline.prepare.output import as_png


def slices(
    image: Member,
    label: Member,
    image_to: str,
    label_to: str,
    classes: Sequence[int],
    window: tuple[int, int],
) -> Outputs:
    """The slices of a volume, as JPEG, and of its label, as PNG.

    Args:
        image: NIfTI, Hounsfield units.
        label: NIfTI, integers from 0 on.
        image_to, label_to: paths, with {:03} for the slice's number.
        classes: class of each number.
        window: Hounsfield units that become black and white.
    """
    volume, ids = _upright(read_nifti(image)), _upright(read_nifti(label))
    if volume.shape != ids.shape:
        raise DataError(
            f"{label}: a label of {ids.shape} for an image of {volume.shape}."
        )
    if ids.min() < 0 or ids.max() >= len(classes) or (ids != ids // 1).any():
        raise DataError(
            f"{label}: holds {ids.min()} to {ids.max()}; labels are the integers 0 to "
            f"{len(classes) - 1}."
        )
    table = np.array(classes, np.uint8)
    darkest, brightest = window
    for index in range(len(volume)):
        grey = np.clip(volume[index].astype(np.float64), darkest, brightest)
        grey = ((grey - darkest) / (brightest - darkest) * 255).astype(np.uint8)
        yield image_to.format(index), _jpeg(grey)
        yield label_to.format(index), as_png(table[ids[index].astype(int)])


def _upright(volume):
    """(X, Y, Z) as (Z, X, Y), the last axis from its end."""
    return np.ascontiguousarray(volume.transpose(2, 0, 1)[:, :, ::-1])


def _jpeg(grey):
    """As mmseg's: RGB, Pillow's own quality."""
    file = io.BytesIO()
    Image.fromarray(grey).convert("RGB").save(file, "JPEG")
    return file.getvalue()

"""Submission: label maps as the test server of a data set takes them."""

import os

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset


def submitted_values(dataset: SegDataset) -> np.ndarray:
    """What stands in a submitted file for each class of a data set.

    Those of its class `SUBMITTED`, by the names of the classes. Without it the number
    of the class, as MMSegmentation writes it: plus 1 with `reduce_zero_label`.

    Returns:
        (C,) uint8, or uint16 where a value is above 255.

    Raises:
        DataError: a class has a name for which `SUBMITTED` has no value.
    """
    classes, submitted = dataset.metainfo["classes"], getattr(dataset, "SUBMITTED", ())
    if submitted:
        names = (name for name, _ in dataset.CLASSES)
        values = dict(zip(names, submitted, strict=True))
        unknown = [name for name in classes if name not in values]
        if unknown:
            raise DataError(
                f"{type(dataset).__name__}: its test server knows no class "
                f"{unknown[0]!r}; it takes {', '.join(values)}."
            )
        found = [values[name] for name in classes]
    else:
        found = [i + bool(dataset.reduce_zero_label) for i in range(len(classes))]
    return np.array(found, np.uint8 if max(found) < 256 else np.uint16)


def submitted_names(dataset: SegDataset) -> dict[str, str]:
    """The file names of a submission, by the path of the image.

    Raises:
        DataError: the source holds pixels, which have no names; or two images would
            have one file.
    """
    found: dict[str, str] = {}
    images: dict[str, str] = {}
    for part in dataset.parts():
        for image, _ in part.files():
            stem = os.path.splitext(os.path.basename(image))[0]
            name = stem + getattr(part, "SUBMITTED_SUFFIX", ".png")
            if images.setdefault(name, image) != image:
                raise DataError(
                    f"{images[name]} and {image} would both be submitted as {name}."
                )
            found[image] = name
    if not found:
        raise DataError(
            f"{type(dataset).__name__} holds pixels, not files: a submission has no "
            "names for them."
        )
    return found

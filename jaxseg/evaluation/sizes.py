"""The sizes of an evaluation's images, told from their headers."""

import collections
from collections.abc import Mapping
from typing import Any

from input_pipeline.scan import scan
from input_pipeline.transforms import (
    LoadAnnotations,
    LoadImageFromFile,
    PackSegInputs,
    Resize,
    ResizeShortestEdge,
)
from jaxseg.inference.buckets.plan import Item, Size
from jaxseg.settings.tta import TestTimeAug

_KEEP_SIZE = (LoadImageFromFile, PackSegInputs)
_RESIZE = (Resize, ResizeShortestEdge)


def expected_sizes(dataset: Any, tta: TestTimeAug | None) -> Mapping[Item, int]:
    """How many images an evaluation will see of each size.

    Args:
        dataset: with its pipeline.
        tta: the versions of an image, or None.

    Returns:
        Counts of tuples: (height, width) after the pipeline, or at each scale of tta,
        and of the label. Empty where it cannot be told: of data sets that hold pixels
        or join others, and of pipelines that do more than load and resize.
    """
    counts = collections.Counter()
    known = (*_KEEP_SIZE, *_RESIZE, LoadAnnotations)
    pipeline = getattr(dataset, "pipeline", ())
    if not pipeline or not all(isinstance(step, known) for step in pipeline):
        return counts
    for size, count in scan(dataset).sizes.items():
        image, label = _after(pipeline, size)
        sizes = (image,) if tta is None else tta.scaled_sizes(image)
        counts[*sizes, label] += count
    return counts


def _after(pipeline, size: Size) -> tuple[Size, Size]:
    """(height, width) of an image and of its label after a pipeline."""
    image, label = size, None
    for step in pipeline:
        if isinstance(step, _RESIZE):
            width, height = step.output_size((image[1], image[0]))
            image = (height, width)
            label = image if label is not None else None
        elif isinstance(step, LoadAnnotations):
            label = size
    return image, label or size

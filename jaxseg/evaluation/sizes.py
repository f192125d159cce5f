"""Image sizes of an evaluation, read from the headers of the files."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from input_pipeline.transforms.transform import does
from jaxseg.inference.buckets.plan import Item, Size
from jaxseg.settings.tta import TestTimeAug


def expected_sizes(
    dataset: Any, tta: TestTimeAug | None, size_of: Mapping[str, Size]
) -> Mapping[Item, int]:
    """How many images an evaluation will see of each size.

    Args:
        dataset: with its pipeline.
        tta: the versions of an image, or None.
        size_of: (height, width) of each image file, as `scan` finds it.

    Returns:
        Counts of tuples: (height, width) after the pipeline, or at each scale of tta,
        and of the label. Empty where it cannot be told: of data sets that hold pixels,
        and of pipelines that draw, or do not say what they do.
    """
    counts = collections.Counter()
    for part in dataset.parts():
        if not part.pipeline or any(does(step, "draws") for step in part.pipeline):
            return collections.Counter()
        found = collections.Counter(
            size_of[image] for image, _ in dict.fromkeys(part.files())
        )
        for size, count in found.items():
            image, label = sizes_after(part.pipeline, size)
            if image is None:
                return collections.Counter()
            sizes = (image,) if tta is None else tta.scaled_sizes(image)
            counts[*sizes, label] += count
    return counts


def sizes_after(pipeline: Sequence[Any], size: Size) -> tuple[Size | None, Size | None]:
    """What a pipeline that draws nothing makes of an image, and of its label.

    Args:
        pipeline: its transforms.
        size: (height, width) of the image in its file.

    Returns:
        (height, width) of the image, and of the label, which comes in at the image's
        size in its file; None where a transform does not tell.
    """
    image, label = size, None
    for step in pipeline:
        if does(step, "makes_targets"):
            label = size if label is None else label
        elif does(step, "changes_size"):
            after = step.output_size(image[::-1])
            if after is None:
                return None, None
            image = after[::-1]
            label = label and image
    return image, label or size

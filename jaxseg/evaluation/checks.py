"""Checks of the data before any step: what pipelines and images must be like."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

from input_pipeline import transforms
from input_pipeline.sources import SegDataset
from input_pipeline.transforms.transform import Transform, does
from jaxseg.config import ConfigError
from jaxseg.errors import ModelSizeError
from jaxseg.evaluation.sizes import sizes_after
from jaxseg.inference.buckets.plan import Size
from jaxseg.settings.tta import TestTimeAug


def check_classes(model: Any, dataset: Any, path: str) -> None:
    """Refuses a model whose heads have another number of classes than the data set.

    Args:
        model: the segmentor.
        dataset: with `metainfo`.
        path: where the data set stands in the config.

    Raises:
        ConfigError: naming both places and both numbers; or if there is one class
            alone.
    """
    classes: Sequence[str] = dataset.metainfo["classes"]
    if len(classes) == 1 and not all(h.has_own_classes for h in model.heads.values()):
        raise ConfigError(
            f"{path} has one class alone, {classes[0]!r}: every pixel that counts is of "
            "it, and a model has nothing to learn. Give the rest a class too: "
            f"metainfo.classes=['background', {classes[0]!r}], with a label_map"
        )
    for name, head in model.heads.items():
        if head.num_classes != len(classes) and not head.has_own_classes:
            raise ConfigError(
                f"model.{name}.num_classes is {head.num_classes}, but {path} has "
                f"{len(classes)} classes: {', '.join(classes[:5])}"
                f"{', ...' if len(classes) > 5 else ''}"
            )


def check_ignored(model: Any, dataset: Any, path: str) -> None:
    """Refuses a model that trains on labels of classes which its data set ignores.

    Args:
        model: the segmentor.
        dataset: the data set of the training.
        path: where the data set stands in the config.

    Raises:
        ConfigError: naming both places and both numbers.
    """
    if "gt_seg_map" not in model.target_keys:
        return
    padding = model.data_preprocessor.seg_pad_val
    if padding != dataset.ignore_index:
        raise ConfigError(
            f"model.data_preprocessor.seg_pad_val is {padding}, the ignore_index of "
            f"{path} is {dataset.ignore_index}; padded pixels must be ignored"
        )
    for name, head in model.heads.items():
        if head.ignore_index != dataset.ignore_index:
            raise ConfigError(
                f"model.{name}.ignore_index is {head.ignore_index}, that of {path} is "
                f"{dataset.ignore_index}"
            )


def check_test_pipeline(dataset: SegDataset, path: str) -> None:
    """Refuses a pipeline whose labels are not those of the original image.

    Scores are counted at the original size. A label that is resized with its image
    gives other scores; one that stays where the image is cropped, padded or flipped
    gives scores that mean nothing.

    Args:
        dataset: the data set of the validation.
        path: where it stands in the config.

    Raises:
        ConfigError: naming the transform.
    """
    for part in dataset.parts():
        loaded = False
        for i, step in enumerate(part.pipeline):
            name = f"{path}: {type(step).__name__} (transform {i} of the pipeline)"
            if does(step, "makes_targets"):
                loaded = True
            elif not isinstance(step, Transform):
                continue  # the samples themselves are looked at
            elif loaded and step.changes_size:
                raise ConfigError(
                    f"{name} changes the size of the labels, and scores are those of "
                    f"the original size: put it before LoadAnnotations{_hint(step)}"
                )
            elif not loaded and step.moves_pixels and not step.loads_image:
                raise ConfigError(
                    f"{name} crops, pads, flips or rotates the image before "
                    "LoadAnnotations reads a label that stays as it is: take it out"
                    f"{_hint(step)}"
                )


def _hint(step):
    if type(step).__name__ in transforms.__all__:
        return ""
    return (
        "; or, where it does not do so, set changes_size = False and moves_pixels = "
        f"False in the class {type(step).__name__}"
    )


def check_targets(model: Any, sample: Container[str], path: str) -> None:
    """Refuses training samples that lack what the losses of a model read.

    Args:
        model: the segmentor.
        sample: one of them, or a batch.
        path: where the data set stands in the config.

    Raises:
        ConfigError: naming the targets and the transforms that make them.
    """
    missing = [key for key in model.target_keys if key not in sample]
    if not missing:
        return
    table = {name: getattr(transforms, name) for name in transforms.__all__}
    makers = [name for name, t in table.items() if set(missing) & set(t.makes_targets)]
    hint = f": put {' and '.join(makers)} into the pipeline" if makers else ""
    raise ConfigError(
        f"{path}: its samples have no {', '.join(missing)}, which the losses of the "
        f"model need{hint}"
    )


def check_sides(dataset: SegDataset, size_of: Mapping[str, Size], path: str) -> None:
    """Refuses images of which a pipeline may leave no pixel.

    Args:
        dataset: the data set of a split.
        size_of: (height, width) of its image files, from `scan`.
        path: where it stands in the config.

    Raises:
        ConfigError: naming the transform and an image.
    """
    for part in dataset.parts():
        for size, file in _examples(part, size_of).items():
            sides = size[::-1]
            for step in part.pipeline:
                if not does(step, "changes_size"):
                    continue
                tell = getattr(step, "smallest_size", lambda before: None)
                sides = tell(sides)
                if sides is None:
                    break
                if min(sides) < 1:
                    raise ConfigError(
                        f"{path}: {type(step).__name__} in the pipeline may make "
                        f"{sides[1]}x{sides[0]} (height x width) of {file}, which is "
                        f"{size[0]}x{size[1]}; each side must be 1 or more. Leave so "
                        "thin an image out, or choose a larger scale"
                    )


def check_model_sizes(
    model: Any,
    dataset: SegDataset,
    size_of: Mapping[str, Size],
    tta: TestTimeAug | None,
    path: str,
) -> None:
    """Refuses images that reach the model at a size that it does not take.

    Args:
        model: the segmentor.
        dataset: the data set of the validation.
        size_of: (height, width) of its image files, from `scan`.
        tta: the versions of an image, or None.
        path: where the data set stands in the config.

    Raises:
        ConfigError: with an image, how many there are, and what the model takes.
    """
    refused, first, count = 0, None, 0
    for part in dataset.parts():
        if any(does(step, "draws") for step in part.pipeline):
            continue
        examples = _examples(part, size_of)
        count += len(examples)
        for size, file in examples.items():
            image, _ = sizes_after(part.pipeline, size)
            if image is None:
                break
            try:
                check_size(model, image, tta)
            except ModelSizeError as error:
                refused += 1
                first = first or f"{file}: {error}"
    if refused:
        raise ConfigError(
            f"{path}: the model does not take images of {refused} of their {count} "
            f"sizes, such as {first}"
        )


def check_size(model: Any, size: Size, tta: TestTimeAug | None) -> None:
    """Raises ModelSizeError unless a model takes images of (height, width).

    Args:
        model: the segmentor.
        size: the size of an image behind the pipeline.
        tta: the versions of an image that the model gets instead, or None.
    """
    crop = model.test_cfg.window
    for height, width in (size,) if tta is None else tta.scaled_sizes(size):
        if min(height, width) < 1:
            raise ModelSizeError(
                f"tta scales an image of {size[0]}x{size[1]} to {height}x{width} "
                "(height x width); each side must be 1 or more"
            )
        height, width = model.data_preprocessor.test_size((height, width))
        if crop is not None:  # windows; of a smaller image, the image
            height, width = min(height, crop[0]), min(width, crop[1])
        model.check_size((height, width))


def _examples(part: SegDataset, size_of: Mapping[str, Size]) -> dict[Size, str]:
    """The first image of each size, as the source knows them or the scan found them."""
    sizes = part.known_sizes() or {
        image: size_of[image] for image, _ in part.files() if image in size_of
    }
    found = {}
    for image, size in sizes.items():
        found.setdefault(size, image)
    return found

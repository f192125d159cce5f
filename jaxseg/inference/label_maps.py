"""Label maps of a batch, with or without augmentation at test time."""

from typing import Any

import jax
import numpy as np

from jaxseg.inference.predictor import Predictor
from jaxseg.settings.tta import TestTimeAug


def predict_label_maps(
    predictor: Predictor,
    variables: Any,
    images: np.ndarray,
    size: tuple[int, int],
    tta: TestTimeAug | None,
) -> jax.Array:
    """`Predictor.label_maps`, of the mean over the versions if there is a `tta`.

    Args:
        predictor, variables, size: as there.
        images: (N, H, W, C) as loaded; with `tta` at their own size.
        tta: the versions, or None.
    """
    if tta is None:
        return predictor.label_maps(variables, images, size)
    scaled = [tta.scaled(image) for image in images]
    versions = [np.stack(images) for images in zip(*scaled, strict=True)]
    return predictor.augmented_label_maps(variables, versions, size, tta.directions)

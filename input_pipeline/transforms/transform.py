"""Transform: the role of a pipeline's entry, which says what it does to a sample."""

from typing import Any, ClassVar

import numpy as np


class Transform:
    """Base of the transforms, `(results, rng) -> results`, and what each says of itself.

    Whoever plans with a pipeline (the sizes of an evaluation, the doctor, the device's
    share of the augmentation) asks these attributes, and keeps no list of names. Their
    defaults are for a transform of which nothing is known. A class sets what is true
    for all its instances, and makes a property of what depends on its fields.

    Attributes:
        draws: the result depends on `rng`.
        changes_size: `img` may come out with another height or width; `output_size`
            then says which.
        moves_pixels: the result is not the whole image any more, or not in its place:
            cropped, padded, flipped, rotated. An image that is only stretched has not
            moved.
        touches_pixels: the transform reads or changes `img` or a target.
        loads_image: `img` comes from here.
        makes_targets: the keys of the targets (`gt_*`) that come from here; `img` then
            stays as it is, and for images without labels the transform is left out.
        can_leave_to_device: the field `on_device` leaves the work to the training step;
            the transform then draws only.
    """

    draws: ClassVar[bool] = True
    changes_size: ClassVar[bool] = True
    moves_pixels: ClassVar[bool] = True
    touches_pixels: ClassVar[bool] = True
    loads_image: ClassVar[bool] = False
    makes_targets: ClassVar[tuple[str, ...]] = ()
    can_leave_to_device: ClassVar[bool] = False

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        """Returns the record with what the transform changes; `results` stays."""
        raise NotImplementedError

    def get_indices(self, count: int, rng: np.random.Generator) -> tuple[int, ...]:
        """Draws which of a data set's `count` samples this one is mixed with.

        A MultiImageMixDataset puts them under `mix_results`, a list of records.
        """
        return ()

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int] | None:
        """(w, h) of the result for an image of `size` = (w, h).

        Args:
            size: (w, h) before.
            rng: what draws, where the size is drawn.

        Returns:
            (w, h), or None where it cannot be told.
        """
        return None if self.changes_size else size

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int] | None:
        """As `output_size`, of what is drawn the smallest."""
        return None if self.changes_size else size


def does(transform: Any, what: str) -> Any:
    """An attribute of `Transform`, also of a plain function in a pipeline."""
    return getattr(transform, what, getattr(Transform, what))

"""Rotation, or quarter turns with a flip, as TransUNet augments slices of a scan."""

import dataclasses

import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.resize import image_size
from input_pipeline.transforms.rotate import rotate
from input_pipeline.transforms.targets import changed_targets
from input_pipeline.transforms.transform import Transform


@dataclasses.dataclass(frozen=True)
class RandomRotFlip(Transform):
    """Rotates by a random angle; or turns by quarters and then mirrors; or does nothing.

    Chen et al., TransUNet, arXiv:2102.04306. Targets are rotated as there: they are not
    interpolated. (MMSegmentation interpolates the ids.)

    Attributes:
        rotate_prob: probability of a rotation.
        flip_prob: probability, where nothing is rotated, of 0 to 3 quarter turns
            and a flip. An odd number of turns exchanges height and width.
        degree: largest angle, either way; or smallest and largest. Pixels that come in
            are 0, in the targets too: black is the background of a scan.
    """

    rotate_prob: float = 0.5
    flip_prob: float = 0.5
    degree: float | tuple[float, float] = (-20, 20)

    def __post_init__(self):
        for name in ("rotate_prob", "flip_prob"):
            prob = getattr(self, name)
            if not 0 <= prob <= 1:
                raise DataError(
                    f"RandomRotFlip.{name} is {prob}; it must be in [0, 1]."
                )
        if isinstance(self.degree, tuple):
            fits = len(self.degree) == 2
        else:
            fits = self.degree > 0
        if not fits:
            raise DataError(
                f"RandomRotFlip.degree is {self.degree}; it must be an angle above 0, "
                "or two angles."
            )

    def draw(
        self, rng: np.random.Generator
    ) -> tuple[float | None, tuple[int, int] | None]:
        """Draws (degrees, None), (None, (quarter turns, axis of the flip)) or neither."""
        degrees = None
        if rng.random() < self.rotate_prob:
            several = isinstance(self.degree, tuple)
            ends = self.degree if several else (-self.degree, self.degree)
            degrees = rng.uniform(min(ends), max(ends))
        # Drawn either way, as MMSegmentation does.
        if rng.random() < self.flip_prob and degrees is None:
            return None, (int(rng.integers(0, 4)), int(rng.integers(0, 2)))
        return degrees, None

    def output_size(
        self, size: tuple[int, int], rng: np.random.Generator | None = None
    ) -> tuple[int, int] | None:
        """(w, h) of the result, by the turns that are drawn; None without `rng`."""
        if rng is None:
            return None
        _, turned = self.draw(rng)
        return size[::-1] if turned and turned[0] % 2 else size

    def smallest_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(w, h) of what is not turned; a turned image has the same two sides."""
        return size

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        degrees, turned = self.draw(rng)
        if degrees is not None:
            changed = {"img": rotate(results["img"], degrees)}
            changed |= changed_targets(results, lambda t: rotate(t, degrees, "nearest"))
            return results | changed
        if turned is None:
            return results

        def turn(array):
            return np.flip(np.rot90(array, turned[0]), axis=turned[1]).copy()

        changed = {"img": turn(results["img"])} | changed_targets(results, turn)
        size = image_size(changed)
        return results | changed | {"img_shape": size[::-1]}

"""Random flips."""

import dataclasses
from typing import ClassVar

import cv2
import numpy as np

from input_pipeline.errors import DataError
from input_pipeline.transforms.targets import changed_targets
from input_pipeline.transforms.transform import Transform

_CV2_CODES = {"horizontal": 1, "vertical": 0, "diagonal": -1}


def flip(array: np.ndarray, direction: str) -> np.ndarray:
    """Mirrors (H, W) or (H, W, C) 'horizontal'ly, 'vertical'ly, or both: 'diagonal'."""
    # 40 times as fast as a contiguous copy of array[:, ::-1].
    return cv2.flip(array, _CV2_CODES[direction]).reshape(array.shape)


@dataclasses.dataclass(frozen=True)
class RandomFlip(Transform):
    """Mirrors image and targets, or leaves them.

    Attributes:
        prob: probability of a flip, shared evenly by the directions; or one probability
            a direction.
        direction: 'horizontal', 'vertical' or 'diagonal' (both), or several of them.
        on_device: draw only, and say in `device_flip` what is left to do: horizontal
            and vertical, two truth values.
    """

    prob: float | tuple[float, ...]
    direction: str | tuple[str, ...] = "horizontal"
    on_device: bool = False

    changes_size: ClassVar[bool] = False
    can_leave_to_device: ClassVar[bool] = True

    def __post_init__(self):
        unknown = [d for d in self._directions if d not in _CV2_CODES]
        if unknown or not self._directions:
            raise DataError(
                f"RandomFlip.direction is {self.direction!r}; allowed are {tuple(_CV2_CODES)}."
            )
        probs = self._probabilities
        # Not the other way round: a NaN fits no comparison.
        fits = all(prob >= 0 for prob in probs) and sum(probs) <= 1
        if len(probs) != len(self._directions) or not fits:
            raise DataError(
                f"RandomFlip.prob is {self.prob} for direction={self.direction}; it "
                "must be a number in [0, 1], or one a direction with a sum of 1 at most."
            )

    @property
    def _directions(self) -> tuple[str, ...]:
        return (self.direction,) if isinstance(self.direction, str) else self.direction

    @property
    def _probabilities(self) -> tuple[float, ...]:
        if isinstance(self.prob, tuple):
            return self.prob
        count = len(self._directions)
        return (self.prob / count,) * count

    def draw(self, rng: np.random.Generator) -> str | None:
        """Draws a direction, or None: no flip."""
        probs = self._probabilities
        which = rng.choice(len(probs) + 1, p=[*probs, max(1.0 - sum(probs), 0.0)])
        return (*self._directions, None)[which]

    def __call__(self, results: dict, rng: np.random.Generator) -> dict:
        direction = self.draw(rng)
        changed = {"flip": direction is not None, "flip_direction": direction}
        if self.on_device:
            axes = (("horizontal", "diagonal"), ("vertical", "diagonal"))
            changed["device_flip"] = np.array([direction in axis for axis in axes])
        elif direction is not None:
            changed["img"] = flip(results["img"], direction)
            changed |= changed_targets(results, lambda target: flip(target, direction))
        return results | changed

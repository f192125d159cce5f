"""Test-time augmentation: the versions of an image that are averaged."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from input_pipeline.transforms import Resize, ResizeShortestEdge
from input_pipeline.transforms.transform import does
from jaxseg.errors import FieldError
from jaxseg.settings.pipelines import kept_transforms

_MAX_RATIO = 100  # of the size of an image
_NO_BOUND = 1 << 30  # of the long side


@dataclasses.dataclass(frozen=True)
class TestTimeAug:
    """`tta`: the versions of an image whose probabilities are averaged.

    Attributes:
        enabled: whether it is used. A config of mmseg 1.x says what `--tta` would do,
            and does not do it by itself.
        img_ratios: scales. As in mmseg 1.x they multiply the image's own size.
        img_scale: (width, height) that they multiply instead, as in mmseg 0.x; the
            image then keeps its ratio within it.
        min_size: the short side becomes that of the scale, or `min_size` if this is
            more, whatever length the long side then has, as by 0.x's Resize. It needs
            `img_scale`.
        flip: whether each scale is also flipped.
        flip_direction: `horizontal`, `vertical`, or both in a list.
    """

    enabled: bool = True
    img_ratios: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    img_scale: tuple[int, int] | None = None
    min_size: int | None = None
    flip: bool = True
    flip_direction: str | tuple[str, ...] = "horizontal"

    def __post_init__(self):
        fits = all(0 < ratio <= _MAX_RATIO for ratio in self.img_ratios)
        if not self.img_ratios or not fits:
            raise FieldError(
                f"img_ratios: is {self.img_ratios}, it takes one ratio or more, each "
                f"above 0 and {_MAX_RATIO} at most"
            )
        if self.min_size is not None and (self.min_size < 1 or not self.img_scale):
            raise FieldError(
                f"min_size: is {self.min_size} with img_scale={self.img_scale}; it must "
                "be 1 or more, and needs an img_scale"
            )
        for direction in self.directions:
            if direction not in ("horizontal", "vertical"):
                raise FieldError(
                    f"flip_direction: {direction!r} is not allowed; horizontal and "
                    "vertical are"
                )

    @property
    def directions(self) -> tuple[str, ...]:
        """The flips that are added to every scale."""
        if not self.flip:
            return ()
        one = isinstance(self.flip_direction, str)
        return (self.flip_direction,) if one else self.flip_direction

    def scaled(self, image: np.ndarray) -> list[np.ndarray]:
        """(H, W, C) -> the image at every scale."""
        rng = np.random.default_rng(0)  # a plain Resize draws nothing
        return [self._resize(r)({"img": image}, rng)["img"] for r in self.img_ratios]

    def scaled_sizes(self, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
        """(height, width) of an image -> those of what `scaled` makes of it."""
        steps = map(self._resize, self.img_ratios)
        return tuple(step.output_size(size[::-1])[::-1] for step in steps)

    def _resize(self, ratio):
        if self.img_scale is None:
            return Resize(scale_factor=ratio, keep_ratio=True)
        scale = tuple(int(side * ratio) for side in self.img_scale)
        if self.min_size is not None:
            shortest = max(self.min_size, min(scale))
            return ResizeShortestEdge(shortest, max_size=_NO_BOUND)
        return Resize(scale=scale, keep_ratio=True)


def without_resizing(
    pipeline: Sequence[Mapping[str, Any]], path: str
) -> list[Mapping[str, Any]]:
    """The transforms of a config without those that stretch an image.

    They are what goes before `TestTimeAug`, which scales the image itself.

    Args:
        pipeline: the pipeline of a config.
        path: where it stands, for errors.
    """
    return kept_transforms(
        pipeline,
        path,
        lambda cls: does(cls, "moves_pixels") or not does(cls, "changes_size"),
    )

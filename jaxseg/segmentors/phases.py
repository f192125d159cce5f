"""Phases: what a segmentor does in training alone, and in testing alone."""

import dataclasses
import operator

from jaxseg.errors import FieldError


@dataclasses.dataclass(frozen=True)
class TrainCfg:
    """`model.train_cfg`; as in mmseg, an EncoderDecoder has nothing to say there."""


@dataclasses.dataclass(frozen=True)
class TestCfg:
    """`model.test_cfg`: how images are cut for the network.

    Attributes:
        mode: `whole`, or `slide` with windows that overlap.
        crop_size: for mode `slide`, (height, width) of a window in pixels.
        stride: for mode `slide`, (height, width) from one window to the next.
        buckets: whether an evaluation may pad images to a few sizes
            (docs/evaluation.md).
    """

    __test__ = False  # It is no test of pytest's.

    mode: str = "whole"
    crop_size: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    buckets: bool = True

    @property
    def window(self) -> tuple[int, int] | None:
        """(height, width) of the windows, or None where whole images run."""
        return self.crop_size if self.mode == "slide" else None

    def __post_init__(self):
        if self.mode not in ("whole", "slide"):
            raise FieldError(f"mode: is {self.mode!r}, allowed: 'whole', 'slide'")
        for key in ("crop_size", "stride"):
            value = getattr(self, key)
            if value is None and self.mode == "slide":
                raise FieldError(f"{key}: mode='slide' needs (height, width) in pixels")
            if value is not None and min(value) < 1:
                raise FieldError(f"{key}: is {value}, both must be 1 at least")
        if self.mode == "slide" and any(map(operator.gt, self.stride, self.crop_size)):
            raise FieldError(
                f"stride: is {self.stride}, larger than crop_size={self.crop_size}: no "
                "window would see the pixels in between"
            )

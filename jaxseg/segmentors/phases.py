"""Phases: what a segmentor does in training alone, and in testing alone."""

import dataclasses
import operator

from jaxseg.errors import FieldError

MODES = ("whole", "slide", "slide_flip")


@dataclasses.dataclass(frozen=True)
class TrainCfg:
    """`model.train_cfg`; as in mmseg, an EncoderDecoder has nothing to say there."""


@dataclasses.dataclass(frozen=True)
class TestCfg:
    """`model.test_cfg`: how images are cut for the network.

    Attributes:
        mode: `whole`; `slide`, with windows that overlap; or `slide_flip`, with the
            mean of each window and of what is predicted of it turned round, of models
            of depth.
        crop_size: for windows, (height, width) of a window in pixels.
        stride: for windows, (height, width) from one window to the next.
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
        return None if self.mode == "whole" else self.crop_size

    def __post_init__(self):
        if self.mode not in MODES:
            allowed = ", ".join(map(repr, MODES))
            raise FieldError(f"mode: is {self.mode!r}, allowed: {allowed}")
        cuts = self.mode != "whole"
        for key in ("crop_size", "stride"):
            value = getattr(self, key)
            if value is None and cuts:
                raise FieldError(
                    f"{key}: mode={self.mode!r} needs (height, width) in pixels"
                )
            if value is not None and min(value) < 1:
                raise FieldError(f"{key}: is {value}, both must be 1 at least")
        if cuts and any(map(operator.gt, self.stride, self.crop_size)):
            raise FieldError(
                f"stride: is {self.stride}, larger than crop_size={self.crop_size}: no "
                "window would see the pixels in between"
            )

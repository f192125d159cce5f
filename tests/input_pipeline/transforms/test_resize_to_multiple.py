"""What sides of a multiple refuse; their pixels are among mmseg's examples."""

import pytest

from input_pipeline.transforms import ResizeToMultiple


def test_what_is_refused():
    with pytest.raises(ValueError, match="size_divisor is 0"):
        ResizeToMultiple(0)
    with pytest.raises(ValueError, match="'linear'"):
        ResizeToMultiple(interpolation="linear")

"""First layers for another number of channels: timm's `adapt_input_conv`."""

import ml_dtypes
import numpy as np
import pytest

from jaxseg.weights.adapt import adapt_in_channels

RGB = np.array([1.0, 2.0, 6.0], np.float32).reshape(1, 3, 1, 1)


@pytest.mark.parametrize(
    "channels, expected",
    [
        (1, [9.0]),
        (2, [1.5, 3.0]),
        (4, [0.75, 1.5, 4.5, 0.75]),
        (6, [0.5, 1.0, 3.0, 0.5, 1.0, 3.0]),
    ],
)
def test_one_channel_has_the_sum_and_others_repeat(channels, expected):
    assert adapt_in_channels(RGB, channels).ravel().tolist() == expected


def test_the_type_is_kept_and_the_sum_is_not_rounded_on_the_way():
    # In bfloat16, 256 + 1 is 256 and stays so.
    narrow = np.array([256, 1, 1], ml_dtypes.bfloat16).reshape(1, 3, 1, 1)
    adapted = adapt_in_channels(narrow, 1)
    assert adapted.dtype == narrow.dtype and float(adapted.item()) == 258.0


def test_only_weights_for_three_channels_have_a_rule():
    with pytest.raises(ValueError, match="for 4 channels, not for 3"):
        adapt_in_channels(np.zeros((2, 4, 1, 1)), 6)

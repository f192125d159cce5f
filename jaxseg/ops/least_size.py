"""The least size of a feature map: what an operation leaves no pixel of is refused."""

import jax

from jaxseg.errors import ModelSizeError


def check_window(
    x: jax.Array,
    sides: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int] = (1, 1),
) -> None:
    """Refuses a feature map into which not one window fits.

    Args:
        x: (N, H, W, C).
        sides: taps of the window, (vertical, horizontal) as all that follow.
        padding: pixels added on either side.
        dilation: distance between two taps, in pixels.

    Raises:
        ModelSizeError: with the sizes of both.
    """
    reach = [gap * (side - 1) + 1 for side, gap in zip(sides, dilation, strict=True)]
    padded = [side + 2 * pad for side, pad in zip(x.shape[1:3], padding, strict=True)]
    if reach[0] > padded[0] or reach[1] > padded[1]:
        raise ModelSizeError(
            f"a window of {reach[0]} x {reach[1]} does not fit into a feature map of "
            f"{padded[0]} x {padded[1]} (H x W, with its padding): the model takes "
            "larger images only"
        )


def check_not_empty(before: tuple[int, int], after: tuple[int, int]) -> None:
    """Refuses a resize that leaves nothing.

    Args:
        before: (height, width) of the feature map.
        after: (height, width) of the result.

    Raises:
        ModelSizeError: with both.
    """
    if min(after) < 1:
        raise ModelSizeError(
            f"a feature map of {before[0]} x {before[1]} (H x W) is resized to "
            f"{after[0]} x {after[1]}: the model takes larger images only"
        )

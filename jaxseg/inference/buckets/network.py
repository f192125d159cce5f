"""Masked network: a segmentor at the size of a bucket, for smaller images as well."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxseg.errors import ModelSizeError
from jaxseg.inference.buckets.plain_sums import find_plain_sum
from jaxseg.ops.padded.valid_size import NoMaskedForm, ValidSizes


class MaskedNetwork:
    """Traced once, to learn how the sizes of its feature maps follow from an image's.

    Attributes:
        sizes: the sizes of its feature maps.
        logits_shape: (h, w, C) in the bucket.
    """

    def __init__(
        self,
        run: Callable[[Any, Any], tuple[jax.Array, Any]],
        variables: Any,
        channels: int,
        size: tuple[int, int],
    ):
        """Traces the network, without compiling it.

        Args:
            run: (variables, images (N, H, W, C) as loaded) -> `Segmentor.maps`.
            variables: params and batch_stats.
            channels: the number of channels of the images.
            size: (height, width) of the bucket.

        Raises:
            NoMaskedForm: if an operation cannot run on padded images.
            ModelSizeError: if the model does not take images of that size.
        """
        self._run = run
        self.sizes = ValidSizes(size)
        # Two: of one image, JAX's products leave out the axis of the images.
        images = jax.ShapeDtypeStruct((2, *size, channels), np.uint8)
        with self.sizes.tracing(2):
            traced, outputs = jax.make_jaxpr(run, return_shape=True)(variables, images)
        if (found := find_plain_sum(traced, self.sizes)) is not None:
            raise NoMaskedForm(f"{found}, and not through jaxseg.ops.context")
        logits, _ = outputs
        self.logits_shape = logits.shape[1:]
        self.logits_size(size)

    def __call__(
        self, variables: Any, images: jax.Array, arrays: Any
    ) -> tuple[jax.Array, Any]:
        """The maps, (N, h, w, c), of images padded to the bucket, and `per_image`.

        Args:
            variables: params and batch_stats.
            images: (N, H, W, C), of which the padding may be anything.
            arrays: `sizes.arrays` of the images' sizes.
        """
        with self.sizes.tracing(images.shape[0], arrays):
            return self._run(variables, images)

    def logits_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of the valid logits of an image of a size."""
        height, width = (
            self.sizes.length_at(axis, self.logits_shape[axis], size[axis])
            for axis in range(2)
        )
        return height, width


def make_masked(
    make: Callable[[tuple[int, int]], MaskedNetwork],
    size: tuple[int, int],
    images: Sequence[tuple[int, int]],
) -> MaskedNetwork:
    """A network for a bucket in which as many images as possible are exact.

    Two feature maps that are equally long in the bucket, but not for every image,
    are kept apart where a side is a multiple of 32 and one more: halvings that round
    up make 65 of it 33, 17, 9, 5, and doubling meets none of them again. So a side
    that fails some images is tried as long as that.

    Args:
        make: from the size of a bucket to its network.
        size: (height, width) of the bucket.
        images: those of the images in it.
    """
    first = make(size)
    longer = tuple(
        side if all(exact[image[axis]] for image in images) else -(-side // 32) * 32 + 1
        for axis, (side, exact) in enumerate(zip(size, first.sizes.exact, strict=True))
    )
    if longer == tuple(size):
        return first
    try:
        second = make(longer)
    except (ModelSizeError, NoMaskedForm):  # a model that takes multiples only
        return first
    taken = [sum(map(network.sizes.takes, images)) for network in (first, second)]
    return second if taken[1] > taken[0] else first

"""What the host's pipeline has drawn and left to the device."""

from collections.abc import Mapping

import jax

from jaxseg.ops.flip import flip_within
from jaxseg.ops.photometric import distort


def augment(batch: Mapping[str, jax.Array]) -> tuple[jax.Array, jax.Array]:
    """The images and labels of a training batch, flipped and distorted as was drawn.

    The draws are the host's, of its generator for each sample; so the batch is the same
    as if the host had done the work, but for a grey level here and there
    (`ops/photometric.py`), on any number of devices and after a restart.

    Args:
        batch: `img` (N, H, W, C), `gt_seg_map` (N, H, W), `img_shape` (N, 2); and, if
            `train_dataloader.augment_on_device` is set, `device_flip` (N, 2) bool,
            horizontal and vertical, and `device_distortion` (N, 5), as
            `ops.photometric.distort` takes it.

    Returns:
        Images and labels.
    """
    images, labels = batch["img"], batch["gt_seg_map"]
    if "device_flip" in batch:
        flips = batch["device_flip"].T
        images = flip_within(images, batch["img_shape"], *flips)
        labels = flip_within(labels, batch["img_shape"], *flips)
    if "device_distortion" in batch:
        images = distort(images, batch["device_distortion"])
    return images, labels

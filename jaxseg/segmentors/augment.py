"""Augmentation on the device: what the host's pipeline has drawn and left to it."""

from collections.abc import Mapping

import jax

from jaxseg.ops.flip import flip_within
from jaxseg.ops.photometric import distort


def augment(
    batch: Mapping[str, jax.Array],
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The images and targets of a training batch, flipped and distorted as was drawn.

    The draws are the host's, of its generator for each sample; so the batch is the same
    as if the host had done the work, but for a grey level here and there
    (`ops/photometric.py`), on any number of devices and after a restart.

    Args:
        batch: `img` (N, H, W, C), every `gt_*` (N, H, W), `img_shape` (N, 2); and, if
            `train_dataloader.augment_on_device` is set, `device_flip` (N, 2) bool,
            horizontal and vertical, and `device_distortion` (N, 5), as
            `ops.photometric.distort` takes it.

    Returns:
        Images, and the targets by their keys.
    """
    images = batch["img"]
    targets = {key: batch[key] for key in batch if key.startswith("gt_")}
    if "device_flip" in batch:
        flips = batch["device_flip"].T
        images = flip_within(images, batch["img_shape"], *flips)
        targets = {
            key: flip_within(target, batch["img_shape"], *flips)
            for key, target in targets.items()
        }
    if "device_distortion" in batch:
        images = distort(images, batch["device_distortion"])
    return images, targets

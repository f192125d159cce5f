"""Flip and distortion on the device: what the host would have made, and when."""

import pathlib

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from input_pipeline.loader import train_batches
from jaxseg.config import ConfigError
from jaxseg.segmentors.augment import augment
from jaxseg.settings.read import read_settings
from jaxseg.train.sharding import make_mesh, put_batch
from tests import tiny
from tests.xla_flags import OPTIMIZED

CROP = dict(type="RandomCrop", crop_size=[40, 64])
AUGMENTED = [
    CROP,
    dict(
        type="RandomFlip",
        prob=[0.3, 0.3, 0.3],
        direction=["horizontal", "vertical", "diagonal"],
    ),
    dict(type="PhotoMetricDistortion"),
]


def config_of(data: pathlib.Path, augmentation, **loader):
    config = tiny.get_config(str(data))
    pipeline = config["train_dataloader"]["dataset"]["pipeline"]
    pipeline[2:-1] = augmentation
    config["train_dataloader"] |= loader
    return config


def batches(config, count=6):
    loader = read_settings(config).train_dataloader
    # Samples are smaller than the batch, and padded.
    with train_batches(loader.dataset, 4, seed=0, size=(64, 64)) as found:
        return [next(found) for _ in range(count)]


def test_the_device_makes_what_the_host_makes(tiny_data):
    host = batches(config_of(tiny_data, AUGMENTED))
    device = batches(config_of(tiny_data, AUGMENTED, augment_on_device=True))
    distorted = 0
    for one, other in zip(host, device, strict=True):
        images, targets = jax.jit(augment, compiler_options=OPTIMIZED)(other)
        images = np.asarray(images)
        np.testing.assert_array_equal(targets["gt_seg_map"], one["gt_seg_map"])
        np.testing.assert_array_equal(other["img_shape"], one["img_shape"])
        difference = images.astype(int) - one["img"]
        # Of padding, below row 40, the preprocessor takes no notice.
        assert np.abs(difference[:, :40]).max() <= 1
        distorted += (other["img"] != one["img"])[:, :40].any(axis=(1, 2, 3)).sum()
    assert distorted > 12


def test_flips_of_padded_samples_are_exact(tiny_data):
    narrow = dict(type="RandomCrop", crop_size=[40, 48])
    augmentation = [narrow, AUGMENTED[1]]
    host = batches(config_of(tiny_data, augmentation))
    device = batches(config_of(tiny_data, augmentation, augment_on_device=True))
    seen = set()
    for one, other in zip(host, device, strict=True):
        images, targets = augment(other)
        np.testing.assert_array_equal(images, one["img"])
        np.testing.assert_array_equal(targets["gt_seg_map"], one["gt_seg_map"])
        seen |= {tuple(flips) for flips in other["device_flip"].tolist()}
    assert len(seen) == 4, "none, either, both"


def test_every_target_is_flipped_with_its_image(tiny_data):
    crop, flip, _ = AUGMENTED
    edges = dict(type="GenerateEdge", edge_width=4)
    augmentation = [crop, edges, flip]
    host = batches(config_of(tiny_data, augmentation), 2)
    device = batches(config_of(tiny_data, augmentation, augment_on_device=True), 2)
    for one, other in zip(host, device, strict=True):
        assert other["device_flip"].any()
        _, targets = augment(other)
        assert targets.keys() == {"gt_seg_map", "gt_edge_map"}
        for key, target in targets.items():
            np.testing.assert_array_equal(target, one[key])
            assert target.dtype == np.uint8
        assert set(np.unique(one["gt_edge_map"])) == {0, 1, 255}


def test_split_over_devices_it_is_the_same(tiny_data):
    (batch,) = batches(config_of(tiny_data, AUGMENTED, augment_on_device=True), 1)
    expected = jax.jit(augment, compiler_options=OPTIMIZED)(batch)
    mesh = make_mesh({"data": 4, "fsdp": 1, "spatial": 2})
    split = jax.jit(
        jax.shard_map(
            augment,
            mesh=mesh,
            in_specs=P("data"),
            out_specs=P("data"),
            axis_names={"data"},
        ),
        compiler_options=OPTIMIZED,
    )
    jax.tree.map(np.testing.assert_array_equal, expected, split(put_batch(batch, mesh)))


def test_without_it_and_in_evaluation_nothing_is_left_to_do(tiny_data):
    config = config_of(tiny_data, AUGMENTED)
    batch = batches(config, 1)[0]
    images, targets = augment(batch)
    assert images is batch["img"]
    assert targets == {"gt_seg_map": batch["gt_seg_map"]}
    settings = read_settings(config_of(tiny_data, AUGMENTED, augment_on_device=True))
    sample = settings.val_dataloader.dataset.sample(0, np.random.default_rng(0))
    assert not {"device_flip", "device_distortion"} & sample.keys()


def test_pipelines_that_do_not_allow_it(tiny_data):
    _, flip, colours = AUGMENTED
    rotate = dict(type="RandomRotate", prob=0.5, degree=10)
    for augmentation, message in (
        ([CROP], "dataset.pipeline: augment_on_device is set, and there is none of"),
        ([flip, rotate], "RandomFlip may be .* found RandomFlip, RandomRotate, Pack"),
        (
            [flip, dict(type="GenerateEdge")],
            "RandomFlip may be .* found RandomFlip, GenerateEdge, PackSegInputs",
        ),
        ([flip, colours, flip], "once, .* PhotoMetricDistortion, RandomFlip, PackSeg"),
    ):
        config = config_of(tiny_data, augmentation, augment_on_device=True)
        with pytest.raises(ConfigError, match=message):
            read_settings(config)
    config = config_of(tiny_data, AUGMENTED)
    config["val_dataloader"]["augment_on_device"] = True
    with pytest.raises(ConfigError, match="val_dataloader.augment_on_device"):
        read_settings(config)

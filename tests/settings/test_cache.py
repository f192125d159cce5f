"""A loader's `cache`, and the command that makes one."""

import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline.datasets import PackedDataset
from input_pipeline.loader import train_batches
from input_pipeline.packing.write import pack
from jaxseg.config import ConfigError
from jaxseg.settings.cache import dataset_to_pack
from jaxseg.settings.read import read_settings
from tests import tiny

ROOT = pathlib.Path(__file__).parents[2]
COMMAND = [sys.executable, "-W", "error", "scripts/pack_dataset.py"]


def first_batch(config):
    loader = read_settings(config).train_dataloader
    with train_batches(loader.dataset, loader.batch_size, seed=1) as batches:
        return loader.dataset, next(batches)


def packed(config, split, folder):
    dataset, described = dataset_to_pack(config, split)
    pack(dataset, folder, config=described)
    return str(folder)


def test_a_run_reads_the_cache_instead(tiny_data, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    config = tiny.get_config(str(data))
    _, expected = first_batch(config)
    config["train_dataloader"]["cache"] = packed(config, "train", tmp_path / "train")
    config["val_dataloader"]["cache"] = packed(config, "val", tmp_path / "val")
    shutil.rmtree(data)  # as on a pod that has the packed files alone
    config["train_dataloader"]["dataset"]["data_root"] = "elsewhere"
    dataset, found = first_batch(config)
    assert isinstance(dataset, PackedDataset)
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)
    # A test-time augmentation takes the resizing out of its pipeline as well.
    config["tta"] = dict(img_ratios=[1.0])
    assert len(read_settings(config).val_dataloader.dataset) == 4


def mixed(config):
    """The config with its training set in a MultiImageMixDataset."""
    inside = config["train_dataloader"]["dataset"]
    *steps, last = inside["pipeline"]
    inside["pipeline"] = steps
    mosaic = dict(type="RandomMosaic", prob=1.0, img_scale=[40, 40])
    config["train_dataloader"]["dataset"] = dict(
        type="MultiImageMixDataset",
        dataset=inside,
        pipeline=[mosaic, dict(type="RandomFlip", prob=0.5), last],
    )
    return config


def test_what_is_mixed_is_read_from_the_cache(tiny_data, tmp_path):
    config = mixed(tiny.get_config(str(tiny_data)))
    _, expected = first_batch(config)
    assert expected["img"].shape[1:3] == (80, 80)
    config["train_dataloader"]["cache"] = packed(config, "train", tmp_path / "train")
    dataset, found = first_batch(config)
    assert isinstance(dataset.dataset, PackedDataset)
    assert dataset.known_sizes() == dataset.dataset.known_sizes() != {}
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array)

    # The device takes over what stands behind the mosaic, and nothing before it.
    config["train_dataloader"]["augment_on_device"] = True
    dataset, left = first_batch(config)
    assert "device_flip" in left and "device_flip" not in found


def test_the_cache_of_another_data_set_is_refused(tiny_data, tmp_path):
    config = tiny.get_config(str(tiny_data))
    config["train_dataloader"]["cache"] = packed(config, "train", tmp_path / "train")
    config["train_dataloader"]["dataset"]["reduce_zero_label"] = True
    message = (
        "train_dataloader.cache: .*train holds another data set than "
        "train_dataloader.dataset: reduce_zero_label is True, packed was None"
    )
    with pytest.raises(ConfigError, match=message):
        read_settings(config)


def test_parts_with_different_pipelines_are_refused(tiny_data):
    config = tiny.get_config(str(tiny_data))
    part = config["train_dataloader"]["dataset"]
    other = part | {"pipeline": part["pipeline"][:2]}
    both = dict(type="ConcatDataset", datasets=[part, other])
    config["train_dataloader"]["dataset"] = both
    with pytest.raises(
        ConfigError, match="dataset: its parts have different pipelines"
    ):
        dataset_to_pack(config, "train")
    with pytest.raises(ConfigError, match="val_dataloader is missing"):
        dataset_to_pack({}, "val")


def test_the_command_packs_and_checks(tiny_data, tmp_path):
    data, out = tmp_path / "data", str(tmp_path / "out")
    shutil.copytree(tiny_data, data)
    command = [*COMMAND, "--config", "tests/tiny.py:elsewhere", "--dst", out]
    command.append(f"--config.train_dataloader.dataset.data_root={data}")

    def run(*more):
        return subprocess.run(
            [*command, *more],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    ran = run("--format", "arrayrecord")
    assert ran.returncode == 0, ran.stderr
    assert "12 samples, 12 images in 1 arrayrecord files" in ran.stdout
    (data / "labels/train/03.png").write_bytes(b"")
    ran = run("--check")
    assert ran.returncode == 1
    assert f"{data}/labels/train/03.png: changed since it was packed" in ran.stderr

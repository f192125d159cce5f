"""`python -m jaxseg.prepare` as a user types it, and the config that trains on it."""

import collections
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from input_pipeline.prepare.converters import CONVERTERS
from jaxseg.load_config import load_config
from jaxseg.prepare import main
from jaxseg.settings.read import read_settings
from tests.input_pipeline.prepare import made
from tests.input_pipeline.prepare.cases import CASES

ROOT = pathlib.Path(__file__).parents[1]


def test_from_the_download_to_a_config(tmp_path, capsys):
    folder = tmp_path / "out"
    arguments = [
        "drive",
        *made.write(tmp_path, CASES["drive"].archives),
        "--output",
        str(folder),
    ]
    arguments += ["--num_processes", "1"]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert "2 images of training, expected 20" in told
    assert main([*arguments, "--partial"]) == 0
    told = capsys.readouterr().out
    assert f"{folder}: 9 steps: 2 images of training, 2 images of test" in told
    assert "2 samples in train, 2 samples in val" in told
    assert f"--config experiments/prepared.py:{folder}\n" in told
    assert f"ln -s {folder} data/DRIVE" in told
    assert main([*arguments, "--partial"]) == 0
    assert "9 steps (9 done before)" in capsys.readouterr().out

    config = load_config(f"{ROOT}/experiments/prepared.py:{folder}")
    assert config["model"]["decode_head"]["num_classes"] == 2
    settings = read_settings(config)
    assert len(settings.train_dataloader.dataset) == 2


def test_pairs_of_images_train_too(tmp_path):
    folder = tmp_path / "LEVIRCD"
    sources = made.write(tmp_path, CASES["levir_cd"].archives)
    arguments = ["levir_cd", *sources, "--output", str(folder)]
    assert main([*arguments, "--partial", "--num_processes", "1"]) == 0
    config = load_config(f"{ROOT}/experiments/prepared.py:{folder}")
    assert config["model"]["backbone"]["in_channels"] == 6
    settings = read_settings(config)
    for loader in (settings.train_dataloader, settings.val_dataloader):
        sample = loader.dataset.sample(0, np.random.default_rng(0))
        assert sample["img"].shape[2] == 6 and "gt_seg_map" in sample


def test_classes_of_the_download(tmp_path):
    folder = tmp_path / "barcelona_out"
    sources = made.write(tmp_path, CASES["barcelona"].archives)
    arguments = ["barcelona", *sources, "--output", str(folder)]
    assert main([*arguments, "--partial", "--num_processes", "1"]) == 0
    config = load_config(f"{ROOT}/experiments/prepared.py:{folder}")
    assert config["model"]["decode_head"]["num_classes"] == 3
    dataset = read_settings(config).train_dataloader.dataset
    assert dataset.metainfo["classes"] == ("air conditioning", "airplane", "sky")


def test_processes_import_no_more_than_they_need(tmp_path):
    sources = made.write(tmp_path, CASES["drive"].archives)
    command = [sys.executable, "-m", "jaxseg.prepare", "drive", *sources, "--partial"]
    command += ["--output", str(tmp_path / "out"), "--num_processes", "2"]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONPROFILEIMPORTTIME": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = collections.Counter(
        line.split("|")[-1].strip()
        for line in ran.stderr.splitlines()
        if line.startswith("import time:")
    )
    assert imported["input_pipeline.prepare.output"] == 3
    assert imported["jax"] == imported["input_pipeline.prepare.run"] == 1


def unwrapped(capsys):
    """What was printed, the lines that argparse has broken joined again."""
    return " ".join(re.sub(r"-\n +", "-", capsys.readouterr().out).split())


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = unwrapped(capsys)
    for name, converter in CONVERTERS.items():
        assert (
            f"{name} {converter.title}. {converter.size}; {converter.licence}" in told
        )
    with pytest.raises(SystemExit):
        main(["drive", "--help"])
    told = unwrapped(capsys)
    drive = CONVERTERS["drive"]
    for said in (*drive.sources, drive.url, drive.licence, drive.home):
        assert said in told


def test_wrong_arguments(capsys):
    for arguments, message in (
        (["driv", "x.zip"], "'driv' (did you mean 'drive'?)"),
        (["drive"], "SOURCE"),
        (["drive", "x.zip", "--num_processes", "0"], "must be 1 at least"),
    ):
        with pytest.raises(SystemExit):
            main(arguments)
        assert message in capsys.readouterr().err


def test_every_experiment_that_is_named_is_there():
    for converter in CONVERTERS.values():
        assert not converter.train_with or (ROOT / converter.train_with).is_file()
        assert converter.home.startswith("data/")

"""The commands as a user types them."""

import json
import re
import shutil

import numpy as np
import pytest
from absl.testing import flagsaver
from PIL import Image

from jaxseg import main

COLORS = ((40, 40, 40), (220, 30, 30), (30, 200, 30), (30, 30, 220))


@pytest.fixture(scope="session")
def trained(command, tiny_data, tmp_path_factory):
    """A work directory after a short run, and what the run printed."""
    workdir = tmp_path_factory.mktemp("main") / "run"
    run = command(
        f"--config=tests/tiny.py:{tiny_data}",
        "--workdir",
        workdir,
        "--config.train_cfg.max_iters=20",
        "--config.train_cfg.val_interval=10",
        "--config.default_hooks.logger.interval=5",
    )
    return workdir, run.finish()


def test_training_writes_what_it_says(trained):
    workdir, output = trained
    score = json.loads((workdir / "eval.json").read_text())["summary"]["mIoU"]
    assert output.splitlines()[-1] == f"val mIoU {score:.2f}"
    lines = [
        json.loads(line)
        for line in (workdir / "metrics.jsonl").read_text().split("\n")[:-1]
    ]
    shown = [(line["step"], line["split"]) for line in lines]
    assert shown == [
        (5, "train"),
        (10, "train"),
        (10, "val"),
        (15, "train"),
        (20, "train"),
        (20, "val"),
    ]
    assert lines[-1]["mIoU"] == score
    expected = {"loss", "lr", "images_per_second", "data_wait", "grad_norm", "skipped"}
    assert expected <= lines[0].keys()
    assert lines[1]["loss"] < lines[0]["loss"]
    config = json.loads((workdir / "config.json").read_text())
    assert config["train_cfg"]["max_iters"] == 20
    for path in ("curves.png", "predictions/00.png", "tensorboard"):
        assert (workdir / path).exists()
    sizes = "train: 12 samples; 12 images of 1 sizes (height x width: 12 of 64x64)"
    assert sizes in output


def test_evaluation_needs_a_config_and_a_checkpoint_alone(trained, command, tmp_path):
    workdir, _ = trained
    output = command(
        "--mode=eval",
        f"--config={workdir}/config.json",
        f"--checkpoint={workdir}",
        f"--workdir={tmp_path}",
    ).finish()
    scores = [json.loads((w / "eval.json").read_text()) for w in (workdir, tmp_path)]
    assert scores[0] == scores[1]
    assert output.splitlines()[-1] == f"val mIoU {scores[0]['summary']['mIoU']:.2f}"
    assert re.search(r"^ground +\d+\.\d\d", output, re.MULTILINE)  # a row a class


@pytest.fixture
def photos(tmp_path):
    """Images that the model has never seen, of two sizes, and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in (
        ("a.png", (48, 72)),
        ("b.jpg", (64, 64)),
        ("more/c.png", (48, 72)),
    ):
        Image.fromarray(rng.integers(0, 255, (*size, 3), np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.png", ["a"]),
        ("", ["a", "b", "more/c"]),
        ("*.*g", ["a", "b"]),
        (["a.png", "more/c.png"], ["a", "more/c"]),
    ],
    ids=["file", "folder", "glob", "glob of the shell"],
)
def test_predict(trained, command, photos, tmp_path, pattern, names):
    workdir, _ = trained
    patterns = [pattern] if isinstance(pattern, str) else pattern
    output = tmp_path / "output"
    text = command(
        "--mode=predict",
        f"--checkpoint={workdir}",
        "--input",
        *(photos / name for name in patterns),
        f"--output={output}",
    ).finish()
    assert "compiled: network " in text
    found = [
        p.relative_to(output / "labels") for p in (output / "labels").rglob("*.png")
    ]
    assert sorted(str(path.with_suffix("")) for path in found) == names
    for name in names:
        with Image.open(output / "labels" / f"{name}.png") as image:
            assert image.mode == "P"
            assert image.size == ((64, 64) if name == "b" else (72, 48))  # width first
            assert image.getpalette()[:12] == [v for color in COLORS for v in color]
            assert np.asarray(image).max() < len(COLORS)
        with Image.open(output / "overlays" / f"{name}.jpg") as image:
            assert image.size == ((64, 64) if name == "b" else (72, 48))


def test_help_explains_every_flag(command):
    text = command("-h").finish(1)  # absl's exit code
    names = [flag.name for flag in main.flags.FLAGS.get_key_flags_for_module(main)]
    assert len(names) == 22
    for name in names:
        assert re.search(rf"--(\[no\])?{name}:", text), name
    assert "--config.PATH=VALUE" in text


def message_of(run):
    """What a command that refuses says: no traceback, no exit code 0."""
    run.process.wait()
    output = run.finish(run.process.returncode)
    assert run.process.returncode == 1
    assert "Traceback" not in output
    return output


TINY = "--config=tests/tiny.py:{data}"

# One command of every place that refuses.
WRONG = [
    ([TINY, "--confg=3"], "Unknown command line flag 'confg'. Did you mean: config"),
    ([TINY, "train"], "unknown argument 'train'; all are flags, --name=value"),
    (["--config=no.py"], "error: no.py: there is no such config file"),
    (
        [TINY, "--config.model.backbone.base_chanels=8"],
        "model.backbone.base_chanels: this key is not known (did you mean 'base_ch",
    ),
    (
        [TINY, "--config.model.decode_head.in_channels=5"],
        "error: model.decode_head.in_channels is 5 for in_index=1, but that feature",
    ),
    (
        ["--mode=predict", "--input=x", "--output_format=mask,colour"],
        "error: output_format has 'colour' (did you mean 'color'?); allowed: mask,",
    ),
    (["--mode=predict", "--out=x"], "error: --out is for --mode=eval and --mode=test,"),
    (["--mode=predict", "--input=no/*.png"], "error: --input no/*.png: no image there"),
    (["--mode=eval", "--checkpoint={data}"], "error: {data}: no finished checkpoint"),
]
MORE_THAT_IS_WRONG = [
    ([], "--config is missing: which model and data?"),
    ([TINY, "--resume=x"], "Non-boolean argument to boolean flag"),
    ([TINY, "--config.mesh"], "error: --config.mesh needs a value: --config.mesh=V"),
    ([TINY, "--mode=test"], "value should be one of <train|eval|predict>"),
    (["--config=setup.cfg"], "error: setup.cfg: a config is a .py or a .json file"),
    (
        [TINY, "--config.model.backbon.base_channels=8"],
        "error: config.model has no key 'backbon' (did you mean 'backbone'?)",
    ),
    (
        [TINY, "--config.train_dataloader.dataset.pipeline.7.prob=1"],
        "config.train_dataloader.dataset.pipeline is a list of 4: '7' is no index",
    ),
    ([TINY, "--config.optim_wrapper=None"], "error: optim_wrapper is missing"),
    ([TINY, "--config.mesh.data=3"], "does not multiply to the 1 devices"),
    (["--mode=predict"], "--input is missing: which images?"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    WRONG + [pytest.param(*one, marks=pytest.mark.long) for one in MORE_THAT_IS_WRONG],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_command_gets_a_sentence(
    command, tiny_data, tmp_path, arguments, message
):
    arguments = [argument.format(data=tiny_data) for argument in arguments]
    output = message_of(command(*arguments, f"--workdir={tmp_path / 'run'}"))
    assert message.format(data=tiny_data) in output


def missing_label(data):
    (data / "labels/train/03.png").unlink()
    return "03.png"


def unpaired_label(data):
    (data / "images/val/02.png").unlink()
    return "02.png"


def truncated_image(data):
    path = data / "images/train/05.png"
    path.write_bytes(path.read_bytes()[:500])
    return str(path)


def label_of_another_size(data):
    path = data / "labels/train/04.png"
    Image.open(path).resize((64, 32), Image.NEAREST).save(path)
    return f"{path} is 32x64"


def label_outside_the_classes(data):
    for path in (data / "labels/train").iterdir():
        Image.fromarray(np.full((64, 64), 9, np.uint8)).save(path)
    return "/labels/train/"


def colour_label(data):
    for path in (data / "labels/train").iterdir():
        Image.fromarray(np.full((64, 64, 3), 9, np.uint8)).save(path)
    return "/labels/train/"


def empty_split(data):
    shutil.rmtree(data / "images/train")
    (data / "images/train").mkdir()
    return f"{data}/images/train"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_label, "label"),
        pytest.param(unpaired_label, "image", marks=pytest.mark.long),
        (truncated_image, "500 bytes"),
        pytest.param(
            label_of_another_size, "they must be equal", marks=pytest.mark.long
        ),
        pytest.param(label_outside_the_classes, "9", marks=pytest.mark.long),
        (colour_label, "palette"),
        pytest.param(empty_split, "no ", marks=pytest.mark.long),
    ],
)
def test_wrong_data_gets_a_sentence_with_the_file(
    command, tiny_data, tmp_path, spoil, message
):
    data = shutil.copytree(tiny_data, tmp_path / "data")
    file = spoil(data)
    output = message_of(command(TINY.format(data=data), f"--workdir={tmp_path}/run"))
    error = output[output.index("error: ") :]
    assert file in error
    assert message in error
    # A damaged image is found when its turn comes, and the steps before it are saved.
    trained = list((tmp_path / "run/checkpoints").glob("*"))
    assert not trained or spoil is truncated_image


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            "model.decode_head.num_classes=5",
            "num_classes is 5, but train_dataloader.dataset has 4 classes: ground, red",
        ),
        (
            "train_dataloader.batch_size=13",
            "has 12 samples, fewer than one batch of 13",
        ),
    ],
)
def test_a_config_that_does_not_fit_the_data_gets_a_sentence(
    command, tiny_data, tmp_path, setting, message
):
    run = command(
        TINY.format(data=tiny_data), f"--config.{setting}", f"--workdir={tmp_path}"
    )
    assert message in message_of(run)


@pytest.mark.parametrize(
    ("config", "workdir"),
    [
        ("experiments/digits_unet.py", "work_dirs/digits_unet"),
        ("tests/tiny.py:/data/set", "work_dirs/tiny"),
        ("runs/a/config.json", "runs/a"),
        # As many runs as there are configs of mmseg.
        ("experiments/mmseg.py:fcn/fcn-1.0_x.py", "work_dirs/fcn-1.0_x"),
        ("configs/fcn/fcn-1.0_x.py", "work_dirs/fcn-1.0_x"),
    ],
)
def test_a_run_is_named_after_its_config(config, workdir):
    with flagsaver.flagsaver(config=config, workdir=None):
        assert str(main._workdir()) == workdir

"""The doctor: numbers against NumPy, and every defect planted in a small data set."""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import LEVIRCDDataset
from input_pipeline.transforms import ConcatCDInput, LoadMultipleRSImageFromFile
from jaxseg.diagnose.read_through import in_threads
from jaxseg.diagnose.sample import SampleReader
from jaxseg.diagnose.suggest import (
    color_settings,
    inverse_log_weights,
    label_settings,
    median_frequency_weights,
)
from jaxseg.diagnose.tally import ClassTally, Moments
from jaxseg.doctor import _output, main
from tests.change_detection import make_pairs

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture
def data(tiny_data, tmp_path):
    """A copy of the tiny data set, to plant something in: 12 + 4 images, 64x64."""
    return pathlib.Path(shutil.copytree(tiny_data, tmp_path / "data"))


@pytest.fixture
def examine(data, tmp_path, capsys):
    """Runs the doctor on it: (exit code, what it prints, its report.json)."""

    def run(*arguments):
        output = tmp_path / "out"
        config = f"{ROOT}/tests/tiny.py:{data}"
        code = main(["--config", config, "--output", str(output), *arguments])
        report = json.loads((output / "report.json").read_text())
        return code, capsys.readouterr().out, report

    return run


def read(path):
    return np.asarray(Image.open(path))


def write(path, array):
    Image.fromarray(np.asarray(array, np.uint8)).save(path)


def test_numbers_of_a_sound_data_set(data, examine):
    code, text, report = examine()
    assert code == 0
    assert text.count("== train: 12 samples") == text.count("== val: 4 samples") == 1
    assert "\n0 errors, 0 warnings\n" in text

    train = report["splits"]["train"]
    names = sorted(path.name for path in (data / "images/train").iterdir())
    images = np.stack([read(data / "images/train" / name) for name in names])
    labels = np.stack([read(data / "labels/train" / name) for name in names])
    statistics = train["pixel_statistics"]["3"]
    np.testing.assert_allclose(statistics["mean"], images.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(statistics["std"], images.std((0, 1, 2)), rtol=1e-12)
    for i, entry in enumerate(train["classes"]):
        assert entry["name"] == ("ground", "red", "green", "blue")[i]
        assert entry["pixels"] == (labels == i).sum()
        assert entry["images"] == (labels == i).any((1, 2)).sum()
    present = np.stack([(labels == i).any((1, 2)) for i in range(4)])
    frequency = np.array([(labels == i).sum() for i in range(4)])
    frequency = frequency / (present.sum(1) * labels[0].size)
    np.testing.assert_allclose(
        train["class_weight"]["median_frequency"], np.median(frequency) / frequency
    )
    assert train["sizes"] == [[64, 64, 12]]
    assert train["types"] == [[3, "uint8", 12]]
    assert train["stored_labels"] == {"grey 8-bit": 12}
    assert train["sizes_after_pipeline"] == [[64, 64]] * 8


def truncate(path):
    path.write_bytes(path.read_bytes()[:150])


def remove(path):
    path.unlink()


def enlarge(path):
    write(path, np.zeros((64, 65)))


def give_id_9(path):
    label = read(path).copy()
    label[:2, :3] = 9
    write(path, label)


def color(path):
    write(path, np.full((64, 64, 3), 17))


def ignore(path):
    write(path, np.full((64, 64), 255))


def palette(path):
    image = Image.fromarray(read(path), mode="P")
    image.putpalette([10, 20, 30] * 256)
    image.save(path)


def to_html(path):
    path.write_text("<html>not found</html>")


def no_place(path):
    """Leaves the file; the label beside it has no image."""
    shutil.copy(path, path.with_name("alone.png"))


PLANTED = {  # (what is done to the file, it, level, kind, what the sentence says)
    "truncated image": (
        truncate,
        "images/train/03.png",
        (
            "error",
            "unreadable image",
            "images/train/03.png: the PNG image of 150 bytes",
        ),
    ),
    "no image": (
        to_html,
        "images/val/01.png",
        ("error", "unreadable image", "images/val/01.png: not an image: it starts"),
    ),
    "truncated label": (
        truncate,
        "labels/train/03.png",
        ("error", "unreadable label", "labels/train/03.png: the PNG label of 150"),
    ),
    "image without label": (
        remove,
        "labels/train/05.png",
        ("error", "image without label", "1 of 12 images have no label"),
    ),
    "label without image": (
        no_place,
        "labels/val/00.png",
        ("error", "label without image", "labels/val/alone.png"),
    ),
    "other size": (
        enlarge,
        "labels/train/02.png",
        ("error", "other size", "02.png is 64x64 (height x width), its label"),
    ),
    "ids": (
        give_id_9,
        "labels/train/02.png",
        ("error", "ids out of range", "id 9: 6 pixels in 1 labels, first in"),
    ),
    "colours": (
        color,
        "labels/train/02.png",
        ("error", "labels that are refused", "(17, 17, 17) (4096 pixels)"),
    ),
    "nothing labelled": (
        ignore,
        "labels/val/02.png",
        ("warning", "nothing labelled", "labels/val/02.png"),
    ),
    "palette among grey": (
        palette,
        "labels/val/02.png",
        ("warning", "mixed labels", "3 grey 8-bit, 1 palette"),
    ),
}


@pytest.mark.parametrize("plant, place, expected", PLANTED.values(), ids=PLANTED)
def test_a_planted_defect_is_found(data, examine, plant, place, expected):
    plant(data / place)
    code, text, report = examine()
    level, kind, sentence = expected
    split = place.split("/")[1]
    found = {(f["level"], f["split"], f["kind"]) for f in report["findings"]}
    assert (level, split, kind) in found
    assert sentence in text
    assert code == (1 if level == "error" else 0)


def test_all_defects_at_once_and_the_rest_is_read(data, examine):
    for plant, place, _ in PLANTED.values():
        if (data / place).exists():  # several are of one file
            plant(data / place)
    code, _, report = examine()
    kinds = {finding["kind"] for finding in report["findings"]}
    assert code == 1
    assert kinds >= {
        *("unreadable image", "unreadable label", "image without label"),
        *("label without image", "labels that are refused"),
    }
    train = report["splits"]["train"]
    assert (train["num_samples"], train["num_images"]) == (12, 11)
    assert train["num_labels"] == 10  # one is missing, one truncated


def test_the_first_of_many_bad_files_are_named_and_all_are_counted(data, examine):
    for path in (data / "images/train").iterdir():
        truncate(path)
    code, text, report = examine()
    (finding,) = (f for f in report["findings"] if f["kind"] == "unreadable image")
    assert code == 1
    assert finding["count"] == len(finding["files"]) == 12
    assert "04.png: the PNG image" in text
    assert "05.png: the PNG image" not in text
    assert "... and 7 more, 12 in all" in text


def test_a_validation_image_of_the_training_set_is_a_leak(data, examine):
    # The same pixels in another file format: bytes differ.
    image = Image.open(data / "images/train/07.png")
    image.save(data / "images/val/01.png", compress_level=0, optimize=False)
    code, text, _ = examine()
    assert code == 1
    assert "1 of 4 validation images are pixel for pixel in the training set" in text
    assert "images/val/01.png is " in text
    assert "images/train/07.png" in text


def test_images_of_one_colour_are_no_copies(data, examine):
    for place in ("train/00.png", "train/01.png", "val/00.png"):
        write(data / "images" / place, np.zeros((64, 64, 3)))
    assert examine()[0] == 0


def test_a_copy_within_a_split_is_a_warning(data, examine):
    shutil.copy(data / "images/train/07.png", data / "images/train/02.png")
    code, text, _ = examine()
    assert code == 0
    assert (
        "images/train/07.png is "
        in text.partition("1 images are copies, pixel for pixel")[2]
    )


def test_a_class_that_never_occurs(data, examine):
    for path in (data / "labels/train").iterdir():
        label = read(path).copy()
        label[label == 3] = 0
        write(path, label)
    code, text, report = examine()
    assert code == 0
    assert "1 of 4 classes never occur, none can be learnt:\n    blue\n" in text
    assert report["splits"]["train"]["class_weight"]["median_frequency"][3] == 1


def test_a_single_class_in_training_is_an_error(data, examine):
    for path in (data / "labels/train").iterdir():
        write(path, np.zeros((64, 64)))
    code, text, _ = examine()
    assert code == 1
    assert "all labelled pixels are 'ground': there is nothing to learn" in text


AGAINST_THE_CONFIG = [
    (
        ("model.decode_head.num_classes=5",),
        (
            1,
            "model and classes",
            "num_classes is 5, but train_dataloader.dataset has 4",
        ),
    ),
    (
        ("model.backbone.in_channels=4",),
        (1, "model and channels", "in_channels is 4, but images have 3 channels"),
    ),
    (
        ("model.data_preprocessor.mean=[0.5]", "model.data_preprocessor.std=[0.2]"),
        (0, "normalisation", "are mean and std in the units of these images?"),
    ),
    (
        ("model.data_preprocessor.size=[48,64]",),
        (1, "batches", "is larger than the size (48, 64)"),
    ),
    (
        ("model.data_preprocessor.size=[96,64]",),
        (
            0,
            "crop",
            "8 of 8 samples drawn leave the pipeline smaller (64x64) than 96x64",
        ),
    ),
    (
        ("train_dataloader.dataset.pipeline.1.reduce_zero_label=True",),
        (1, "pipeline", "LoadAnnotations has reduce_zero_label=True"),
    ),
    (
        ("val_dataloader.dataset.data_root=nowhere",),
        (1, "cannot be opened", "the folder nowhere/images/val does not exist"),
    ),
    (
        ("val_dataloader.dataset.metainfo.classes=['a','b','c','d']",),
        (1, "classes differ", "val a, b, c, d: they must be the same"),
    ),
    (
        (
            "val_dataloader.dataset.pipeline.0={'type': 'LoadAnnotations'}",
            "val_dataloader.dataset.pipeline.1={'type': 'Resize', 'scale': [32, 32]}",
        ),
        (1, "resized labels", "Resize (transform 1 of the pipeline) changes the size"),
    ),
    (
        ("val_dataloader.dataset.pipeline.1={'type': 'Resize', 'scale': [33, 31]}",),
        (1, "model and sizes", "dict(type='ResizeToMultiple', size_divisor=4)"),
    ),
    (
        ("val_dataloader.dataset.pipeline.1={'type': 'Resize', 'scale_factor': 1e-3}",),
        (1, "image sides", "Resize in the pipeline may make 0x0 (height x width)"),
    ),
    (
        (
            (
                "model.decode_head={'type':'PSPHead','in_channels':4,'in_index':1,"
                "'channels':8,'num_classes':4,'norm_cfg':{'type':'SyncBN'}}"
            ),
            "train_dataloader.batch_size=1",
        ),
        (
            1,
            "model and batches",
            "batch norm would train on a single value a channel",
        ),
    ),
    (
        (
            "model.test_cfg={'mode':'slide','crop_size':[32,32],'stride':[40,32]}",
            "model.test_cfg.mode=slide",
        ),
        (1, "model", "stride: is (40, 32), larger than crop_size=(32, 32)"),
    ),
    (
        ("model.backbone.type=UNot",),
        (1, "model", "'UNot' is not known"),
    ),
]


@pytest.mark.parametrize("overrides, expected", AGAINST_THE_CONFIG)
def test_data_against_the_config(examine, overrides, expected):
    code, text, report = examine(*(f"--config.{o}" for o in overrides))
    expected_code, kind, sentence = expected
    assert kind in {finding["kind"] for finding in report["findings"]}
    assert sentence in text
    assert code == expected_code


def test_a_label_map_of_a_command_line_is_honoured(data, examine):
    for split in ("train", "val"):
        for path in (data / "labels" / split).iterdir():
            write(path, (read(path) > 0) * 255)
    names = "['ground','square']"
    overrides = ["--config.model.decode_head.num_classes=2"]
    for split in ("train", "val"):
        where = f"--config.{split}_dataloader.dataset"
        overrides += [f"{where}.metainfo={{'classes':{names}}}"]
        overrides += [f"{where}.label_map={{0:0,255:1}}"]
    code, text, report = examine(*overrides)
    assert code == 0
    assert "label_map={0: 0, 255: 1}: " not in text  # there is nothing to advise
    assert [c["images"] for c in report["splits"]["val"]["classes"]] == [4, 4]


def test_images_of_several_sizes(data, examine):
    for kind, channels in (("images", (3,)), ("labels", ())):
        write(data / kind / "train/00.png", np.full((40, 70, *channels), 1))
        write(data / kind / "train/01.png", np.full((90, 80, *channels), 2))
    code, text, report = examine("--config.model.data_preprocessor.size=None")
    train = report["splits"]["train"]
    assert code == 1
    assert train["sizes"] == [[40, 70, 1], [64, 64, 10], [90, 80, 1]]
    assert (train["smallest"], train["largest"]) == ([40, 70], [90, 80])
    assert "The images of a batch have different sizes" in text


def test_images_of_several_types_make_no_batch(data, examine):
    write(data / "images/train/00.png", np.full((64, 64), 3))
    override = "--config.train_dataloader.dataset.pipeline.0.color_type=unchanged"
    code, text, _ = examine(override)
    assert code == 1
    assert "as loaded: 11 of 3 x uint8, 1 of 1 x uint8" in text


def test_a_list_that_names_what_is_not_there(data, examine):
    (data / "list.txt").write_text("00\n01\n77\n")
    code, text, report = examine("--config.val_dataloader.dataset.ann_file=list.txt")
    assert code == 1
    assert "list.txt names 1 images that are not in" in text
    assert report["splits"]["val"]["num_samples"] == 2


def test_a_repeated_data_set_is_read_once_and_parts_are_joined(data, tmp_path, capsys):
    part = {
        "type": "BaseSegDataset",
        "data_root": str(data),
        "data_prefix": {"img_path": "images/train", "seg_map_path": "labels/train"},
        "img_suffix": ".png",
        "metainfo": {"classes": ["ground", "red", "green", "blue"]},
        "pipeline": [{"type": "LoadImageFromFile"}, {"type": "LoadAnnotations"}],
    }
    other = part | {
        "data_prefix": {"img_path": "images/val", "seg_map_path": "labels/val"}
    }
    joined = {"type": "ConcatDataset", "datasets": [part, other]}
    repeated = {"type": "RepeatDataset", "times": 1000, "dataset": joined}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"train_dataloader": {"dataset": repeated}}))
    (data / "labels/val/01.png").unlink()
    assert main(["--config", str(config)]) == 1
    text = capsys.readouterr().out
    assert "== train: 16 samples" in text
    assert "1 of 4 images have no label" in text
    # Without --output, beside the config.json of a work directory.
    assert (tmp_path / "doctor/report.json").is_file()


def folder_pair(folder, values, ends=("_photo.png", "_mask.png")):
    """Images 1_photo.png, ... and labels 1_mask.png, ..., 8x8, of the ids `values`."""
    rng = np.random.default_rng(1)
    for kind in ("images", "labels"):
        (folder / kind).mkdir()
    for i in range(4):
        write(folder / f"images/{i}{ends[0]}", rng.integers(0, 255, (8, 8, 3)))
        label = np.resize(values, (8, 8))
        write(folder / f"labels/{i}{ends[1]}", label)
    return ["--images", str(folder / "images"), "--labels", str(folder / "labels")]


def test_two_folders_are_paired_by_the_ends_of_their_names(tmp_path, capsys):
    arguments = folder_pair(tmp_path, [0, 255])
    arguments += ["--output", str(tmp_path / "out")]
    assert main(arguments) == 0  # without classes no id is wrong
    text = capsys.readouterr().out
    assert "== data: 4 samples" in text
    assert "id 255" in text
    assert "img_suffix='_photo.png', seg_map_suffix='_mask.png'" in text
    assert text.count("label_map={0: 0, 255: 1}") == 2  # as advice, and in the config

    assert main([*arguments, "--classes", "ground, vessel"]) == 1
    text = capsys.readouterr().out
    assert "4 labels are masks of 0 and 255 for two classes" in text
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["dataset"]["metainfo"] == {"classes": ["ground", "vessel"]}


def test_folders_of_several_suffixes_and_what_is_not_paired(tmp_path, capsys):
    arguments = folder_pair(tmp_path, [0, 1], (".png", ".png"))
    (tmp_path / "images/3.png").rename(tmp_path / "images/3.jpg")
    (tmp_path / "images/2.png").unlink()
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 1
    text = capsys.readouterr().out
    assert "== data: 3 samples" in text
    assert "1 labels in" in text
    assert "labels/2.png" in text


def test_label_colours_are_suggested_as_a_palette(tmp_path, capsys):
    arguments = folder_pair(tmp_path, [0, 1])
    for path in (tmp_path / "labels").iterdir():
        write(path, np.asarray([(0, 0, 0), (200, 10, 30)])[read(path)])
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    assert "metainfo.palette=[[0, 0, 0], [200, 10, 30]]: 2 colours" in text


def test_images_of_five_channels_are_read_unchanged(tmp_path, capsys):
    arguments = folder_pair(tmp_path, [0, 1])
    for path in list((tmp_path / "images").iterdir()):
        np.save(path.with_name(f"{path.name[0]}_photo.npy"), np.ones((8, 8, 5), "u2"))
        path.unlink()
    assert main([*arguments, "--output", str(tmp_path / "out")]) == 0
    assert "4 of 5 x uint16" in capsys.readouterr().out


def test_the_contact_sheet_shows_image_overlay_and_what_is_no_class(data, examine):
    give_id_9(data / "labels/train/02.png")
    examine("--samples", "4")
    sheet = read(data.parent / "out/samples.png")
    # 3 pairs a row: 2 rows of 4 + 4 samples would leave one over, so 3 rows.
    cell = 220 + 16 + 6
    assert 3 * cell < sheet.shape[0] < 3 * cell + 60
    # The planted sample has 2x3 magenta pixels, over the image at opacity 0.6; and in
    # the legend, as it is.
    assert (sheet == (255, 0, 255)).all(-1).any()
    ratio = 220 / 64
    red, green, blue = np.moveaxis(sheet.astype(int), -1, 0)
    tinted = (red > 160) & (green < 40) & (blue > 160) & (red < 250)
    assert tinted.sum() == pytest.approx(6 * ratio**2, rel=0.2)


MANY = {i: ClassTally(pixels=1) for i in range(1, 255)}
LABEL_SETTINGS = [  # ids in the files, outside, num_classes, extra -> settings
    ({0, 255}, set(), 2, {}, [{"label_map": {0: 0, 255: 1}}]),
    ({0, 255}, set(), None, {}, [{"label_map": {0: 0, 255: 1}}]),
    ({0, 255}, set(), 2, {"label_map": {255: 1}}, []),
    ({0, 1, 2, 255}, set(), 3, {}, []),
    ({1, 2, 3}, {3}, 3, {}, [{"reduce_zero_label": True}]),
    ({1, 2, 5}, {5}, 5, {}, [{"reduce_zero_label": True}]),
    (
        {0, 1, 2, 3},
        {3},
        3,
        {},
        [{"reduce_zero_label": True}, {"label_map": {3: 255}}],
    ),
    ({7, 8, 11}, {7, 8, 11}, 3, {}, [{"label_map": {7: 0, 8: 1, 11: 2}}]),
    ({0, 1, 2, 90, 91}, {90, 91}, 4, {}, [{"label_map": {90: 255, 91: 255}}]),
    ({0, 1, 2}, set(), None, {}, [{}]),
    ({1, 2, 4}, set(), None, {}, [{"reduce_zero_label": True}]),
    (
        {0, 1, 255},
        set(),
        None,
        {},
        [{"ignore_index": 255}, {}],
    ),
    ({1, 2}, set(), 3, {}, [{"reduce_zero_label": True}]),
    (
        {1, 2},
        set(),
        3,
        {"reduce_zero_label": True},
        [{"reduce_zero_label": False}],
    ),
    ({1, 2, 3}, set(), 3, {"reduce_zero_label": True}, []),
]


@pytest.mark.parametrize("ids, outside, num_classes, extra, expected", LABEL_SETTINGS)
def test_settings_that_ids_ask_for(ids, outside, num_classes, extra, expected):
    found = label_settings(
        ids={i: ClassTally(pixels=10) for i in ids},
        outside={i: ClassTally(pixels=10) for i in outside},
        num_classes=num_classes,
        ignore_index=255,
        reduce_zero_label=extra.get("reduce_zero_label", False),
        label_map=extra.get("label_map", {}),
    )
    assert [suggestion.settings for suggestion in found] == expected
    assert all(suggestion.reason for suggestion in found)


def test_blurred_masks_are_recognised():
    ids = MANY | {0: ClassTally(pixels=5000), 255: ClassTally(pixels=5000)}
    (found,) = label_settings(ids, {}, 2, 255, False, {})
    assert "interpolation" in found.reason


def test_grey_stored_as_rgb_is_recognised():
    (found,) = color_settings({(0, 0, 0): 5, (2, 2, 2): 1}, named=True)
    assert "r = g = b): [0, 2]" in found.reason


def test_class_weights_by_hand():
    # Shares in the images where they occur: 60/100, 30/100, 10/50; the median is 0.3.
    tallies = [
        ClassTally(pixels=60, images=2, area=100),
        ClassTally(pixels=30, images=2, area=100),
        ClassTally(pixels=10, images=1, area=50),
        ClassTally(),
    ]
    assert median_frequency_weights(tallies) == pytest.approx([0.5, 1, 1.5, 1])
    # ln 1.62 = 0.482426, ln 1.32 = 0.277632, ln 1.12 = 0.113329
    assert inverse_log_weights(tallies) == pytest.approx(
        [2.07286, 3.60189, 8.82387, 1], rel=1e-5
    )


def test_moments_of_pieces_are_those_of_the_whole():
    # 16-bit values, whose summed squares in float32 would be far off.
    pixels = np.random.default_rng(0).integers(60000, 60010, (999, 2)).astype(float)
    moments = Moments(0, np.zeros(2), np.zeros(2))
    for piece in np.split(pixels, [10, 500]):
        moments.add(len(piece), piece.mean(0), piece.var(0))
    np.testing.assert_allclose(moments.mean, pixels.mean(0), rtol=1e-14)
    np.testing.assert_allclose(moments.std, pixels.std(0), rtol=1e-9)


def test_no_more_than_a_few_samples_are_in_memory():
    started, lock = [], threading.Lock()

    def work(item):
        with lock:
            started.append(item)
        return item * item

    results = in_threads(work, range(10_000), num_threads=3)
    for expected in range(100):
        assert next(results) == expected**2
    # 2 x 3 ahead, and one that was started for the result just taken.
    assert len(started) <= 107
    results.close()
    assert len(started) < 120


REFUSED = [
    ([], "give either --config, or --images and --labels"),
    (["--images", "a"], "--images and --labels are needed both"),
    (["--config", "a", "--images", "b"], "give either"),
    (["--config", "a", "--classes", "b"], "go with --images"),
    (["--images", "a", "--labels", "b", "--config.c=1"], "give --config"),
    (["--config", "a", "--what"], "unknown argument --what"),
    (["--config", "a", "--config.mesh"], "--config.mesh needs a value"),
    (["--config", "a", "--samples", "0"], "must be 1 at least"),
]


@pytest.mark.parametrize("arguments, sentence", REFUSED)
def test_arguments_that_do_not_go_together(arguments, sentence, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--config", "nowhere.py"], "nowhere.py: there is no such config file"),
        (["--images", "nowhere", "--labels", "b"], "nowhere: there is no such folder"),
    ],
)
def test_what_cannot_be_read_at_all_is_a_sentence(arguments, sentence, capsys):
    assert main(arguments) == 1
    assert capsys.readouterr().err == f"error: {sentence}\n"


def test_the_command(data, tmp_path):
    truncate(data / "images/val/00.png")
    command = [sys.executable, "-W", "error", "-m", "jaxseg.doctor"]
    config = f"{ROOT}/tests/tiny.py:{data}"
    result = subprocess.run(
        [*command, "--config", config, "--output", str(tmp_path / "out")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 1, result.stderr
    assert "images/val/00.png: the PNG image of 150 bytes" in result.stdout
    ran = f"{ROOT}/tests/tiny.py: is run, as a program with get_config()\n"
    assert result.stderr == ran
    assert cv2.imread(str(tmp_path / "out/samples.png")) is not None


@pytest.mark.parametrize(
    "arguments, others",
    [
        (
            {"images": "a/images", "labels": "a/labels"},
            [{"images": "b/images", "labels": "b/labels"}],
        ),
        (
            {"config": "tests/tiny.py:/data/one"},
            [{"config": "tests/tiny.py:/data/two"}, {"config": "tests/tiny.py"}],
        ),
        (
            {"config": "experiments/mmseg.py:fcn/a.py"},
            [{"config": "experiments/mmseg.py:fcn/b.py"}],
        ),
    ],
)
def test_reports_of_other_data_do_not_overwrite_each_other(arguments, others):
    def output(arguments, *overrides):
        nothing = {"output": None, "config": None, "images": None, "labels": None}
        return _output(argparse.Namespace(**nothing | arguments), overrides)

    places = [output(one) for one in (arguments, *others)]
    if "config" in arguments:
        places.append(output(arguments, ("train_dataloader.dataset.data_root", "x")))
        same = output(arguments, ("train_cfg.max_iters", 3))
        assert same == places[0] == output(arguments)
    assert len(set(places)) == len(places)
    assert all(place.parts[0] == "work_dirs" for place in places)
    assert output({"config": "runs/a/config.json"}).as_posix() == "runs/a/doctor"


def test_both_images_of_change_detection_are_read(tmp_path):
    make_pairs(tmp_path, 1)
    dataset = LEVIRCDDataset(
        data_root=str(tmp_path),
        data_prefix={"img_path": "A", "img_path2": "B", "seg_map_path": "label"},
        pipeline=(LoadMultipleRSImageFromFile(), ConcatCDInput()),
    )
    image, label, faults = SampleReader(dataset).pixels(dataset[0])
    assert (image.shape, label.shape, faults) == ((32, 48, 6), (32, 48), [])

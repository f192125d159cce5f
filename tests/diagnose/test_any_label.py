"""The doctor on polygons and masks, and the config that it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.shapes.annotations import Annotations
from jaxseg.diagnose.checks import check_split
from jaxseg.diagnose.sample import SampleReader
from jaxseg.diagnose.splits import Split
from jaxseg.diagnose.suggest import label_settings
from jaxseg.diagnose.tally import ClassTally, Tally
from jaxseg.doctor import main
from jaxseg.load_config import load_config
from jaxseg.settings.read import read_settings

SQUARE = [[0, 0], [4, 0], [4, 4], [0, 4]]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for i in range(4):
        pixels = rng.integers(0, 255, (64, 80, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"images/{i}.png")
    return tmp_path


def labelme(folder, *classes):
    for i in range(4):
        shapes = [dict(label=name, points=SQUARE) for name in classes]
        (folder / f"labels/{i}.json").write_text(json.dumps(dict(shapes=shapes)))


def examine(folder, labels="labels", *more):
    output = folder / "out"
    arguments = ["--images", str(folder / "images"), "--labels", str(folder / labels)]
    code = main([*arguments, "--output", str(output), *more])
    return code, json.loads((output / "report.json").read_text())


def test_the_names_of_shapes_become_classes(folder):
    labelme(folder, "roof", "tree")
    code, report = examine(folder)
    assert code == 0
    assert report["dataset"]["metainfo"] == {"classes": ["background", "roof", "tree"]}
    classes = report["splits"]["data"]["classes"]
    assert [entry["pixels"] for entry in classes] == [4 * (64 * 80 - 16), 0, 4 * 16]
    assert report["splits"]["data"]["stored_labels"] == {"drawn from shapes": 4}
    assert report["splits"]["data"]["ids"] == {}


def test_numbers_of_shapes_become_classes(folder):
    for i in range(4):
        text = "2 0 0 0.5 0 0.5 0.5 0 0.5\n"
        (folder / f"labels/{i}.txt").write_text(text)
    code, report = examine(folder)
    assert code == 0
    assert report["dataset"]["label_map"] == {"2": 1}
    assert [c["pixels"] for c in report["splits"]["data"]["classes"]] == [15360, 5120]


def test_masks_of_one_image_and_one_file_for_all(folder):
    for i in range(4):
        (folder / f"labels/{i}").mkdir()
        mask = np.zeros((64, 80), np.uint8)
        mask[:3, : i + 1] = 255
        Image.fromarray(mask).save(folder / f"labels/{i}/roof.png")
    _, report = examine(folder, "labels", "--seg_map_suffix", "/*.png")
    assert [c["name"] for c in report["splits"]["data"]["classes"]][1] == "roof"
    assert report["splits"]["data"]["classes"][1]["pixels"] == 3 * (1 + 2 + 3 + 4)
    rows = [f"{i},{i + 1} 2" for i in range(4)]
    table = "\n".join(["ImageId,EncodedPixels", *rows])
    (folder / "rle.csv").write_text(table)
    _, report = examine(folder, "rle.csv")
    assert report["dataset"]["label_map"] == {"*": 1}
    assert report["splits"]["data"]["classes"][1]["pixels"] == 8


def test_bad_annotations_are_named_and_the_others_read(folder, capsys):
    labelme(folder, "roof")
    (folder / "labels/0.json").write_text("{")
    (folder / "labels/1.json").unlink()
    shapes = [dict(label="roof", points=SQUARE[:2])]
    (folder / "labels/2.json").write_text(json.dumps(dict(shapes=shapes)))
    code, report = examine(folder)
    text = capsys.readouterr().out
    assert code == 1
    assert "2 labels cannot be read" in text and "2 points; it needs 3" in text
    assert "1 of 4 images have no label" in text
    assert report["splits"]["data"]["num_labels"] == 1


def test_shapes_without_a_class_are_named_by_their_image(folder):
    labelme(folder, "roof")
    (folder / "labels/2.json").write_text('{"shapes": []}')
    dataset = BaseSegDataset(
        data_prefix={
            "img_path": str(folder / "images"),
            "seg_map_path": str(folder / "labels"),
        },
        img_suffix=".png",
        seg_map_suffix=".json",
        metainfo={"classes": ["roof"]},
        annotations=Annotations(background=255),
    )
    tally = Tally()
    for index in range(4):
        tally.add(SampleReader(dataset)(index))
    found = check_split(Split("train", "", dataset, []), tally)
    (files,) = (f.files for f in found if f.kind == "nothing labelled")
    assert files == (str(folder / "images/2.png"),)


def test_the_written_config_trains(folder, capsys):
    labelme(folder, "roof")
    path = folder / "my_data.py"
    code, _ = examine(folder, "labels", "--write", str(path))
    assert code == 0
    assert f"--config {path}:" in capsys.readouterr().out
    assert (folder / "my_data_val.txt").read_text() == "0\n"
    assert (folder / "my_data_train.txt").read_text() == "1\n2\n3\n"
    settings = read_settings(load_config(f"{path}:", ()))
    rng = np.random.default_rng(0)
    train, val = settings.train_dataloader.dataset, settings.val_dataloader.dataset
    assert train.sample(0, rng)["img"].shape == (64, 64, 3)
    label = val.sample(0, rng)["gt_seg_map"]
    assert label.shape == (64, 80) and label.sum() == 16
    assert main(["--images", "a", "--labels", "b", "--write", str(path)]) == 1
    assert "my_data.py exists; it is not written over" in capsys.readouterr().err


def test_the_written_config_of_ids_names_them(folder):
    for i in range(4):
        label = np.full((64, 80), (7, 9, 255, 9)[i], np.uint8)
        label[0, 0] = 7
        Image.fromarray(label).save(folder / f"labels/{i}.png")
    path = folder / "ids.py"
    examine(folder, "labels", "--write", str(path))
    text = path.read_text()
    assert 'CLASSES = ["class 0", "class 1"]' in text
    assert "label_map={7: 0, 9: 1}" in text and "ignore_index=255" in text
    read_settings(load_config(f"{path}:", ()))


def test_a_class_that_is_also_ignored(folder, capsys):
    for i in range(4):
        label = np.full((64, 80), 1 + i % 2, np.uint8)
        Image.fromarray(label).save(folder / f"labels/{i}.png")
    config = """def get_config():
    return dict(train_dataloader=dict(dataset=dict(
        type="BaseSegDataset", data_root={root!r}, img_suffix=".png",
        data_prefix=dict(img_path="images", seg_map_path="labels"), {keys}
        pipeline=[dict(type="LoadImageFromFile"), dict(type="LoadAnnotations")])))
"""
    path = folder / "config.py"
    for keys, found in (
        (
            'metainfo=dict(classes=["Background", "a"]), reduce_zero_label=True,',
            "the first class, which is label 1, is called 'Background'",
        ),
        (
            'metainfo=dict(classes=["background", "a", "b"]), ignore_index=0,',
            "ignore_index=0 is the place of the class 'background'",
        ),
    ):
        path.write_text(config.format(root=str(folder), keys=keys))
        main(["--config", f"{path}:", "--output", str(folder / "out")])
        assert found in capsys.readouterr().out


def test_jpegs_edges_of_several_classes_are_recognised():
    """As a mask of 0, 80 and 160 in JPEG: the same strays in every image."""
    ids = {i: ClassTally(pixels=20, images=9) for i in range(0, 170, 3)}
    ids |= {i: ClassTally(pixels=9000, images=10) for i in (0, 80, 160)}
    (found,) = label_settings(ids, {}, None, 255, False, {})
    assert "0, 3, 6, 80, 160) have" in found.reason.replace("9, ", "")
    # Many rare classes are no blur: most images have none of them.
    rare = {i: ClassTally(pixels=20, images=1) for i in ids}
    rare |= {i: ClassTally(pixels=9000, images=10) for i in (0, 80, 160)}
    assert all(
        "JPEG" not in f.reason for f in label_settings(rare, {}, None, 255, 0, {})
    )

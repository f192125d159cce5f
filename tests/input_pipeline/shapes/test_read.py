"""Annotation files that are no such files, and which image each one is of."""

import json

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import BaseSegDataset, CamVidDataset
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.read import read_annotations
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile

BOX = [[0, 0], [2, 0], [2, 2], [0, 2]]
CLASSES = {"classes": ["background", "a"]}


def read(tmp_path, content, name="x.json"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_annotations(str(path), Annotations())


@pytest.mark.parametrize(
    "content, found",
    [
        ("{", "no JSON that can be read"),
        ("[" * 100_000, "nested too deeply"),
        ('{"shapes": [NaN]}', "NaN stands for a number"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON that can be read"),
        ('{"a": 1, "b": 2}', "a dict of 'a', 'b'; known are COCO, LabelMe"),
        ("[1, 2]", "JSON that is list"),
        ('{"shapes": [{}]}', "unknown form of LabelMe: KeyError: 'points'"),
        ('{"shapes": [{"label": 1, "points": 5}]}', "no list of x and y|shape"),
        ('{"shapes": [{"label": "a", "points": [[0, 0]]}]}', "1 points; it needs 3"),
        ('{"images": [{}], "annotations": []}', "unknown form of COCO"),
        ('{"images": 5, "annotations": []}', "unknown form of COCO"),
        ('{"features": [5]}', "unknown form of GeoJSON"),
        ("\x00\x01", "two columns or more"),
        ("a,b\n1,2,3\n", "line 2 has another number of columns"),
        ("a,b\n1,2\n", "annotations.image_key"),
        ("id,b\n1,2\n", "annotations.mask_key"),
        ("id,rle\n1,POLYGON ((0 0, 1)\n", "another number of columns"),
        ('id,wkt\n1,"POLYGON ((0 0, 1))"\n', "no list of x and y"),
        ('id,wkt\n1,"POLYGON ((0 0 drop)"\n', "damaged WKT"),
        ('id,wkt\n1,"CIRCLE (5)"\n', "neither WKT nor"),
        ('id,wkt\n1,"1,2,3"\n', "of even length"),
        ("", "is empty"),
    ],
)
def test_no_annotations(tmp_path, content, found):
    with pytest.raises(DataError, match=f"(?s)x.json.*(?:{found})"):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content, found",
    [
        ("0 0.1 0.1 0.5 0.5", "a box"),
        ("0 0.1 0.1 0.5", "of even length"),
        ("a 0.1 0.1 0.5 0.5 0.3 0.3", "not with a class"),
        ("0 10.1 0.1 0.5 0.5 0.3 0.3", "parts of the width"),
    ],
)
def test_no_yolo(tmp_path, content, found):
    with pytest.raises(DataError, match=f"x.txt: line 1.*{found}"):
        read(tmp_path, content, "x.txt")


def coco(*images):
    return {
        "images": [dict(id=i, file_name=n) for i, n in enumerate(images)],
        "annotations": [],
        "categories": [],
    }


@pytest.fixture
def folder(tmp_path):
    for name in ("a.png", "s/b.png", "t/b.png"):
        path = tmp_path / "img" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    return tmp_path


def dataset(folder, content, ann_file="", **rules):
    (folder / "all.json").write_text(json.dumps(content))
    return BaseSegDataset(
        str(folder),
        {"img_path": "img", "seg_map_path": "all.json"},
        ann_file,
        ".png",
        metainfo=CLASSES,
        annotations=Annotations(**rules),
    )


def test_images_are_found_by_path_or_name(folder):
    found = dataset(folder, coco("s/b.png", "x/a.png", "t/b.png"))
    assert [found[i]["shapes"].image for i in range(3)] == [
        "x/a.png",
        "s/b.png",
        "t/b.png",
    ]
    assert all(label is None for _, label in found.files())


@pytest.mark.parametrize(
    "images, found",
    [
        (("a.png", "b.png"), "'b.png' fits several images"),
        (("a.png", "a.png", "s/b.png"), "2 annotations for the image a.png"),
        (("s/b.png", "t/b.png"), r"1 of 3 images .* no annotation .*:\n  a.png"),
        (("a.png", "s/b.png", "t/b.png", "c.png"), "1 of 4 annotations have no image"),
    ],
)
def test_images_and_annotations_that_do_not_fit(folder, images, found):
    with pytest.raises(DataError, match=f"(?s){found}"):
        dataset(folder, coco(*images))


def test_images_without_annotation(folder):
    content = coco("s/b.png", "t/b.png", "other.png")
    (folder / "list.txt").write_text("a\ns/b\n")
    load = LoadAnnotations()
    filled = dataset(folder, content, "list.txt", missing="background")
    assert len(filled) == 2
    assert not load.label_of(filled[0]).any()
    left = dataset(folder, content, "list.txt", missing="leave_out")
    assert [image[-7:] for image, _ in left.files()] == ["s/b.png"]


def test_one_key_maps_numbers_names_and_colours(tmp_path):
    for name in ("img", "ann"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (3, 1)).save(tmp_path / "img/a.jpg")
    colors = [[[255, 0, 0], [0, 0, 255], [9, 9, 9]]]
    Image.fromarray(np.array(colors, np.uint8)).save(tmp_path / "ann/a.png")
    data = BaseSegDataset(
        str(tmp_path),
        {"img_path": "img", "seg_map_path": "ann"},
        metainfo={"classes": ["ground", "roof"]},
        label_map={"#ff0000": "roof", "#0000FF": 0, "#090909": 255, "x": "roof"},
        pipeline=(LoadImageFromFile(), LoadAnnotations()),
    )
    assert data.metainfo["palette"] == ((0, 0, 255), (255, 0, 0))
    label = data.sample(0, np.random.default_rng())["gt_seg_map"]
    np.testing.assert_array_equal(label, [[1, 0, 255]])
    refused = {"data_prefix": {"img_path": "img"}, "metainfo": CLASSES}
    for label_map, found in (
        ({"x": "b"}, r"label_map\['x'\] is 'b'; .* one of the names background, a"),
        ({(1, 2): 0}, r"has the key \(1, 2\)"),
        ([1], "takes a dict"),
        ({"x": 2.5}, "is 2.5"),
    ):
        with pytest.raises(DataError, match=found):
            BaseSegDataset(str(tmp_path), label_map=label_map, **refused)
    with pytest.raises(DataError, match="has its own palette"):
        CamVidDataset(str(tmp_path), label_map={"#ff0000": 1})


def test_names_of_a_known_data_set_that_are_not_chosen(folder):
    (folder / "ann").mkdir()
    shapes = [dict(label=n, points=BOX) for n in ("Sky", "Building")]
    (folder / "ann/a.json").write_text(json.dumps(dict(shapes=shapes)))
    data = CamVidDataset(
        str(folder),
        {"img_path": "img", "seg_map_path": "ann"},
        "list.txt" if (folder / "list.txt").write_text("a") else "",
        img_suffix=".png",
        seg_map_suffix=".json",
        metainfo={"classes": ["Building", "Car"]},
        annotations=Annotations(background=255),
    )
    label = LoadAnnotations().label_of(data[0])
    assert label[0, 0] == 0
    shapes.reverse()
    (folder / "ann/a.json").write_text(json.dumps(dict(shapes=shapes)))
    assert LoadAnnotations().label_of(data[0])[0, 0] == 255


def test_the_keys_of_annotations():
    for keys in (
        dict(draw_order="x"),
        dict(missing="x"),
        dict(rle_order="F"),
        dict(line_width=-1),
    ):
        with pytest.raises(DataError, match=f"^{next(iter(keys))}: must be"):
            Annotations(**keys)

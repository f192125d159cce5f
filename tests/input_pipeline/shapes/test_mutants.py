"""Annotation files damaged at random are painted, or end in a DataError."""

import base64
import json
import random
import zlib

import numpy as np
import pytest
from scipy.io import savemat

from input_pipeline.decode import read_label
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.paint import Painter
from input_pipeline.shapes.read import read_annotations
from tests.input_pipeline.shapes.test_formats import (
    CVAT,
    ROOF,
    ROOF_AND_TREE,
    SCENE_CLASSES,
    TREE,
    VIDEO,
    brush,
    coco,
    labelme,
    png,
    via3,
)

# What a mutant gets in place of some bytes.
BITS = (
    *(b"", b"-1", b"1e999", b"99999999999999999999", b"null", b"[]", b"{}", b'""'),
    *(b"NaN", b"(", b",", b"\x00", b"\xff", b"true", b"0.5"),
)


def studio():
    def result(kind, **value):
        return dict(type=kind, original_width=10, original_height=6, value=value)

    mask = brush(SCENE_CLASSES == 2)
    results = [
        result("polygonlabels", polygonlabels=["roof"], points=ROOF),
        result("brushlabels", brushlabels=["tree"], format="rle", rle=mask),
        result("ellipselabels", ellipselabels=["tree"], x=9, y=9, radiusX=3, radiusY=2),
    ]
    return [dict(data={"image": "a.png"}, annotations=[dict(result=results)])]


def supervisely():
    packed = base64.b64encode(zlib.compress(png(np.ones((3, 4), bool)))).decode()
    points = dict(exterior=ROOF, interior=[TREE])
    return dict(
        size=dict(height=6, width=10),
        objects=[
            dict(classTitle="roof", geometryType="polygon", points=points),
            dict(
                classTitle="tree",
                geometryType="bitmap",
                bitmap=dict(data=packed, origin=[3, 3]),
            ),
        ],
    )


def via():
    shapes = [
        dict(name="polygon", all_points_x=[1, 5, 5], all_points_y=[1, 1, 5]),
        dict(name="ellipse", cx=3, cy=3, rx=2, ry=1, theta=1),
    ]
    regions = [
        dict(shape_attributes=s, region_attributes={"a": "roof"}) for s in shapes
    ]
    return {"a.png1": dict(filename="a.png", regions=regions)}


def geojson():
    geometry = dict(type="MultiPolygon", coordinates=[[ROOF], [TREE]])
    roof = dict(type="Feature", properties={"class": "roof"}, geometry=geometry)
    return dict(type="FeatureCollection", features=[roof])


RLE = dict(category_id=12, segmentation=dict(size=[6, 10], counts="e03300000?"))
SAMPLES = {
    "labelme.json": labelme(("roof", ROOF, "polygon"), ("tree", TREE[:2], "circle")),
    "coco.json": coco(dict(category_id=11, segmentation=[[1, 1, 5, 1, 5, 5]]), RLE),
    "via.json": via(),
    "supervisely.json": supervisely(),
    "studio.json": studio(),
    "geo.json": geojson(),
    "cvat.xml": CVAT.format(
        more='<mask label="roof" rle="1,2,1" left="8" top="0" width="2" height="2"/>'
    ),
    "via3.json": via3(*ROOF_AND_TREE),
    "video.xml": VIDEO.format(more=""),
    "yolo.txt": "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0.5 0.5 0.9 0.5 0.9 0.9\n",
    "rle.csv": "ImageId,EncodedPixels,ClassId\na,8 4 14 4,roof\na,,tree\n",
    "wkt.csv": 'ImageId,wkt,class\na,"POLYGON ((1 1, 5 1, 5 5), (2 2, 3 2, 3 3))",roof\n',
}
PAINTER = Painter(
    ("background", "roof", "tree"), {"*": 0}, {}, False, 255, Annotations(line_width=1)
)


def mutant(data, rng):
    for _ in range(rng.choice((1, 1, 2, 5))):
        begin = rng.randrange(len(data) + 1)
        end = begin + rng.choice((0, 1, 2, 8, 40))
        data = data[:begin] + rng.choice(BITS) + data[end:]
    return data


@pytest.mark.parametrize("name", SAMPLES)
def test_mutants_of_annotations(tmp_path, name):
    content = SAMPLES[name]
    text = content if isinstance(content, str) else json.dumps(content)
    path = tmp_path / name
    rng = random.Random(0)
    painted = 0
    for number in range(150):
        path.write_bytes(mutant(text.encode(), rng) if number else text.encode())
        try:
            for image in read_annotations(str(path), Annotations()):
                label = PAINTER(image, (6, 10), str(path))
                assert label.shape == (6, 10) and label.max() <= 2
                painted += 1
        except DataError as error:
            assert number, error
            assert str(path) in str(error)
    assert painted > 1


@pytest.mark.parametrize(
    "content, name",
    [
        ({"S": SCENE_CLASSES, "n": 5}, ""),
        ({"G": {"B": [1, 2], "S": SCENE_CLASSES}}, "G.S"),
        ({"C": np.array([[{"S": SCENE_CLASSES}], [5]], object)}, "C{1}.S"),
    ],
    ids=["matrix", "struct", "cell"],
)
def test_mutants_of_mats(tmp_path, content, name):
    path = tmp_path / "a.mat"
    savemat(path, content, do_compression=True)
    packed = path.read_bytes()
    savemat(path, content)
    rng = random.Random(0)
    for whole in (packed, path.read_bytes()):
        for _ in range(100):
            data = bytearray(whole)
            for _ in range(rng.choice((1, 2, 4))):
                data[rng.randrange(len(data))] = rng.randrange(256)
            path.write_bytes(data)
            try:
                assert read_label(path, 1000, name).ndim == 2
            except DataError as error:
                assert str(path) in str(error)

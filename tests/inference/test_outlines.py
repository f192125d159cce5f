"""Outlines cover just the pixels of a class, and run lengths give them back."""

import itertools
import json
import types

import cv2
import numpy as np
from PIL import Image

from input_pipeline.formats.georeference import Georeference
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.geojson import read_geojson
from input_pipeline.transforms import LoadImageFromFile
from jaxseg.inference.outlines import geojson_of, polygons_of, run_lengths_of
from jaxseg.inference.output_formats import FORMATS
from jaxseg.inference.pictures import predict_files


def filled(shape, rings):
    """The pixels whose centres are inside by the even-odd rule."""
    inside = np.zeros(shape, bool)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    for ring in rings:
        for (x0, y0), (x1, y1) in itertools.pairwise(ring):
            if x0 == x1:
                inside ^= (y > min(y0, y1)) & (y < max(y0, y1)) & (x > x0)
    return inside


def test_polygons_cover_their_areas():
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = rng.random(rng.integers(1, 12, 2)) < rng.uniform(0.2, 0.95)
        found = list(polygons_of(mask))
        # Each pixel once: areas that touch at a corner alone are two.
        assert np.array_equal(
            sum((filled(mask.shape, f) for f in found), mask * 0), mask
        )
        count = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0]
        assert len(found) == count - 1
        assert all(ring[0] == ring[-1] for rings in found for ring in rings)


def test_a_hole_is_an_inner_ring_of_corners():
    label_map = np.ones((5, 6), np.uint8)
    label_map[1:3, 2:4] = 0
    outer, inner = geojson_of(label_map, ("sky", "road"))["features"]
    assert outer["properties"] == {"class": "sky", "id": 0}
    assert len(outer["geometry"]["coordinates"]) == 1
    assert inner["properties"]["class"] == "road"
    ring, hole = inner["geometry"]["coordinates"]
    assert sorted(ring[:-1]) == [[0, 0], [0, 5], [6, 0], [6, 5]]
    assert sorted(hole[:-1]) == [[2, 1], [2, 3], [4, 1], [4, 3]]


def test_run_lengths():
    mask = np.array([[1, 0, 0], [1, 0, 1]], bool)
    # Down the columns: 1 1 0 0 0 1.
    assert run_lengths_of(mask) == {"size": [2, 3], "counts": [0, 2, 3, 1]}
    assert run_lengths_of(~mask)["counts"] == [2, 3, 1]
    assert run_lengths_of(mask & False)["counts"] == [6]


class Halves:
    """A model of two classes, the left half and the right one."""

    pipeline = (LoadImageFromFile(),)
    segmentor = types.SimpleNamespace(predicted_key="gt_seg_map")
    palette, classes, tta = ((9, 9, 9), (200, 100, 0)), ("left", "right"), None

    def read_pixels(self, path):
        return np.asarray(Image.open(path).convert("RGB"))

    def predict(self, path, return_logits=False):
        height, width = self.read_pixels(path).shape[:2]
        label_map = np.tile(
            (np.arange(width) * 2 // width).astype(np.uint8), (height, 1)
        )
        return (
            (label_map, np.eye(2, dtype=np.float32)[label_map])
            if return_logits
            else (label_map)
        )


def test_every_format_is_written(tmp_path):
    Image.new("RGB", (8, 4)).save(tmp_path / "a.png")
    [done] = predict_files(
        Halves(), [tmp_path / "a.png"], tmp_path / "out", tuple(FORMATS)
    )
    assert done.error is None and done.file == tmp_path / "out" / "labels" / "a.png"
    files = {
        name: tmp_path / "out" / f"{folder}/a{end}"
        for name, (folder, end) in FORMATS.items()
    }
    assert all(path.exists() for path in files.values())
    color = np.asarray(Image.open(files["color"]))
    assert color[0, 0].tolist() == [9, 9, 9] and color[3, 7].tolist() == [200, 100, 0]
    mean = np.load(files["probability"])
    assert mean.shape == (4, 8, 2) and mean.dtype == np.float32
    np.testing.assert_allclose(mean[0, 0], np.exp([1, 0]) / (np.e + 1), rtol=1e-6)
    _, right = json.loads(files["polygons"].read_text())["features"]
    assert sorted(right["geometry"]["coordinates"][0][:-1]) == [
        *([4, 0], [4, 4], [8, 0], [8, 4])
    ]
    entries = json.loads(files["rle"].read_text())
    assert [entry["area"] for entry in entries] == [16, 16]
    assert entries[1]["segmentation"]["counts"] == [16, 16]
    assert entries[1]["category"] == "right"
    only = tmp_path / "only"
    [done] = predict_files(Halves(), [tmp_path / "a.png"], only, ("color",))
    assert done.file == only / "colors" / "a.png"
    assert [path.name for path in only.iterdir()] == ["colors"]


def test_polygons_of_a_geotiff_are_in_its_coordinates():
    label_map = np.zeros((4, 6), np.uint8)
    label_map[1:3, 2:5] = 1
    label_map[1, 3] = 0
    matrix = np.array([[0.5, 0, 100], [0, -0.5, 900]])
    world = Georeference(matrix, 32633)
    plain = geojson_of(label_map, ("ground", "roof"))
    found = geojson_of(label_map, ("ground", "roof"), world)
    assert found["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32633"
    assert "crs" not in plain
    for here, there in zip(plain["features"], found["features"], strict=True):
        rings = here["geometry"]["coordinates"], there["geometry"]["coordinates"]
        for place, (ring, moved) in enumerate(zip(*rings, strict=True)):
            due = [[x / 2 + 100, 900 - y / 2] for x, y in reversed(ring)]
            assert moved == due
            x, y = np.array(moved).T
            area = (x[:-1] * y[1:] - x[1:] * y[:-1]).sum()
            assert (area > 0) == (place == 0)  # holes go round the other way
    # What reads labels takes them back.
    (read,) = read_geojson(found, "out.json", Annotations())
    assert read.crs == "EPSG:32633" and len(read.shapes) == len(plain["features"])
    lonlat = geojson_of(label_map, ("ground", "roof"), Georeference(matrix, 4326))
    assert "crs" not in lonlat

"""GeoJSON over GeoTIFF: coordinates of the world become pixels."""

import json
import sys

import numpy as np
import pytest
import tifffile

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.transforms import LoadAnnotations

CLASSES = {"classes": ["background", "roof"]}


def feature(*rings):
    geometry = dict(type="Polygon", coordinates=[list(map(list, r)) for r in rings])
    return dict(type="Feature", properties={"class": "roof"}, geometry=geometry)


def dataset(folder, features, epsg=None):
    content = dict(type="FeatureCollection", features=features)
    if epsg:
        name = f"urn:ogc:def:crs:EPSG::{epsg}"
        content["crs"] = dict(type="name", properties=dict(name=name))
    (folder / "city.geojson").write_text(json.dumps(content))
    return BaseSegDataset(
        str(folder),
        {"img_path": "img", "seg_map_path": "city.geojson"},
        img_suffix=".tif",
        metainfo=CLASSES,
        annotations=Annotations(),
    )


def test_a_geotiff_names_its_extra(tmp_path, monkeypatch):
    (tmp_path / "img").mkdir()
    tags = [(33550, "d", 3, (1.0, 1.0, 0.0), False)]
    image = np.zeros((6, 8, 3), np.uint8)
    tifffile.imwrite(tmp_path / "img/a.tif", image, extratags=tags)
    monkeypatch.setitem(sys.modules, "rasterio", None)
    data = dataset(tmp_path, [feature([(0, 0), (2, 0), (2, 2)])])
    with pytest.raises(DataError, match=r"pip install 'jaxseg\[geo\]'"):
        LoadAnnotations().label_of(data[0])
    # A TIFF without a georeference has its pixels for coordinates.
    tifffile.imwrite(tmp_path / "img/a.tif", image)
    assert LoadAnnotations().label_of(data[0]).sum() == 3


def test_two_tiles_of_one_map(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    warp = pytest.importorskip("rasterio.warp")
    (tmp_path / "img").mkdir()
    west, north, side = 500000.0, 4649776.0, 0.5
    for name, left in (("a", west), ("b", west + 8 * side)):
        with rasterio.open(
            tmp_path / f"img/{name}.tif",
            "w",
            driver="GTiff",
            width=8,
            height=6,
            count=3,
            dtype="uint8",
            crs="EPSG:32633",
            transform=rasterio.Affine(side, 0, left, 0, -side, north),
        ) as raster:
            raster.write(np.zeros((3, 6, 8), np.uint8))

    # Pixels 6..10 of the two tiles' columns, rows 1..4, and a house that is elsewhere.
    pixels = np.array([(6, 1), (10, 1), (10, 4), (6, 4)])
    here = [(west + x * side, north - y * side) for x, y in pixels]
    away = [(x + 500, y) for x, y in here]
    longitude, latitude = warp.transform(
        "EPSG:32633", "EPSG:4326", *zip(*here, strict=True)
    )
    on_globe = list(zip(longitude, latitude, strict=True))
    expected = np.zeros((6, 16), np.uint8)
    expected[1:4, 6:10] = 1
    for features, epsg in (
        ([feature(here), feature(away)], 32633),
        ([feature(on_globe)], None),
    ):
        data = dataset(tmp_path, features, epsg)
        painted = [LoadAnnotations().label_of(data[i]) for i in range(2)]
        np.testing.assert_array_equal(np.hstack(painted), expected)
    with pytest.raises(DataError, match="reference system 'urn:x' is not known"):
        (tmp_path / "city.geojson").write_text(
            '{"features": [], "crs": {"properties": {"name": "urn:x"}}}'
        )
        BaseSegDataset(
            str(tmp_path),
            {"img_path": "img", "seg_map_path": "city.geojson"},
            img_suffix=".tif",
            metainfo=CLASSES,
        )

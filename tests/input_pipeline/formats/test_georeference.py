"""Georeferences of GeoTIFFs, by their tags."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.formats.georeference import read_georeference

SCALE = (33550, "d", 3, (0.5, 0.25, 0.0), True)
TIE = (33922, "d", 6, (10.0, 20.0, 0.0, 500000.0, 5400000.0, 0.0), True)
MATRIX = (0.0, 2.0, 0.0, 7.0, 3.0, 0.0, 0.0, 9.0) + (0.0,) * 7 + (1.0,)


def keys(*pairs):
    entries = [entry for key, number in pairs for entry in (key, 0, 1, number)]
    header = (1, 1, 0, len(pairs))
    return 34735, "H", 4 + len(entries), (*header, *entries), True


def read(tmp_path, *tags):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((30, 40), np.uint8), extratags=tags)
    return read_georeference(path)


def test_scale_and_tie_point(tmp_path):
    found = read(tmp_path, SCALE, TIE, keys((1025, 1), (3072, 32633)))
    assert found.epsg == 32633
    points = np.array([(10, 20), (12, 20), (10, 24)])
    world = [(500000, 5400000), (500001, 5400000), (500000, 5399999)]
    np.testing.assert_array_equal(found.to_world(points), world)


def test_a_tie_point_of_a_centre(tmp_path):
    found = read(tmp_path, SCALE, TIE, keys((1025, 2), (2048, 4326)))
    assert found.epsg == 4326
    centre = found.to_world(np.array([(10.5, 20.5)]))
    np.testing.assert_array_equal(centre, [(500000, 5400000)])


def test_a_matrix(tmp_path):
    tag = 34264, "d", 16, MATRIX, True
    found = read(tmp_path, tag, keys((3072, 25832)))
    np.testing.assert_array_equal(found.to_world(np.array([(4, 5)])), [(17, 21)])


def test_what_has_none(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    assert read_georeference(tmp_path / "a.png") is None
    assert read(tmp_path) is None
    assert read(tmp_path, SCALE, TIE) is None  # no reference system
    own = 32767
    assert read(tmp_path, SCALE, TIE, keys((3072, own))) is None
    assert read(tmp_path, keys((3072, 32633))) is None


def test_a_damaged_one(tmp_path):
    short = (33922, "d", 3, (1.0, 2.0, 3.0), True)
    with pytest.raises(DataError, match="a.tif: the GeoTIFF is damaged: the tag 33922"):
        read(tmp_path, SCALE, short, keys((3072, 32633)))

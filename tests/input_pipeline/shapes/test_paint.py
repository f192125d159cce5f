"""What shapes cover, which class they have, and what is refused."""

import numpy as np
import pytest

from input_pipeline.errors import DataError
from input_pipeline.shapes import fill
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.shapes.fill import fill_polygon
from input_pipeline.shapes.paint import Painter
from input_pipeline.shapes.rle import coco_runs, kaggle_runs, runs_to_mask
from input_pipeline.shapes.shape import (
    ImageShapes,
    Shape,
    box_polygon,
    ellipse_polygon,
    polygon_of,
)

CLASSES = ("background", "roof", "tree")


def painter(names=None, label_map=None, reduce_zero_label=False, **rules):
    return Painter(
        CLASSES,
        names or {},
        label_map or {},
        reduce_zero_label,
        255,
        Annotations(**rules),
    )


def box(name, x, y, width, height, number=None):
    return Shape(name or "it", name, number, (box_polygon(x, y, width, height, "it"),))


def painted(*shapes, size=(4, 6), by=None, **image):
    return (by or painter())(ImageShapes("a", shapes, **image), size, "file.json")


def covered(ring, size=(8, 8), holes=()):
    found = np.zeros(size, bool)
    mask, x, y = fill_polygon(polygon_of(ring, "it", holes), size, "it")
    found[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    return found


def test_a_pixel_is_covered_if_its_centre_is():
    expected = np.zeros((8, 8), bool)
    expected[2:4, 1:5] = True
    for x, y, right, bottom in ((1, 2, 5, 4), (0.6, 1.6, 5.4, 4.4)):
        ring = [(x, y), (right, y), (right, bottom), (x, bottom)]
        np.testing.assert_array_equal(covered(ring), expected)
        np.testing.assert_array_equal(covered(ring[::-1]), expected)
    # A triangle by hand: the centres below the diagonal.
    below = np.arange(8)[:, None] > np.arange(8)
    np.testing.assert_array_equal(covered([(0, 0), (8, 8), (0, 8)]), below)


def test_neighbours_leave_no_gap_and_share_no_pixel():
    rng = np.random.default_rng(0)
    middle = rng.uniform(5, 25, 2)
    angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
    rim = 15 + 40 * np.stack([np.cos(angles), np.sin(angles)], 1)
    times = sum(
        covered([middle, a, b], (30, 30)).astype(int)
        for a, b in zip(rim, np.roll(rim, -1, 0), strict=True)
    )
    assert times.max() == 1
    np.testing.assert_array_equal(times == 1, covered(rim, (30, 30)))


def test_even_odd_against_a_test_of_every_pixel(monkeypatch):
    monkeypatch.setattr(fill, "_AT_ONCE", 50)  # several passes
    rng = np.random.default_rng(1)
    for _ in range(20):
        ring = rng.uniform(-5, 25, (9, 2))
        y, x = np.mgrid[:20, :18] + 0.5
        inside = np.zeros((20, 18), bool)
        for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, 0), strict=True):
            passes = (y1 <= y) != (y2 <= y)
            inside ^= passes & (x >= x1 + (y - y1) * (x2 - x1) / (y2 - y1))
        np.testing.assert_array_equal(covered(ring, (20, 18)), inside)


def test_a_hole_shows_what_is_below():
    roof = [(0, 0), (6, 0), (6, 4), (0, 4)]
    court = [(2, 1), (4, 1), (4, 3), (2, 3)]
    ring = Shape("r", "roof", None, (polygon_of(roof, "r", [court]),))
    label = painted(box("tree", 0, 0, 6, 4), ring)
    expected = np.ones((4, 6), np.uint8)
    expected[1:3, 2:4] = 2
    np.testing.assert_array_equal(label, expected)


def test_order_of_drawing():
    shapes = box("roof", 0, 0, 2, 2), box("tree", 0, 0, 4, 4), box("roof", 1, 1, 1, 1)
    assert painted(*shapes)[0, 0] == 2 and painted(*shapes)[1, 1] == 1
    by_area = painted(*shapes, by=painter(draw_order="area"))
    assert by_area[0, 0] == 1 and by_area[3, 3] == 2
    by_class = painted(*shapes, by=painter(draw_order="class"))
    assert (by_class[:, :4] == 2).all()


def test_a_class_by_name_or_number():
    by = painter({"Baum": 2, "void": 255, "*": 0}, {7: 1})
    shapes = (
        box("roof", 0, 0, 1, 1),
        box("Baum", 1, 0, 1, 1),
        box("void", 2, 0, 1, 1),
        box("dog", 3, 0, 1, 1),
        box(None, 4, 0, 1, 1, number=2),
        box("7", 5, 0, 1, 1),
    )
    np.testing.assert_array_equal(painted(*shapes, by=by)[0], [1, 2, 255, 0, 2, 1])
    reduced = painter(reduce_zero_label=True)
    shapes = box(None, 0, 0, 1, 1, number=0), box(None, 1, 0, 1, 1, number=3)
    np.testing.assert_array_equal(painted(*shapes, by=reduced)[0, :2], [255, 2])
    # The number of a category says nothing of a class of another name.
    with pytest.raises(DataError, match=r"it is of the class 'dog'"):
        painted(Shape("it", "dog", 1, box("roof", 0, 0, 1, 1).polygons))


@pytest.mark.parametrize(
    "shape, found",
    [
        (box("rooof", 0, 0, 1, 1), "'rooof', which is none of .*Is 'roof' meant"),
        (box(None, 0, 0, 1, 1, number=3), "of the class 3, which is none of"),
        (box(None, 0, 0, 1, 1), "has no class; .*label_key"),
        (box("roof", 7, 0, 2, 2), "wholly outside of the image of 4x6"),
        (box("roof", 0, -3, 2, 2), "wholly outside"),
        (Shape("it", "roof", lines=(np.zeros((2, 2)),)), "line_width=N"),
    ],
)
def test_shapes_that_are_refused(shape, found):
    with pytest.raises(DataError, match=rf"file.json.*{found}"):
        painted(shape)


def test_part_of_a_shape_may_be_outside():
    label = painted(box("roof", -3, 2, 5, 9))
    np.testing.assert_array_equal(label[:, :3], [[0] * 3] * 2 + [[1, 1, 0]] * 2)
    assert not painted(box("roof", 60, 0, 2, 2), covers_more=True).any()


def test_lines_have_a_width():
    line = Shape("l", "tree", lines=(np.array([[0.5, 2.5], [5.5, 2.5]]),))
    label = painted(line, by=painter(line_width=1))
    np.testing.assert_array_equal(label, [[0] * 6, [0] * 6, [2] * 6, [0] * 6])


def test_an_ellipse_is_turned_clockwise():
    mask = covered(ellipse_polygon(50, 40, 30, 20, "e", 30)[0], (80, 100))
    y, x = np.mgrid[:80, :100] + 0.5 - np.array([40, 50])[:, None, None]
    along = np.cos(np.pi / 6) * x + np.sin(np.pi / 6) * y
    across = np.cos(np.pi / 6) * y - np.sin(np.pi / 6) * x
    inside = (along / 30) ** 2 + (across / 20) ** 2 < 1
    # A polygon of 128 corners lies a little inside of it.
    assert (mask != inside).sum() <= 4 and not (mask & ~inside).any()


def test_the_background_is_a_class():
    assert (painted(by=painter(background="tree")) == 2).all()
    assert (painted(by=painter(background=255)) == 255).all()
    with pytest.raises(DataError, match=r"annotations.background: 9 is no class"):
        painter(background=9)
    with pytest.raises(DataError, match=r"'background' is not among the classes a, b"):
        Painter(("a", "b"), {}, {}, False, 255, Annotations())


def test_another_size_is_refused():
    image = ImageShapes("a", (), size=(4, 7))
    with pytest.raises(DataError, match=r"4x7 \(h x w\), and the image has 4x6"):
        painter()(image, (4, 6), "file.json")


@pytest.mark.parametrize(
    "points, found",
    [
        ([], "0 points; it needs 3"),
        ([[0, 0], [1, 1]], "2 points; it needs 3"),
        ([[0, 0], [1, float("nan")], [2, 2]], "NaN"),
        ([[0, 0], [1, 1e300], [2, 2]], "beyond"),
        ([[0, 0], [1], [2, 2]], "no list of x and y"),
        ([0, 1, 2], "an array of shape"),
        (None, "no list|array of shape"),
        ("abc", "no list"),
    ],
)
def test_polygons_that_are_none(points, found):
    with pytest.raises(DataError, match=found):
        polygon_of(points, "it")


def test_a_polygon_of_endless_work_is_refused(monkeypatch):
    monkeypatch.setattr(fill, "MAX_CROSSINGS", 1000)
    zigzag = [(x % 7, 100 * (x % 2)) for x in range(50)]
    with pytest.raises(DataError, match="of 50 points that crosses rows"):
        covered(zigzag, (100, 100))


def test_cocos_text_of_a_random_mask():
    """Encoded by pycocotools 2.0.11."""
    code = dict(size=[6, 10], counts="2136OJ010020M10N224NK1OO0000")
    mask = np.random.default_rng(0).random((6, 10)) < 0.5
    np.testing.assert_array_equal(runs_to_mask(coco_runs(code, ""), (6, 10), ""), mask)


@pytest.mark.parametrize(
    "code, found",
    [
        (dict(size=[6, 10], counts=[1, 2]), "have 3 pixels in all, and must have 60"),
        (dict(size=[6, 10], counts=[70, -10]), "damaged run length"),
        (dict(size=[6, 10], counts=[2**62] * 5), "damaged run length"),
        (dict(size=[6, 10], counts=[59.5, 0.5]), "whole numbers"),
        (dict(size=[6, 10], counts="e0330000"), "must have 60"),
        (dict(size=[6, 10], counts="e033\x00"), "not COCO's"),
        (dict(size=[6, 10], counts="o" * 99), "not COCO's"),
        (dict(size=[6], counts=[6]), "size"),
        (dict(size=[10**6, 10**6], counts=[10**12]), "too large"),
    ],
)
def test_damaged_cocos_run_lengths(code, found):
    with pytest.raises(DataError, match=found):
        coco_runs(code, "it")


@pytest.mark.parametrize(
    "text, found",
    [
        ("1 2 3", "3 numbers"),
        ("1 x", "whole numbers"),
        ("0 5", "1 or more"),
        ("1 5 3 2", "overlap"),
        ("60 2", "ends at pixel 61 of an image of 60"),
        (f"1 {2**62}", "ends at pixel"),
    ],
)
def test_damaged_run_lengths_of_a_table(text, found):
    with pytest.raises(DataError, match=found):
        runs_to_mask(kaggle_runs(text, True, "it"), (6, 10), "it")

"""Loading of images and labels: what a class id becomes, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline.errors import DataError
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile, Resize

PALETTE = ((0, 0, 0), (200, 10, 10), (10, 200, 10))


def record(**changes):
    facts = {
        "classes": ("a", "b", "c"),
        "palette": PALETTE,
        "reduce_zero_label": False,
        "label_map": None,
        "ignore_index": 255,
        "img_path": "scene.jpg",
        "ori_shape": (2, 4),
    }
    return facts | changes


def load(rng=None, transform=None, **changes):
    return (transform or LoadAnnotations())(record(**changes), rng)["gt_seg_map"]


def classes(count):
    return tuple(f"class {i}" for i in range(count))


def test_image_from_file_and_from_the_record(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    from_file = LoadImageFromFile()({"img_path": str(tmp_path / "a.png")}, None)
    from_record = LoadImageFromFile()({"img": picture, "img_path": "x"}, None)
    for results in (from_file, from_record):
        np.testing.assert_array_equal(results["img"], picture)
        assert results["ori_shape"] == results["img_shape"] == (60, 80)
    floats = LoadImageFromFile(to_float32=True)({"img": picture}, None)["img"]
    assert floats.dtype == np.float32


def test_only_local_files_and_known_color_types():
    LoadImageFromFile(backend_args={"backend": "local"})
    with pytest.raises(ValueError, match="backend_args is .*petrel"):
        LoadImageFromFile(backend_args={"backend": "petrel"})
    with pytest.raises(ValueError, match="color_type is 'bgr'"):
        LoadImageFromFile(color_type="bgr")


def test_binary_mask_by_label_map():
    mask = np.array([[0, 255, 255, 0]], np.uint8)
    facts = {"raw_seg_map": mask, "ori_shape": (1, 4), "classes": ("ground", "vessel")}
    label = load(label_map={0: 0, 255: 1}, **facts)
    np.testing.assert_array_equal(label, [[0, 1, 1, 0]])
    # Keys are strings after the config has been JSON.
    np.testing.assert_array_equal(load(label_map={"0": 0, "255": 1}, **facts), label)


def test_binary_mask_without_label_map_is_not_taken_for_ignore():
    mask = np.array([[0, 255, 255, 0]], np.uint8)
    facts = {"raw_seg_map": mask, "ori_shape": (1, 4), "classes": ("ground", "vessel")}
    with pytest.raises(DataError, match=r"255 \(2 pixels\).*label_map=\{0: 0, 255: 1"):
        load(**facts)
    np.testing.assert_array_equal(load(label_map={255: 255}, **facts), mask)
    three = facts | {"classes": classes(3)}
    np.testing.assert_array_equal(load(**three), mask)


def test_another_ignore_index():
    raw = np.array([[0, 1, 2, 9]], np.uint8)
    facts = {"raw_seg_map": raw, "ori_shape": (1, 4), "ignore_index": 9}
    np.testing.assert_array_equal(load(**facts), [[0, 1, 2, 9]])
    reduced = load(reduce_zero_label=True, **facts)
    np.testing.assert_array_equal(reduced, [[9, 0, 1, 9]])


def test_colors_become_positions_in_the_palette():
    colored = np.array(PALETTE, np.uint8)[[[2, 0, 1, 1]]]
    alpha = np.full((1, 4, 1), 7, np.uint8)
    for raw in (colored, np.concatenate([colored, alpha], axis=2)):
        facts = {"raw_seg_map": raw, "ori_shape": (1, 4)}
        np.testing.assert_array_equal(load(**facts), [[2, 0, 1, 1]])
        # Colours name classes: there is no zero label to take away.
        label = load(reduce_zero_label=True, label_map={0: 255}, **facts)
        np.testing.assert_array_equal(label, [[2, 255, 1, 1]])


def test_unknown_colors_are_named_with_their_pixels():
    raw = np.array(PALETTE, np.uint8)[[[2, 0, 1, 1]]]
    raw[0, 1:3] = (1, 2, 203)
    with pytest.raises(
        DataError, match=r"scene.jpg: 1 colours.*\(1, 2, 203\) \(2 pixel"
    ):
        load(raw_seg_map=raw, ori_shape=(1, 4))
    with pytest.raises(DataError, match="colour-coded label, but .* no palette"):
        load(raw_seg_map=raw, ori_shape=(1, 4), palette=())
    with pytest.raises(DataError, match=r"gives \(0, 0, 0\) to more than one"):
        load(raw_seg_map=raw, ori_shape=(1, 4), palette=PALETTE + ((0, 0, 0),))
    with pytest.raises(DataError, match=r"shape \(1, 4, 2\)"):
        load(raw_seg_map=raw[..., :2], ori_shape=(1, 4))


@pytest.mark.parametrize(
    "ids, count, found, hint",
    [
        ([[0, 1, 2, 3]], 3, r"3 \(1 pixels\)", "reduce_zero_label=True"),
        ([[0, 7, 7, 9]], 3, r"7 \(2 pixels\), 9 \(1 pixels\)", "label_map"),
    ],
)
def test_ids_that_are_no_classes(ids, count, found, hint):
    message = rf"scene.jpg: label ids outside the {count} classes: {found}.*{hint}"
    with pytest.raises(DataError, match=message):
        load(
            raw_seg_map=np.array(ids, np.uint8),
            ori_shape=(1, 4),
            classes=classes(count),
        )


def test_a_mapped_id_is_named_as_it_is_in_the_file():
    with pytest.raises(DataError, match=r"5 -> 4 \(1 pixels\)"):
        load(
            raw_seg_map=np.array([[1, 2, 3, 5]], np.uint8),
            ori_shape=(1, 4),
            reduce_zero_label=True,
        )


def test_wide_labels():
    wide = np.array([[0, 299, 65535, 300]], np.int64)
    facts = {"raw_seg_map": wide, "ori_shape": (1, 4), "ignore_index": 65535}
    label = load(classes=classes(301), **facts)
    assert label.dtype == np.uint16
    np.testing.assert_array_equal(label, wide)
    label = load(**facts | {"ignore_index": 255, "classes": classes(65536)})
    np.testing.assert_array_equal(label, wide)
    narrow = load(
        raw_seg_map=wide,
        ori_shape=(1, 4),
        label_map={299: 1, 300: 2, 65535: 255},
    )
    assert narrow.dtype == np.uint8
    np.testing.assert_array_equal(narrow, [[0, 1, 255, 2]])
    with pytest.raises(DataError, match="ids from -1 to 300"):
        load(raw_seg_map=np.array([[-1, 300]]), ori_shape=(1, 2))


@pytest.mark.parametrize(
    "dtype, void", [("int8", -1), ("int16", -9999), ("int32", -(2**31)), ("int64", -1)]
)
def test_signed_labels_with_a_void_id(dtype, void):
    raw = np.array([[0, 1, 2, void]], dtype)
    facts = {"raw_seg_map": raw, "ori_shape": (1, 4)}
    for key in (void, str(void)):  # keys are strings in a config that has been JSON
        label = load(label_map={key: 255}, **facts)
        assert label.dtype == np.uint8
        np.testing.assert_array_equal(label, [[0, 1, 2, 255]])
    np.testing.assert_array_equal(load(label_map={void: 1}, **facts), [[0, 1, 2, 1]])
    # The void id is not reduced; the map counts classes.
    reduced = load(reduce_zero_label=True, label_map={void: 0}, **facts)
    np.testing.assert_array_equal(reduced, [[255, 0, 1, 0]])
    message = rf"Outside are {void} \(1 pixels\).*label_map=\{{{void}: 255\}}"
    with pytest.raises(DataError, match=message):
        load(label_map={-7: 255}, **facts)


def test_several_ids_outside_of_what_a_label_holds():
    raw = np.array([[0, -1, -9999, 2**32 - 1]], np.int64)
    label_map = {-1: 255, -9999: 1, 2**32 - 1: 2}
    facts = {"raw_seg_map": raw, "ori_shape": (1, 4)}
    np.testing.assert_array_equal(load(label_map=label_map, **facts), [[0, 255, 1, 2]])
    raw[0, 0] = 65535  # what stands for one of them
    with pytest.raises(DataError, match="up to 65535 beside -9999, -1, 4294967295;"):
        load(label_map=label_map, **facts)


def test_size_must_be_the_image_s():
    raw = np.zeros((2, 4), np.uint8)
    with pytest.raises(DataError, match=r"label is 2x4 .* scene.jpg 3x4; .* equal.$"):
        load(raw_seg_map=raw, ori_shape=(3, 4))
    with pytest.raises(DataError, match="EXIF"):
        load(raw_seg_map=raw, ori_shape=(4, 2))


@pytest.mark.parametrize("from_file", [True, False])
def test_behind_resize_the_label_keeps_its_size(tmp_path, picture, label, from_file):
    if from_file:
        Image.fromarray(picture).save(tmp_path / "a.png")
        Image.fromarray(label).save(tmp_path / "b.png")
        paths = {"img_path": tmp_path / "a.png", "seg_map_path": tmp_path / "b.png"}
        results = record(**{key: str(path) for key, path in paths.items()})
    else:
        results = record(img=picture, gt_seg_map=label)
    for transform in (LoadImageFromFile(), Resize(scale=(40, 30)), LoadAnnotations()):
        results = transform(results, None)
    assert results["img"].shape == (30, 40, 3)
    np.testing.assert_array_equal(results["gt_seg_map"], label)


def test_pipeline_mistakes():
    with pytest.raises(DataError, match="no label"):
        load()
    with pytest.raises(DataError, match="before LoadImageFromFile"):
        LoadAnnotations()({"seg_map_path": "x.png"} | _without_shape(), None)
    with pytest.raises(DataError, match="reduce_zero_label=True, its data set False"):
        load(transform=LoadAnnotations(reduce_zero_label=True))


def _without_shape():
    facts = record(raw_seg_map=np.zeros((2, 4), np.uint8))
    del facts["ori_shape"]
    return facts

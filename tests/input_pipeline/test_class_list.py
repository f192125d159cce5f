"""Class lists: chosen, reordered, read from files, and with entries for 'void'."""

import pytest

from input_pipeline.class_list import resolve_classes
from input_pipeline.datasets.cityscapes import CITYSCAPES
from input_pipeline.errors import DataError
from input_pipeline.palette import distinct_palette

WHITE, GROUND, ROAD = (255, 255, 255), (0, 0, 0), (128, 64, 128)


def test_a_subset_of_the_classes_renumbers_the_labels_as_mmseg_does():
    chosen = {"classes": ("car", "road", "sky")}
    metainfo, label_map, file_palette = resolve_classes("X", CITYSCAPES, chosen)
    # mmseg 1.2.2: CityscapesDataset(metainfo=dict(classes=('car', 'road', 'sky')))
    assert metainfo["palette"] == ((0, 0, 142), (128, 64, 128), (70, 130, 180))
    assert label_map == {label: 255 for label in range(19)} | {0: 1, 10: 2, 13: 0}
    assert file_palette == tuple(color for _, color in CITYSCAPES)


def test_the_classes_of_the_data_set_itself_need_no_label_map():
    names = [name for name, _ in CITYSCAPES]
    for chosen in ({}, {"classes": names}):
        metainfo, label_map, _ = resolve_classes("X", CITYSCAPES, chosen)
        assert metainfo["classes"] == tuple(names)
        assert label_map is None


def test_a_reordered_palette_follows_its_classes():
    known = (("a", (1, 1, 1)), ("b", (2, 2, 2)))
    metainfo, label_map, _ = resolve_classes("X", known, {"classes": ["b", "a"]})
    assert metainfo["palette"] == ((2, 2, 2), (1, 1, 1))
    assert label_map == {0: 1, 1: 0}


def test_a_missing_palette_has_colors_that_are_told_apart():
    metainfo, _, _ = resolve_classes("X", (), {"classes": ["a", "b", "c"]})
    assert metainfo["palette"] == distinct_palette(3)


@pytest.mark.parametrize(
    "known, metainfo, message",
    [
        ((), {}, "X does not know its classes: give metainfo"),
        ((), {"classes": ["a", "b", "a"]}, r"names \['a'\] more than once"),
        ((), {"classes": ["a"], "CLASSES": 1}, r"unknown keys \['CLASSES'\]"),
        (CITYSCAPES, {"classes": ["rode"]}, r"no classes \['rode'\].*is 'road'"),
        ((), {"classes": ["a", "b"], "palette": [[0, 0, 0]]}, "1 colours for 2"),
        (CITYSCAPES, {"palette": [[0, 0, 0]]}, "1 colours for 19"),
        ((), {"classes": ["a", 1]}, "metainfo.classes has 1; it must have names"),
        (
            (),
            {"classes": "no.txt"},
            "classes is 'no.txt'; it must be a list .* no such",
        ),
        ((), {"classes": ["a"], "palette": [[0, 0]]}, r"\(r, g, b\) .*a class; it is"),
        ((), {"classes": ["a"], "palette": "red"}, r"\(r, g, b\) of 0..255 a class"),
        ((), {"classes": ["a"], "palette": [[0, 0, 256]]}, r"\(r, g, b\) of 0..255"),
    ],
)
def test_metainfo_that_cannot_be_is_refused(known, metainfo, message):
    with pytest.raises(DataError, match=message):
        resolve_classes("X", known, metainfo)


def test_classes_may_stand_in_a_text_file(tmp_path, monkeypatch):
    names = {"classes": "classes.txt"}
    (tmp_path / "classes.txt").write_bytes("\ufeffa b\r\nö\r\n\n c ".encode())
    resolved, _, _ = resolve_classes("X", (), names, data_root=str(tmp_path))
    assert resolved["classes"] == ("a b", "ö", "c")
    monkeypatch.chdir(tmp_path)
    assert resolve_classes("X", (), names)[0] == resolved
    (tmp_path / "classes.txt").write_bytes(b"a\xff\nb")
    with pytest.raises(
        DataError, match="classes.txt: not a text file in UTF-8: byte 1"
    ):
        resolve_classes("X", (), names)
    (tmp_path / "classes.txt").write_bytes(b"")
    with pytest.raises(DataError, match="does not know its classes"):
        resolve_classes("X", (), names)


@pytest.mark.parametrize("palette", [[GROUND, ROAD, WHITE], [GROUND, ROAD]])
def test_a_void_entry_at_the_end_is_no_class(palette):
    metainfo = {"classes": ["ground", "road", "void"], "palette": palette}
    resolved, label_map, colors = resolve_classes(
        "X", (), metainfo, label_map={"2": 255}
    )
    assert resolved == {"classes": ("ground", "road"), "palette": (GROUND, ROAD)}
    assert label_map == {2: 255}
    assert colors == tuple(palette)


def test_an_entry_that_a_label_is_mapped_to_is_a_class():
    metainfo = {"classes": ["a", "b"]}
    resolved, _, _ = resolve_classes("X", (), metainfo, label_map={1: 255, 7: 1})
    assert resolved["classes"] == ("a", "b")
    resolved, _, _ = resolve_classes("X", (), metainfo, label_map={0: 255})
    assert resolved["classes"] == ("a", "b")  # label 1 is class 1, whatever 0 is
    with pytest.raises(DataError, match="every one of the 2 classes to ignore_index"):
        resolve_classes("X", (), metainfo, label_map={0: 255, 1: 255})


def test_a_palette_may_have_colors_that_are_no_class():
    metainfo = {"classes": ["ground", "road"], "palette": [GROUND, ROAD, WHITE]}
    resolved, _, colors = resolve_classes("X", (), metainfo, label_map={2: 255})
    assert resolved["palette"] == (GROUND, ROAD)
    assert colors == (GROUND, ROAD, WHITE)
    first = metainfo | {"palette": [WHITE, GROUND, ROAD]}
    label_map = {0: 255, 1: 0, 2: 1}
    resolved, _, colors = resolve_classes("X", (), first, label_map=label_map)
    assert resolved["palette"] == (GROUND, ROAD)
    assert colors == (WHITE, GROUND, ROAD)
    with pytest.raises(DataError, match=r"3 colours for 2 .*label_map=\{2: 255\}"):
        resolve_classes("X", (), metainfo)


def test_a_made_up_palette_names_no_color_of_a_label():
    resolved, _, colors = resolve_classes("X", (), {"classes": ["a"]})
    assert len(resolved["palette"]) == 1
    assert colors == ()


@pytest.mark.parametrize("ignore_index", [-1, 65536, "255", None])
def test_an_ignore_index_that_no_label_type_has(ignore_index):
    with pytest.raises(DataError, match=f"ignore_index={ignore_index}; it must be in"):
        resolve_classes("X", (), {"classes": ["a"]}, ignore_index)


def test_a_label_map_of_other_types():
    for label_map in ([1], {"x": 1}, {1: None}):
        with pytest.raises(DataError, match="label_map is .*; it must map labels to"):
            resolve_classes("X", (), {"classes": ["a"]}, label_map=label_map)


def test_reduce_zero_label_takes_the_name_of_label_0_away():
    metainfo = {"classes": ["Unlabeled", "road", "house"]}
    with pytest.raises(DataError, match="takes label 0 away.*begins with 'Unlabeled'"):
        resolve_classes("X", (), metainfo, reduce_zero_label=True)

"""Classes and palettes of a data set, and where an error in its pipeline came from."""

import numpy as np
import pytest

from input_pipeline.datasets.cityscapes import CITYSCAPES
from input_pipeline.errors import DataError
from input_pipeline.sources import SegDataset, resolve_classes, some_of


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


def test_a_missing_palette_is_mmsegs():
    metainfo, _, _ = resolve_classes("X", (), {"classes": ["a", "b", "c"]})
    # mmseg 1.2.2: BaseSegDataset(metainfo=dict(classes=('a', 'b', 'c')))
    assert metainfo["palette"] == ((102, 179, 92), (14, 106, 71), (188, 20, 102))


@pytest.mark.parametrize(
    "known, metainfo, message",
    [
        ((), {}, "X does not know its classes: give metainfo"),
        ((), {"classes": ["a", "b", "a"]}, r"names \['a'\] more than once"),
        ((), {"classes": ["a"], "CLASSES": 1}, r"unknown keys \['CLASSES'\]"),
        (CITYSCAPES, {"classes": ["rode"]}, r"no classes \['rode'\].*is 'road'"),
        ((), {"classes": ["a", "b"], "palette": [[0, 0, 0]]}, "1 colours for 2"),
    ],
)
def test_metainfo_that_cannot_be_is_refused(known, metainfo, message):
    with pytest.raises(DataError, match=message):
        resolve_classes("X", known, metainfo)


def test_a_long_list_is_cut_and_counted():
    assert some_of(["a", "b"]) == "  a\n  b"
    lines = some_of([str(i) for i in range(25)]).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "  ... and 15 more, 25 in all"


def test_an_error_in_a_transform_says_which_sample_it_was():
    class OneImage(SegDataset):
        def __init__(self):
            self.pipeline = (lambda results, rng: results["absent"],)

        def __getitem__(self, index):
            return {"img_path": "a.png"}

    with pytest.raises(KeyError, match="absent") as caught:
        OneImage().sample(7, np.random.default_rng(0))
    assert caught.value.__notes__ == ["in sample 7 of OneImage: a.png"]

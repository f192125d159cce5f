"""The tables of the published data sets, and their layouts."""

import pytest

from input_pipeline import datasets

# Classes, first and last colour, image and label of one sample in mmseg's layout, and
# the default of reduce_zero_label, as in mmseg 1.2.2 (CamVid: the SegNet tutorial).
PUBLISHED = {
    "ADE20KDataset": (150, (120, 120, 120), (92, 0, 255), "a.jpg", "a.png", True),
    "CityscapesDataset": (
        19,
        (128, 64, 128),
        (119, 11, 32),
        "ulm/a_leftImg8bit.png",
        "ulm/a_gtFine_labelTrainIds.png",
        False,
    ),
    "PascalVOCDataset": (21, (0, 0, 0), (0, 64, 128), "a.jpg", "a.png", False),
    "CamVidDataset": (11, (128, 128, 128), (0, 128, 192), "a.png", "a.png", False),
    "DRIVEDataset": (
        2,
        (120, 120, 120),
        (6, 230, 230),
        "21.png",
        "21_manual1.png",
        False,
    ),
    "STAREDataset": (2, (120, 120, 120), (6, 230, 230), "a.png", "a.ah.png", False),
    "ChaseDB1Dataset": (
        2,
        (120, 120, 120),
        (6, 230, 230),
        "Image_01L.png",
        "Image_01L_1stHO.png",
        False,
    ),
    "HRFDataset": (2, (120, 120, 120), (6, 230, 230), "a.png", "a.png", False),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_classes_palette_and_layout(name, tmp_path):
    count, first, last, image, label, reduce_zero_label = PUBLISHED[name]
    for path in (tmp_path / "img" / image, tmp_path / "ann" / label):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    dataset = getattr(datasets, name)(
        data_root=str(tmp_path), data_prefix={"img_path": "img", "seg_map_path": "ann"}
    )
    assert len(dataset) == 1
    assert dataset[0]["seg_map_path"] == str(tmp_path / "ann" / label)
    classes, palette = dataset.metainfo["classes"], dataset.metainfo["palette"]
    assert len(classes) == len(set(classes)) == len(palette) == count
    assert (palette[0], palette[-1]) == (first, last)
    assert dataset.reduce_zero_label is reduce_zero_label
    assert dataset.ignore_index == 255

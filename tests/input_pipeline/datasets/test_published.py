"""The tables of the published data sets, and their layouts."""

import zlib

import pytest

from input_pipeline import datasets

# Classes, first and last colour, image and label of one sample in mmseg's layout, and
# the default of reduce_zero_label, as in mmseg 1.2.2 (CamVid: the SegNet tutorial; faces:
# mmseg 0.30.0).
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
    "BDD100KDataset": (19, (128, 64, 128), (119, 11, 32), "a.jpg", "a.png", False),
    "COCOStuffDataset": (
        171,
        (0, 192, 64),
        (64, 64, 0),
        "a.jpg",
        "a_labelTrainIds.png",
        False,
    ),
    "DarkZurichDataset": (
        19,
        (128, 64, 128),
        (119, 11, 32),
        "a_rgb_anon.png",
        "a_gt_labelTrainIds.png",
        False,
    ),
    "ISPRSDataset": (6, (255, 255, 255), (255, 0, 0), "a.png", "a.png", True),
    "LIPDataset": (20, (0, 0, 0), (255, 170, 0), "a.jpg", "a.png", False),
    "LoveDADataset": (7, (255, 255, 255), (255, 195, 128), "a.png", "a.png", True),
    "MapillaryDataset_v1": (66, (165, 42, 42), (0, 0, 0), "a.jpg", "a.png", False),
    "MapillaryDataset_v2": (124, (165, 42, 42), (0, 0, 0), "a.jpg", "a.png", False),
    "NightDrivingDataset": (
        19,
        (128, 64, 128),
        (119, 11, 32),
        "0/a_leftImg8bit.png",
        "0/a_gtCoarse_labelTrainIds.png",
        False,
    ),
    "PascalContextDataset": (
        60,
        (120, 120, 120),
        (31, 0, 255),
        "a.jpg",
        "a.png",
        False,
    ),
    "PascalContextDataset59": (
        59,
        (180, 120, 120),
        (31, 0, 255),
        "a.jpg",
        "a.png",
        True,
    ),
    "PotsdamDataset": (6, (255, 255, 255), (255, 0, 0), "a.png", "a.png", True),
    "REFUGEDataset": (3, (120, 120, 120), (56, 59, 120), "a.png", "a.png", False),
    "SynapseDataset": (9, (0, 0, 0), (240, 240, 240), "a.jpg", "a.png", False),
    "iSAIDDataset": (
        16,
        (0, 0, 0),
        (0, 100, 155),
        "a.png",
        "a_instance_color_RGB.png",
        False,
    ),
    "FaceOccludedDataset": (2, (0, 0, 0), (128, 0, 0), "a.jpg", "a.png", False),
}

# CRC-32 of "name r g b" lines of mmseg 1.2.2's METAINFO.
TABLES = {
    "ADE20KDataset": 404166387,
    "BDD100KDataset": 2039396313,
    "COCOStuffDataset": 492982322,
    "ChaseDB1Dataset": 1837634188,
    "CityscapesDataset": 2039396313,
    "DRIVEDataset": 1837634188,
    "DarkZurichDataset": 2039396313,
    "HRFDataset": 1837634188,
    "ISPRSDataset": 147854846,
    "LIPDataset": 2502730873,
    "LoveDADataset": 545056309,
    "MapillaryDataset_v1": 1859781853,
    "MapillaryDataset_v2": 4000312952,
    "NightDrivingDataset": 2039396313,
    "PascalContextDataset": 1663548181,
    "PascalContextDataset59": 725510834,
    "PascalVOCDataset": 2022471580,
    "PotsdamDataset": 147854846,
    "REFUGEDataset": 598899430,
    "STAREDataset": 1837634188,
    "SynapseDataset": 3095580939,
    "iSAIDDataset": 669819093,
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


@pytest.mark.parametrize("name", TABLES)
def test_every_name_and_colour(name):
    rows = [f"{n} {r} {g} {b}" for n, (r, g, b) in getattr(datasets, name).CLASSES]
    assert zlib.crc32("\n".join(rows).encode()) == TABLES[name]

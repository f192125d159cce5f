"""Every converter on files of the published form, and on wrong ones."""

import copy
import json
import pathlib

import numpy as np
import pytest

from input_pipeline import datasets
from input_pipeline.errors import DataError
from input_pipeline.prepare.converters import CONVERTERS
from input_pipeline.prepare.run import prepare
from scripts.datasets_page import train_arguments
from tests.input_pipeline.prepare import made, place_cases, scene_cases
from tests.input_pipeline.prepare.cases import CASES

every = pytest.mark.parametrize("name", sorted(CONVERTERS))


def run(name, folder, archives=None, partial=True):
    case = CASES[name]
    sources = made.write(folder / "sources", archives or case.archives)
    if case.given:
        sources = [str(folder / "sources" / given) for given in case.given]
    return prepare(
        CONVERTERS[name], sources, folder / "out", case.options, partial=partial
    )


def test_every_converter_has_a_case():
    assert sorted(CASES) == sorted(CONVERTERS)


@every
def test_what_comes_out(name, tmp_path):
    prepared = run(name, tmp_path)
    samples = prepared.samples["train"], prepared.samples["val"]
    assert samples == CASES[name].samples
    CASES[name].check(prepared.folder)
    summary = json.loads((prepared.folder / "prepared.json").read_text())
    dataset = getattr(datasets, summary["dataset"])
    # docs/datasets.md has the config of 164k, and those with classes of their own.
    if name != "coco_stuff10k" and dataset.CLASSES:
        assert summary["train"][0] == train_arguments(summary["dataset"])
    for part in (*summary["train"], summary["val"]):
        data = dataset(data_root=str(prepared.folder), **part)
        first = data[0]
        label = first.get("seg_map_path") or first["depth_map_path"]
        assert pathlib.Path(label).is_file()
    again = run(name, tmp_path)
    assert again.done_before == again.tasks


@pytest.mark.parametrize("name", [n for n in sorted(CASES) if CASES[n].is_counted])
def test_other_numbers_than_published(name, tmp_path):
    with pytest.raises(DataError, match=rf"{name}: \d+ .*, expected \d+"):
        run(name, tmp_path, partial=False)
    assert {p.name for p in (tmp_path / "out").iterdir()} <= {
        "prepare.jsonl",
        ".scratch",
    }


@every
def test_a_label_that_is_missing(name, tmp_path):
    archives = copy.deepcopy(CASES[name].archives)
    archive, member = CASES[name].label
    if member:
        del archives[archive][member]
        archives[archive]["something/else.txt"] = b"else"
    else:
        del archives[archive]
    with pytest.raises(DataError) as error:
        run(name, tmp_path, archives)
    assert CASES[name].named in str(error.value)


@every
def test_a_wrong_zip(name, tmp_path):
    """An archive of something else is named, with what it holds and should hold."""
    source = made.write_zip(tmp_path / "wrong.zip", {"holiday/IMG_1.jpg": made.jpg()})
    with pytest.raises(DataError, match="wrong.zip") as error:
        prepare(CONVERTERS[name], [source], tmp_path / "out", CASES[name].options)
    assert "holiday/IMG_1.jpg" in str(error.value)
    assert str(error.value).endswith(f", with {CONVERTERS[name].layout}")


@every
def test_what_a_converter_says_of_itself(name):
    converter = CONVERTERS[name]
    assert converter.name == name
    assert converter.url.startswith("http")
    for said in (converter.title, converter.licence, converter.size, converter.layout):
        assert said and not said.endswith(".")
    assert issubclass(getattr(datasets, converter.dataset), datasets.BaseSegDataset)


def test_a_list_that_names_what_is_missing(tmp_path):
    archives = copy.deepcopy(CASES["labelmefacade"].archives)
    files = archives["labelmefacade-master.zip"]
    files["labelmefacade-master/test.txt"] += b"\nimages/no_such.jpg"
    with pytest.raises(DataError, match="list of val names 1 of 2 .*\n *no_such"):
        run("labelmefacade", tmp_path, archives)


def test_parts_that_are_in_another_form(tmp_path):
    archives = copy.deepcopy(CASES["cwfid"].archives)
    files = archives["dataset-master.zip"]
    files["dataset-master/train_test_split.yaml"] = b"training: [1]\ntest: [2]"
    with pytest.raises(DataError, match="train_test_split.yaml: has no line 'train: "):
        run("cwfid", tmp_path, archives)


def _colour(*rgb):
    return made.encoded(made.coloured([rgb]), ".png")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("apolloscape", made.png([17, 2]), r"holds the ids \[2\]"),
        ("ccp", made.mat(groundtruth=made.ids([59])), r"holds the ids \[59\]"),
        ("graz02", _colour(0, 0, 255), "neither black, nor red, nor green"),
        ("gta5", made.png([35]), r"holds the ids \[35\]"),
        ("hsi_drive", made.png([11]), r"holds the ids \[11\]"),
        ("kitti_road", _colour(0, 255, 0), r"such as \[\(0, 255, 0\)\]"),
        ("lits", scene_cases.nifti(np.full((8, 10, 2), 3, "u1"), is_zipped=False),
         "holds 3 to 3; labels are the integers 0 to 2"),
        ("mhp_v1", made.png([19]), "holds 19; labels are 0 to 18"),
        ("mhp_v2", _colour(3, 5, 0), "green or blue is neither 0 nor its red"),
        ("occlude_face", made.png([0, 7]), r"a mask of \[0, 7\]"),
        ("sift_flow", made.mat(S=made.ids([34])), r"holds the ids \[34\]"),
        ("synthia", _colour(3, 0, 0), "3 channels of uint8; expected are 3 of uint16"),
        ("virtual_kitti", _colour(1, 2, 3), r"such as \[\(1, 2, 3\)\]"),
    ],
)  # fmt: skip
def test_a_label_of_another_encoding(name, content, told, tmp_path):
    archives = copy.deepcopy(CASES[name].archives)
    archive, member = CASES[name].label
    archives[archive][member] = content
    with pytest.raises(DataError, match=told):
        run(name, tmp_path, archives)


def test_pages_that_are_no_masks(tmp_path):
    archives = dict(CASES["isbi_em"].archives)
    archives["train-labels.tif"] = archives["train-volume.tif"]
    with pytest.raises(DataError, match="slice 00 has values beside 0 and 255"):
        run("isbi_em", tmp_path, archives)


def test_parts_of_objects(tmp_path, monkeypatch):
    monkeypatch.setitem(CASES, "ade20k_full", place_cases.ade20k_full(level=1))
    prepared = run("ade20k_full", tmp_path)
    CASES["ade20k_full"].check(prepared.folder)
    assert prepared.samples == {"train": 1, "val": 1}
    assert "1 of 1 classes are kept" in prepared.notes[0]


@pytest.mark.parametrize(
    ("colour", "told"),
    [((13, 56, 0), r"has reds of \[13\]"), ((20, 0, 0), r"of the classes \[512\], which")],
)  # fmt: skip
def test_colours_that_no_object_has(colour, told, tmp_path):
    archives = copy.deepcopy(CASES["ade20k_full"].archives)
    archive, member = CASES["ade20k_full"].label
    archives[archive][member] = _colour(*colour)
    with pytest.raises(DataError, match=told):
        run("ade20k_full", tmp_path, archives)


def test_labels_with_names_of_their_own(tmp_path):
    archives = copy.deepcopy(CASES["barcelona"].archives)
    archive, member = CASES["barcelona"].label
    names = np.array(["airplane", "air conditioning", "sky"], object)
    archives[archive][member] = made.mat(S=made.ids([1]), names=names)
    with pytest.raises(DataError, match="its names are not those of the first label"):
        run("barcelona", tmp_path, archives)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "airsim",
            r"have 4 values: #000000 \(25.0%\), .*#804080 \(25.0%\).*classes.txt",
        ),
        ("daimler", r"have 3 values: 0 \(33.8%\), 40 \(33.8%\), 80 \(32.5%\)"),
    ],
)
def test_labels_that_nothing_explains(name, told, tmp_path):
    archives = copy.deepcopy(CASES[name].archives)
    del archives["classes.txt"]
    with pytest.raises(DataError, match=told):
        run(name, tmp_path, archives)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"road #804080", "the line 'road #804080' is not 'VALUE NAME'"),
        (b"#804080 road\n7 car", "2 lines; expected are different values, all of them"),
        (b"#000000 ignored", "names no class"),
        (b"#804080 road", r"such as \[.*\(0, 0, 0\)"),
    ],
)
def test_a_table_of_classes_that_is_none(lines, told, tmp_path):
    archives = copy.deepcopy(CASES["airsim"].archives) | {"classes.txt": lines}
    with pytest.raises(DataError, match=told):
        run("airsim", tmp_path, archives)


def test_files_that_nothing_names(tmp_path):
    sources = made.write(tmp_path / "sources", CASES["daimler"].archives)
    with pytest.raises(DataError, match="--images and --labels must say") as error:
        prepare(CONVERTERS["daimler"], sources, tmp_path / "out")
    assert "DUS/gt_train/img_c0_000000000.pgm" in str(error.value)
    options = {"images": "img_c0_(", "labels": "x"}
    with pytest.raises(DataError, match="--images='img_c0_\\(': not a regular expr"):
        prepare(CONVERTERS["daimler"], sources, tmp_path / "other", options)

"""Labels as MATLAB files and as matrices of text."""

import sys

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from input_pipeline.datasets import BaseSegDataset
from input_pipeline.decode import read_label
from input_pipeline.errors import DataError
from input_pipeline.formats.mat import read_mat
from input_pipeline.formats.mat5 import read_texts
from input_pipeline.scan import scan
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile

LABEL = np.array([[0, 1, 2], [2, 1, 0]])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float64", "bool"])
@pytest.mark.parametrize("packed", [False, True])
def test_mat_of_version_5(tmp_path, dtype, packed):
    path = tmp_path / "a.mat"
    content = {"S": LABEL.astype(dtype), "names": ["x", "yy"], "version": 3.0}
    savemat(path, content, do_compression=packed)
    np.testing.assert_array_equal(read_label(path), LABEL.astype(dtype))


@pytest.mark.parametrize("packed", [False, True])
def test_mat_with_a_struct(tmp_path, packed):
    path = tmp_path / "a.mat"
    # As SBD has it, between a cell and what is empty.
    struct = {"Boundaries": np.array([[LABEL], [0]], object), "none": np.zeros((0, 0))}
    struct |= {"Segmentation": LABEL.astype("uint8"), "More": LABEL + 0.0}
    content = {"S": LABEL, "GTcls": struct, "list": np.array([struct, struct])}
    many = np.empty(2, [("mask", object), ("n", object)])
    many["mask"], many["n"] = [LABEL + 5, LABEL], [1, 2]
    content["many"] = many
    savemat(path, content, do_compression=packed)
    names = ("S", "GTcls.Segmentation", "GTcls.More", "GTcls.Boundaries{1}")
    for name in (*names, "many(2).mask", "list{2}.Segmentation"):
        np.testing.assert_array_equal(read_label(path, mat_variable=name), LABEL)
    with pytest.raises(
        DataError, match=r"'GTcls\.x'.*there are: GTcls\.Boundaries\{1\}, "
    ):
        read_label(path, mat_variable="GTcls.x")
    for name in ("S.x", "x.Segmentation", "list.mask", "GTcls.Segmentation.x"):
        with pytest.raises(DataError, match=f"called '{name}'.*there are: "):
            read_label(path, mat_variable=name)
    with pytest.raises(DataError, match="GTcls has more than 60 bytes"):
        read_label(path, max_pixels=5, mat_variable="GTcls.Segmentation")
    with pytest.raises(DataError, match="too large"):
        read_label(path, max_pixels=5, mat_variable="S")


@pytest.mark.parametrize("packed", [False, True])
def test_mat_with_a_cell_of_structs(tmp_path, packed):
    path = tmp_path / "a.mat"
    # As BSDS500 has it: what each of its people has drawn.
    people = np.empty((1, 2), object)
    for place in (0, 1):
        drawn = {"Segmentation": LABEL + place, "Boundaries": LABEL > 0}
        people[0, place] = drawn
    savemat(path, {"groundTruth": people}, do_compression=packed)
    for number in (1, 2):
        name = f"groundTruth{{{number}}}.Segmentation"
        found = read_label(path, mat_variable=name)
        np.testing.assert_array_equal(found, LABEL + number - 1)
    with pytest.raises(
        DataError, match=r"'groundTruth\{3\}'.* are: groundTruth\{1\}\.Segmentation, "
    ):
        read_label(path, mat_variable="groundTruth{3}")
    with pytest.raises(DataError, match=r"0 matrices .*in a cell as 'cell\{1\}'"):
        read_label(path)


def test_mat_of_structs_in_structs(tmp_path):
    path = tmp_path / "a.mat"
    deep = {"label": LABEL}
    for _ in range(3):
        deep = {"in": deep}
    savemat(path, {"a": deep})
    name = "a.in.in.in.label"
    np.testing.assert_array_equal(read_label(path, mat_variable=name), LABEL)
    for _ in range(20):
        deep = {"in": deep}
    savemat(path, {"a": deep})
    with pytest.raises(DataError, match="more than 16 deep"):
        read_label(path, mat_variable=name)


def test_mats_that_are_refused(tmp_path):
    path = tmp_path / "a.mat"
    savemat(path, {"a": LABEL, "b": LABEL + 1})
    with pytest.raises(
        DataError, match=r"2 matrices of numbers \(a, b\).*mat_variable"
    ):
        read_label(path)
    np.testing.assert_array_equal(read_label(path, mat_variable="b"), LABEL + 1)
    with pytest.raises(DataError, match="no matrix of numbers is called 'c'"):
        read_label(path, mat_variable="c")
    savemat(path, {"a": LABEL + 0.5})
    with pytest.raises(DataError, match="fractions or NaN"):
        read_label(path)
    savemat(path, {"a": {"Segmentation": LABEL}})
    with pytest.raises(DataError, match="0 matrices of numbers .*struct"):
        read_label(path)
    savemat(path, {"a": np.zeros((200, 200))}, do_compression=True)
    with pytest.raises(DataError, match="too large"):
        read_label(path, max_pixels=1000)
    path.write_bytes(path.read_bytes()[:150])
    with pytest.raises(DataError, match="no MATLAB file|0 matrices"):
        read_label(path)
    path.write_bytes(b"nothing of MATLAB" * 20)
    with pytest.raises(DataError, match="no MATLAB file"):
        read_label(path)


def test_mat_7_3_names_its_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.mat"
    path.write_bytes(b"MATLAB 7.3".ljust(512, b" ") + b"\x89HDF\r\n\x1a\n" + b"\0" * 99)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(DataError, match=r"pip install 'jaxseg\[mat73\]'"):
        read_label(path)


def test_mat_of_version_7_3(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["S"] = LABEL.T.astype(float)
        struct = file.create_group("GTcls")
        struct["Segmentation"] = LABEL.T + 1
        parts = file.create_group("#refs#")
        parts["a"], parts["b"] = LABEL.T + 2, LABEL.T + 3
        references = [[parts["a"].ref], [parts["b"].ref]]
        file.create_dataset("cell", data=references, dtype=h5py.ref_dtype)
    np.testing.assert_array_equal(read_label(path), LABEL)
    for plus, name in ((1, "GTcls.Segmentation"), (2, "cell{1}"), (3, "cell{2}")):
        found = read_label(path, mat_variable=name)
        np.testing.assert_array_equal(found, LABEL + plus)
    with pytest.raises(DataError, match=r"'cell\{3\}'.* are: cell\{1\}, cell\{2\}\."):
        read_label(path, mat_variable="cell{3}")
    with pytest.raises(DataError, match="too large"):
        read_label(path, max_pixels=4)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="damaged HDF5"):
        read_label(path)


@pytest.mark.parametrize("text", ["0 1 2\n2 1 0\n", "\ufeff0,1,2\r\n2;1;\t0\r\n\r\n"])
def test_text_matrix(tmp_path, text):
    path = tmp_path / "a.txt"
    path.write_text(text, encoding="utf-8", newline="")
    np.testing.assert_array_equal(read_label(path), LABEL)


@pytest.mark.parametrize(
    "text, found",
    [
        ("0 1\n2\n", "row 2 of the matrix has 1 numbers, the first has 2"),
        ("0 1\n2 x\n", "row 2 of the matrix has what is no integer"),
        ("0 1\n2 1.5\n", "no integer"),
        ("0 " + "9" * 30, "no integer"),
        (" \n", "has no pixels"),
        ("0 " * 99, "too large"),
        ("0" * 999, "a text of 999 bytes"),
    ],
)
def test_no_text_matrix(tmp_path, text, found):
    path = tmp_path / "a.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=found):
        read_label(path, max_pixels=50)


def test_a_data_set_of_text_with_ids_below_zero(tmp_path):
    """As Stanford's background data set has them."""
    for name in ("img", "ann"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (3, 2)).save(tmp_path / "img/a.jpg")
    (tmp_path / "ann/a.regions.txt").write_text("0 1 2\n2 1 -1\n")
    data = BaseSegDataset(
        str(tmp_path),
        {"img_path": "img", "seg_map_path": "ann"},
        seg_map_suffix=".regions.txt",
        metainfo={"classes": ["a", "b", "c"]},
        label_map={-1: 255},
        pipeline=(LoadImageFromFile(), LoadAnnotations()),
    )
    assert scan(data).sizes == {(2, 3): 1}
    label = data.sample(0, np.random.default_rng())["gt_seg_map"]
    np.testing.assert_array_equal(label, [[0, 1, 2], [2, 1, 255]])


def test_alpha_is_dropped_and_equal_channels_are_ids(tmp_path):
    grey = Image.fromarray(LABEL.astype(np.uint8))
    grey.convert("LA").save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_label(tmp_path / "la.png"), LABEL)
    grey.convert("RGBA").save(tmp_path / "rgba.png")
    record = dict(
        seg_map_path=str(tmp_path / "rgba.png"),
        classes=("a", "b", "c"),
        palette=(),
        reduce_zero_label=False,
        label_map=None,
        ignore_index=255,
    )
    np.testing.assert_array_equal(LoadAnnotations().label_of(record), LABEL)


def test_a_mat_vector_is_read_by_its_name_only(tmp_path):
    path = str(tmp_path / "split.mat")
    parts = {"trainIds": np.array([[1], [7]], np.uint16), "S": np.ones((2, 3))}
    savemat(path, parts)
    np.testing.assert_array_equal(read_mat(path, 100, "trainIds"), [[1], [7]])
    assert read_mat(path, 100).shape == (2, 3)


@pytest.mark.parametrize("packed", [False, True])
def test_mat_with_a_cell_of_texts(tmp_path, packed):
    path = tmp_path / "a.mat"
    names = np.array(["sea", "naïve"], object)
    savemat(path, {"S": LABEL, "names": names}, do_compression=packed)
    data = path.read_bytes()
    assert read_texts(data, "names", 1000) == ["sea", "naïve"]
    with pytest.raises(ValueError, match="no cell is called S"):
        read_texts(data, "S", 1000)
    with pytest.raises(ValueError, match="more than 9 bytes"):
        read_texts(data, "names", 9)

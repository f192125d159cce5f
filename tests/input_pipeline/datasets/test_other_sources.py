"""Lists of files, tars and tables of the Hub: the same samples as of two folders."""

import io
import json
import sys
import tarfile

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import FileListDataset, HubDataset, WebDataset
from input_pipeline.errors import DataError
from input_pipeline.shapes.annotations import Annotations
from input_pipeline.transforms import LoadAnnotations, LoadImageFromFile

AB = {"classes": ["a", "b"]}
LOAD = (LoadImageFromFile(), LoadAnnotations())


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def pictures():
    """{name: (image, label)}, 5x7."""
    rng = np.random.default_rng(0)
    return {
        name: (
            rng.integers(0, 255, (5, 7, 3), np.uint8),
            rng.integers(0, 2, (5, 7), np.uint8),
        )
        for name in ("x", "y z")
    }


@pytest.fixture
def folder(tmp_path, pictures):
    for name, (image, label) in pictures.items():
        (tmp_path / f"{name}.png").write_bytes(png(image))
        (tmp_path / f"{name}_m.png").write_bytes(png(label))
    return tmp_path


def check(dataset, pictures):
    assert len(dataset) == len(pictures)
    for index, (image, label) in enumerate(pictures.values()):
        sample = dataset.sample(index, np.random.default_rng(0))
        np.testing.assert_array_equal(sample["img"], image)
        np.testing.assert_array_equal(sample["gt_seg_map"], label)


def listed(folder, text, name="list.txt", **keys):
    (folder / name).write_text(text)
    return FileListDataset(str(folder), {}, name, metainfo=AB, pipeline=LOAD, **keys)


ODGT = [
    dict(fpath_img=f"{n}.png", fpath_segm=f"{n}_m.png", width=7) for n in ("x", "y z")
]
LISTS = [
    ("list.txt", "x.png x_m.png\ny z.png\ty z_m.png\n"),
    ("list.txt", "x.png,x_m.png\r\n\r\ny z.png, y z_m.png\r\n"),
    ("list.csv", "image,fold,mask\nx.png,1,x_m.png\ny z.png,2,y z_m.png\n"),
    ("list.tsv", "Image_ID\tlabel\nx.png\tx_m.png\ny z.png\ty z_m.png\n"),
    ("list.odgt", "\n".join(map(json.dumps, ODGT))),
    ("list.json", json.dumps(ODGT)),
]


@pytest.mark.parametrize("name, text", LISTS)
def test_lists_of_pairs(folder, pictures, name, text):
    check(listed(folder, text, name), pictures)


def test_a_list_of_polygons(folder):
    points = [[0, 0], [7, 0], [7, 5], [0, 5]]
    shapes = dict(shapes=[dict(label="b", points=points)])
    (folder / "x.json").write_text(json.dumps(shapes))
    (folder / "list.txt").write_text("x.png x.json")
    dataset = FileListDataset(
        str(folder),
        {},
        "list.txt",
        metainfo={"classes": ["background", "b"]},
        pipeline=LOAD,
    )
    assert (dataset.sample(0, np.random.default_rng(0))["gt_seg_map"] == 1).all()


def test_other_texts_beside_the_listed_polygons_say_nothing(folder):
    (folder / "classes.txt").write_text("a\nb\n")
    (folder / "x.txt").write_text("1 0.0 0.0 1.0 0.0 1.0 1.0 0.0 1.0\n")
    rules = Annotations(background=255)
    dataset = listed(folder, "x.png x.txt", annotations=rules)
    assert (dataset.sample(0, np.random.default_rng(0))["gt_seg_map"] == 1).all()


@pytest.mark.parametrize(
    "name, text, found",
    [
        ("list.txt", "x.png", "'x.png' is no pair of an image and a label"),
        ("list.txt", "", "is empty"),
        ("list.txt", "\n", "names no image"),
        ("list.txt", "x.png x_m.png\nx.png x_m.png", "1 images are named more than"),
        ("list.txt", "x.png nothing.png", "1 files that it names do not exist"),
        ("list.csv", "a,b\nx.png,x_m.png", r"image_key which of the columns 'a', 'b'"),
        ("list.csv", "image,b\nx.png,x_m.png", "label_key which of the columns"),
        (
            "list.json",
            '[{"image": "x.png", "mask": 5}]',
            "entry 1 has image='x.png' and",
        ),
        ("list.json", "[5]", "something else than dicts"),
        ("list.odgt", '{"fpath_img": 5', "line 1: no JSON"),
    ],
)
def test_lists_that_are_refused(folder, name, text, found):
    with pytest.raises(DataError, match=f"(?s)list.*{found}"):
        listed(folder, text, name)


def tar(path, members):
    with tarfile.open(path, "w") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))


def members(pictures):
    found = {}
    for name, (image, label) in pictures.items():
        found |= {f"s/{name}.seg.png": png(label), f"s/{name}.png": png(image)}
        found[f"s/{name}.json"] = b"{}"
    return found


def test_tars(tmp_path, pictures):
    held = members(pictures)
    tar(tmp_path / "a-0.tar", {k: v for k, v in held.items() if "/x" in k})
    tar(tmp_path / "a-1.tar", {k: v for k, v in held.items() if "/y" in k})
    keys = dict(image_key="png", label_key="seg.png", metainfo=AB, pipeline=LOAD)
    dataset = WebDataset(path=str(tmp_path / "a-*.tar"), **keys)
    check(dataset, pictures)
    assert dataset[1]["img_path"] == f"{tmp_path}/a-1.tar/s/y z.png"
    with pytest.raises(DataError, match=r"1 of 1 samples have not one image"):
        WebDataset(path=str(tmp_path / "a-0.tar"), metainfo=AB)
    whole = (tmp_path / "a-0.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(whole)
    cut = WebDataset(path=str(tmp_path / "b.tar"), **keys)
    (tmp_path / "b.tar").write_bytes(whole[:700])
    with pytest.raises(DataError, match="b.tar: the tar is truncated|damaged"):
        cut[0]
    for content in (b"no tar" * 99, b"\x1f\x8b" + b"0" * 600):
        (tmp_path / "b.tar").write_bytes(content)
        with pytest.raises(DataError, match="no tar that can be read, or a compressed"):
            WebDataset(path=str(tmp_path / "b.tar"), **keys)
    with pytest.raises(DataError, match="nowhere.tar: cannot be opened"):
        WebDataset(path=str(tmp_path / "nowhere.tar"), **keys)
    tar(tmp_path / "b.tar", {})
    with pytest.raises(DataError, match="there is no sample in it"):
        WebDataset(path=str(tmp_path / "b.tar"), **keys)


def test_the_hub_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'jaxseg\[hub\]'"):
        HubDataset(path="a/b", metainfo=AB)


def test_tables_of_the_hub(tmp_path, pictures):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        image=datasets.Image(), mask=datasets.Image(), n=datasets.Value("int32")
    )
    rows = [
        dict(image={"bytes": png(i)}, mask={"bytes": png(m)}, n=0)
        for i, m in pictures.values()
    ]
    table = datasets.Dataset.from_list(rows, features=features)
    table.save_to_disk(tmp_path / "saved")
    (tmp_path / "parquet").mkdir()
    table.to_parquet(tmp_path / "parquet/train.parquet")
    for path in ("saved", "parquet"):
        keys = dict(path=str(tmp_path / path), metainfo=AB, pipeline=LOAD)
        keys["cache_dir"] = str(tmp_path / "cache")
        check(HubDataset(label_key="mask", **keys), pictures)
        with pytest.raises(DataError, match=r"'n' is no column of pictures; those are"):
            HubDataset(label_key="n", **keys)
    with pytest.raises(DataError, match="cannot be loaded"):
        HubDataset(path=str(tmp_path / "nothing"), metainfo=AB)

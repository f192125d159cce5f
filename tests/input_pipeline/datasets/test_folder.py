"""Two folders of images and labels: what is found, and what is refused."""

import os

import pytest

from input_pipeline.datasets import BaseSegDataset, CamVidDataset
from input_pipeline.errors import DataError

TWO = {"img_path": "img", "seg_map_path": "ann"}
AB = {"classes": ("a", "b")}


def touch(root, *names):
    """Empty files: listing a data set reads no pixels."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(dataset, root):
    return [
        (os.path.relpath(image, root), label and os.path.relpath(label, root))
        for image, label in dataset.files()
    ]


def test_sub_folders_are_walked_and_sorted_as_mmseg_sorts(tmp_path):
    stems = ["b/2", "b/10", "a", "b", "B/1"]
    touch(tmp_path, *(f"img/{s}.jpg" for s in stems), *(f"ann/{s}.png" for s in stems))
    touch(tmp_path, "img/.hidden.jpg", "img/.cache/a.jpg", "img/notes.txt")
    dataset = BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    # The order of mmseg 1.2.2 on these files.
    assert [image for image, _ in names(dataset, tmp_path)] == [
        "img/B/1.jpg",
        "img/a.jpg",
        "img/b.jpg",
        "img/b/10.jpg",
        "img/b/2.jpg",
    ]
    assert names(dataset, tmp_path)[3][1] == "ann/b/10.png"


def test_a_record_has_the_paths_and_the_facts(tmp_path):
    touch(tmp_path, "img/x_img.png", "ann/x_gt.tif")
    dataset = BaseSegDataset(
        str(tmp_path),
        TWO,
        img_suffix="_img.png",
        seg_map_suffix="_gt.tif",
        metainfo=AB | {"palette": [[1, 2, 3], [4, 5, 6]]},
        label_map={0: 0, 255: 1},
        reduce_zero_label=False,
        ignore_index=254,
    )
    assert dataset[0] == {
        "img_path": str(tmp_path / "img/x_img.png"),
        "seg_map_path": str(tmp_path / "ann/x_gt.tif"),
        "classes": ("a", "b"),
        "palette": ((1, 2, 3), (4, 5, 6)),
        "reduce_zero_label": False,
        "label_map": {0: 0, 255: 1},
        "ignore_index": 254,
    }


def test_the_list_file_chooses_and_orders(tmp_path):
    touch(tmp_path, "img/a.jpg", "img/b.jpg", "img/c/d.jpg")
    touch(tmp_path, "ann/c/d.png", "ann/a.png", "ann/unlisted.png")
    (tmp_path / "train.txt").write_text("c/d\n\na \n")
    dataset = BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)
    assert names(dataset, tmp_path) == [
        ("img/c/d.jpg", "ann/c/d.png"),
        ("img/a.jpg", "ann/a.png"),
    ]


def test_without_a_label_folder_there_are_no_labels(tmp_path):
    touch(tmp_path, "a.jpg")
    dataset = BaseSegDataset(data_prefix={"img_path": str(tmp_path)}, metainfo=AB)
    assert "seg_map_path" not in dataset[0]
    assert dataset.files() == [(str(tmp_path / "a.jpg"), None)]


def test_images_of_several_kinds_in_one_folder_with_their_labels(tmp_path):
    touch(tmp_path, "a.jpg", "b.jpeg", "a_mask.bmp", "b_mask.bmp")
    dataset = BaseSegDataset(
        str(tmp_path),
        img_suffix=(".jpg", ".jpeg"),
        seg_map_suffix="_mask.bmp",
        metainfo=AB,
    )
    assert names(dataset, tmp_path) == [
        ("a.jpg", "a_mask.bmp"),
        ("b.jpeg", "b_mask.bmp"),
    ]


def test_a_subset_of_classes_joins_the_label_map_of_the_data_set(tmp_path):
    touch(tmp_path, "img/a.jpg", "ann/a.png")
    dataset = CamVidDataset(str(tmp_path), TWO, metainfo={"classes": ["Car", "Sky"]})
    # Car is label 8, Sky 0; 11 is void.
    assert dataset.label_map == {n: 255 for n in range(12)} | {8: 0, 0: 1}
    whole = CamVidDataset(str(tmp_path), TWO)
    assert whole.label_map == {11: 255}


def test_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "img").mkdir()
    with pytest.raises(DataError, match="nowhere/img does not exist .data_root="):
        BaseSegDataset(str(tmp_path / "nowhere"), TWO, metainfo=AB)
    touch(tmp_path, "img/a.jpg")
    with pytest.raises(DataError, match="ann does not exist .*seg_map_path='ann'"):
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    touch(tmp_path, "img/a.tif", "img/b.tif", "ann/a.png")
    with pytest.raises(DataError, match=r"ends in '.jpg' \(it holds 2 .tif"):
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)


def test_images_without_labels_are_listed_and_counted(tmp_path):
    touch(tmp_path, *(f"img/{i:02}.jpg" for i in range(15)), "ann/03.png")
    with pytest.raises(DataError, match="14 of 15 images") as caught:
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    lines = str(caught.value).splitlines()
    assert lines[1] == "  00.jpg -> 00.png"
    assert lines[-1] == "  ... and 4 more, 14 in all"


def test_labels_without_images_are_listed(tmp_path):
    touch(tmp_path, "img/a.jpg", "ann/a.png", "ann/b.png")
    with pytest.raises(DataError, match="1 labels in .* have no image") as caught:
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    assert "  b.png\n" in str(caught.value)


def test_two_images_with_one_label_are_refused(tmp_path):
    touch(tmp_path, "img/a.jpg", "img/a.bmp", "ann/a.png")
    with pytest.raises(DataError, match="share one label"):
        BaseSegDataset(str(tmp_path), TWO, img_suffix=(".jpg", ".bmp"), metainfo=AB)


def test_a_list_file_that_is_wrong(tmp_path):
    touch(tmp_path, "img/a.jpg", "ann/a.png", "empty.txt")
    with pytest.raises(DataError, match="list file .*val.txt does not exist"):
        BaseSegDataset(str(tmp_path), TWO, "val.txt", metainfo=AB)
    with pytest.raises(DataError, match="empty.txt names no image"):
        BaseSegDataset(str(tmp_path), TWO, "empty.txt", metainfo=AB)
    (tmp_path / "train.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"names 1 of 2 images .*holds \['a.jpg'\]"):
        BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)


def test_a_key_of_another_version_in_data_prefix_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"unknown keys \['img_dir'\]"):
        BaseSegDataset(str(tmp_path), {"img_dir": "img"}, metainfo=AB)


def test_suffixes_may_be_of_either_case(tmp_path):
    touch(tmp_path, "img/a.jpg", "img/b.JPG", "img/c.Jpg")
    touch(tmp_path, "ann/a.png", "ann/b.png", "ann/c.PNG")
    dataset = BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    assert names(dataset, tmp_path) == [
        ("img/a.jpg", "ann/a.png"),
        ("img/b.JPG", "ann/b.png"),
        ("img/c.Jpg", "ann/c.PNG"),
    ]
    (tmp_path / "train.txt").write_text("b\n")
    listed = BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)
    assert names(listed, tmp_path) == [("img/b.JPG", "ann/b.png")]
    touch(tmp_path, "img/b.jpg")
    with pytest.raises(DataError, match="share one label"):
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    with pytest.raises(DataError, match="1 stems of which .* has two images:\n  b.jpg"):
        BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)


def test_pictures_that_are_left_out_are_counted(tmp_path, caplog):
    touch(
        tmp_path, "img/a.jpg", "img/b.gif", "img/c.GIF", "img/d.jfif", "img/notes.txt"
    )
    touch(tmp_path, "ann/a.png")
    BaseSegDataset(str(tmp_path), TWO, metainfo=AB)
    (record,) = caplog.records
    assert (
        f"2 .gif files, 1 .jfif files in {tmp_path}/img are left out" in record.message
    )
    assert record.message.endswith("do not end in img_suffix='.jpg'")
    caplog.clear()
    # Labels are no pictures that are left out, wherever they lie.
    touch(tmp_path, "one/a.jpg", "one/a.png", "two/a.jpg", "two/ann/a.png")
    BaseSegDataset(str(tmp_path / "one"), metainfo=AB)
    inner = {"img_path": "two", "seg_map_path": "two/ann"}
    BaseSegDataset(str(tmp_path), inner, metainfo=AB)
    assert not caplog.records


def test_links_that_loop_add_nothing(tmp_path):
    touch(tmp_path, "img/a.jpg", "img/b/c.jpg", "elsewhere/d.jpg")
    (tmp_path / "img/loop").symlink_to(tmp_path / "img")
    (tmp_path / "img/b/up").symlink_to(tmp_path)
    (tmp_path / "img/self").symlink_to("self")
    (tmp_path / "img/disk").symlink_to(tmp_path / "elsewhere")
    dataset = BaseSegDataset(
        str(tmp_path), {"img_path": "img", "seg_map_path": None}, metainfo=AB
    )
    images = [image for image, _ in names(dataset, tmp_path)]
    assert images == [
        "img/a.jpg",
        "img/b/c.jpg",
        "img/b/up/elsewhere/d.jpg",
        "img/disk/d.jpg",
    ]


def test_links_by_which_a_folder_has_endless_names_are_refused(tmp_path):
    for i in range(7):
        touch(tmp_path, f"{i}/a.jpg")
        for j in range(7):
            (tmp_path / f"{i}/{j}").symlink_to(tmp_path / f"{j}")
    with pytest.raises(DataError, match="links lead to this folder by more than 100"):
        BaseSegDataset(str(tmp_path), metainfo=AB)


@pytest.mark.parametrize(
    "line", ["b.jpg", "img/b", "./img/b.jpg", "b.jpg b.png", "img/b.jpg,ann/b.png"]
)
def test_a_list_with_more_than_stems_says_what_to_strip(tmp_path, line):
    touch(tmp_path, "img/b.jpg", "ann/b.png")
    (tmp_path / "train.txt").write_text(f"{line}\n")
    with pytest.raises(DataError, match="names 1 of 1 images") as caught:
        BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)
    assert f"In place of {line!r} it should say 'b': one image a line" in str(
        caught.value
    )


def test_a_list_file_may_begin_with_a_byte_order_mark(tmp_path):
    touch(tmp_path, "img/b.jpg", "ann/b.png")
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbfb\r\n")
    dataset = BaseSegDataset(str(tmp_path), TWO, "train.txt", metainfo=AB)
    assert names(dataset, tmp_path) == [("img/b.jpg", "ann/b.png")]


def test_a_folder_that_cannot_be_listed(tmp_path):
    touch(tmp_path, "img")
    with pytest.raises(DataError, match="the folder .*/img does not exist"):
        BaseSegDataset(str(tmp_path), TWO, metainfo=AB)

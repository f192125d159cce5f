"""Headers of a data set's files, read before training."""

import functools
import os
import threading

import cv2
import numpy as np
import pytest

from input_pipeline import scan as scan_module
from input_pipeline.datasets import BaseSegDataset, DigitsDataset, RepeatDataset
from input_pipeline.errors import DataError
from input_pipeline.scan import scan
from input_pipeline.watchdog import watched_map


def write(folder, name, height, width):
    folder.mkdir(exist_ok=True)
    cv2.imwrite(str(folder / name), np.zeros((height, width), np.uint8))


def dataset(root):
    return BaseSegDataset(
        str(root),
        {"img_path": "img", "seg_map_path": "ann"},
        metainfo={"classes": ("a", "b")},
    )


def test_sizes_are_counted_and_each_file_is_read_once(tmp_path):
    for i, (h, w) in enumerate([(4, 6), (5, 6), (4, 6)]):
        write(tmp_path / "img", f"{i}.jpg", h, w)
        write(tmp_path / "ann", f"{i}.png", h, w)
    report = scan(RepeatDataset(dataset(tmp_path), times=1000), num_threads=2)
    assert report.num_images == 3
    assert list(report.sizes.items()) == [((4, 6), 2), ((5, 6), 1)]
    assert str(report) == "3 images of 2 sizes (height x width: 2 of 4x6, 1 of 5x6)"


def test_a_source_without_files_has_nothing_to_scan():
    assert scan(DigitsDataset(num_scenes=2)).sizes == {}


def test_what_does_not_fit_is_listed_and_counted(tmp_path):
    for i in range(13):
        write(tmp_path / "img", f"{i:02}.jpg", 4, 6)
        write(tmp_path / "ann", f"{i:02}.png", 4, 6 if i == 0 else 5)
    with pytest.raises(DataError, match="12 of the 13 samples") as caught:
        scan(dataset(tmp_path))
    text = str(caught.value)
    assert "01.jpg is 4x6 (height x width), but its label" in text
    assert "01.png is 4x5; they must be equal" in text
    assert text.endswith("... and 2 more, 12 in all")
    assert "00.jpg" not in text
    # As many may be: what cannot be read is replaced while training.
    assert scan(dataset(tmp_path), max_bad=12).sizes == {(4, 6): 1}


def test_a_file_that_is_no_image_is_named(tmp_path):
    write(tmp_path / "img", "a.jpg", 4, 6)
    write(tmp_path / "ann", "a.png", 4, 6)
    (tmp_path / "ann/a.png").write_text("<html>not found</html>")
    with pytest.raises(DataError, match=r"1 of the 1 samples[^|]*ann/a.png"):
        scan(dataset(tmp_path))


def test_a_pipe_among_the_images_is_named_at_once(tmp_path):
    write(tmp_path / "img", "a.jpg", 4, 6)
    write(tmp_path / "ann", "a.png", 4, 6)
    os.mkfifo(tmp_path / "img/b.jpg")
    os.mkfifo(tmp_path / "ann/b.png")
    with pytest.raises(DataError, match="1 of the 2 .*\n.*b.jpg: not a regular file"):
        scan(dataset(tmp_path))


def test_a_file_system_that_does_not_answer_is_named(tmp_path, monkeypatch):
    write(tmp_path / "img", "a.jpg", 4, 6)
    write(tmp_path / "ann", "a.png", 4, 6)
    over = threading.Event()
    monkeypatch.setattr(scan_module, "image_size", lambda path, **how: over.wait(20))
    monkeypatch.setattr(
        scan_module, "watched_map", functools.partial(watched_map, limit=0.2)
    )
    with pytest.raises(DataError, match="a.jpg: no answer for 0.2 s"):
        scan(dataset(tmp_path))
    over.set()

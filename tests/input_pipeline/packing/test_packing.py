"""Packed data sets: written, resumed, checked and read as their sources are."""

import copy
import json
import pathlib
import re
import resource

import numpy as np
import pytest
from PIL import Image

from input_pipeline.datasets import (
    BaseSegDataset,
    ConcatDataset,
    DigitsDataset,
    PackedDataset,
    RepeatDataset,
)
from input_pipeline.errors import DataError
from input_pipeline.loader import eval_samples, train_batches
from input_pipeline.packing.check import check
from input_pipeline.packing.storage import checksum
from input_pipeline.packing.write import pack
from input_pipeline.transforms import (
    LoadAnnotations,
    LoadImageFromFile,
    PackSegInputs,
    PhotoMetricDistortion,
    RandomCrop,
    RandomFlip,
    RandomResize,
)

PIPELINE = (
    LoadImageFromFile(),
    LoadAnnotations(),
    RandomResize((48, 32), ratio_range=(0.5, 2.0), keep_ratio=True),
    RandomCrop((24, 24), cat_max_ratio=0.75),
    RandomFlip(0.5),
    PhotoMetricDistortion(),
    PackSegInputs(),
)
FORMATS = ("raw", "arrayrecord")


@pytest.fixture
def folders(tmp_path):
    """Seven images of different sizes, with grey labels; `b` has colours instead."""
    return make_folders(tmp_path)


@pytest.fixture(scope="module")
def index_text(tmp_path_factory):
    """An `index.json`, and the folder that it is of."""
    folder = make_folders(tmp_path_factory.mktemp("packed"))
    pack(dataset_of(folder), folder / "out")
    return folder / "out", (folder / "out/index.json").read_text()


def make_folders(tmp_path):
    rng = np.random.default_rng(0)
    colors = np.array([(0, 0, 0), (200, 0, 0), (0, 200, 0)], np.uint8)
    for kind in ("images", "labels", "b"):
        (tmp_path / kind).mkdir()
    for i in range(7):
        size = 33 + i, 47 - i
        img = rng.integers(0, 256, (*size, 3), np.uint8)
        label = rng.integers(0, 3, size).astype(np.uint8)
        Image.fromarray(img).save(tmp_path / f"images/{i}.png")
        Image.fromarray(label + 1).save(tmp_path / f"labels/{i}.png")
        Image.fromarray(colors[label]).save(tmp_path / f"b/{i}.png")
    return tmp_path


def dataset_of(folder, labels="labels", pipeline=PIPELINE, **options):
    return BaseSegDataset(
        data_root=str(folder),
        data_prefix={"img_path": "images", "seg_map_path": labels},
        img_suffix=".png",
        metainfo={
            "classes": ("a", "b", "c"),
            "palette": ((0, 0, 0), (200, 0, 0), (0, 200, 0)),
        },
        reduce_zero_label=True,
        pipeline=pipeline,
        **options,
    )


def batches(dataset, count=4, size=(24, 24)):
    with train_batches(dataset, 3, seed=5, size=size) as loader:
        return [next(loader) for _ in range(count)]


def assert_same_batches(one, other):
    for expected, found in zip(one, other, strict=True):
        assert expected.keys() == found.keys()
        for key, array in expected.items():
            assert array.dtype == found[key].dtype
            np.testing.assert_array_equal(array, found[key], key)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("labels", ["labels", "b"])
def test_training_gets_the_same_bytes(folders, labels, format):
    source = dataset_of(folders, labels, label_map={2: 255})
    index = pack(source, folders / "out", format=format, shard_bytes=10_000)
    assert len(index.part.sizes) > 1, "several data files"
    packed = PackedDataset(str(folders / "out"), PIPELINE)
    assert_same_batches(batches(source), batches(packed))
    assert packed.metainfo == source.metainfo
    assert packed.facts() == source.facts()
    assert (folders / "out/index.json").exists()
    left = {path.suffix for path in (folders / "out").iterdir()}
    assert left <= {".json", ".bin", ".array_record"}


@pytest.mark.parametrize("format", FORMATS)
def test_evaluation_and_worker_processes_get_the_same(folders, format):
    pipeline = (LoadImageFromFile(), LoadAnnotations(), PackSegInputs())
    source = dataset_of(folders, pipeline=pipeline)
    pack(source, folders / "out", format=format)
    packed = PackedDataset(str(folders / "out"), pipeline)
    with eval_samples(source) as expected, eval_samples(packed) as found:
        for one, other in zip(expected, found, strict=True):
            assert one["img_path"] == other["img_path"]
            np.testing.assert_array_equal(one["img"], other["img"])
            np.testing.assert_array_equal(one["gt_seg_map"], other["gt_seg_map"])
    # To a worker process goes what a copy has: not the open files.
    again = copy.copy(packed)
    np.testing.assert_array_equal(again[3]["img"], packed[3]["img"])


def test_other_sources(folders):
    part = dataset_of(folders)
    coded = dataset_of(folders, "b", label_map={1: 255})
    several = ConcatDataset((part, coded, part))
    index = pack(several, folders / "several")
    assert len(index.part.records) == 14, "the third has the records of the first"
    assert_same_batches(
        batches(several), batches(PackedDataset(str(folders / "several"), PIPELINE))
    )
    assert len(pack(RepeatDataset(part, 3), folders / "thrice").part.records) == 7
    digits = DigitsDataset(num_scenes=4, size=(32, 32), pipeline=(PackSegInputs(),))
    pack(digits, folders / "digits")
    assert check(digits, folders / "digits")
    packed = PackedDataset(str(folders / "digits"), digits.pipeline)
    assert_same_batches(batches(digits, size=(32, 32)), batches(packed, size=(32, 32)))


@pytest.mark.parametrize("format", FORMATS)
def test_a_run_that_ended_early_goes_on(folders, format):
    class Killed(Exception):
        """In place of a signal."""

    source, out = dataset_of(folders), folders / "out"
    options = dict(format=format, shard_bytes=12_000)
    done = []

    def stop_at_five(count):
        done.append(count)
        if sum(done) == 5:
            raise Killed

    with pytest.raises(Killed):
        pack(source, out, progress=stop_at_five, **options)
    assert not (out / "index.json").exists()
    with pytest.raises(DataError, match="cannot be opened"):
        PackedDataset(str(out), PIPELINE)
    first = (
        (out / "data-00000.array_record") if format != "raw" else out / "data-00000.bin"
    )
    written = first.stat().st_mtime_ns

    with pytest.raises(DataError, match="another data set, or of this one with other"):
        pack(source, out, format=format, shard_bytes=13_000)
    done.clear()
    resumed = pack(source, out, progress=done.append, **options)
    assert done[0] > 0 and sum(done) == 7
    assert first.stat().st_mtime_ns == written, "what was complete stays"
    assert resumed == pack(source, folders / "at_once", **options)
    assert check(source, out)
    with pytest.raises(DataError, match="is complete"):
        pack(source, out, **options)


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk(folders, format):
    # A limit on the size of a file stands for it.
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, unlimited[1]))
    try:
        with pytest.raises(
            DataError, match="data-00000.*cannot be written .*too large"
        ):
            pack(dataset_of(folders), folders / "out", format=format)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    pack(dataset_of(folders), folders / "out", format=format)
    assert check(dataset_of(folders), folders / "out")


def test_changed_sources_are_named(folders):
    source, out = dataset_of(folders), folders / "out"
    pack(source, out)
    image = folders / "images/2.png"
    image.write_bytes(image.read_bytes() + b"!")
    (folders / "labels/4.png").unlink()
    with pytest.raises(DataError) as caught:
        check(source, out)
    text = str(caught.value)
    assert "in 2 places" in text
    assert f"{image}: changed since it was packed" in text
    assert f"{folders}/labels/4.png: cannot be opened" in text


def test_another_list_of_files_is_told(folders):
    source = dataset_of(folders)
    pack(source, folders / "out")
    for kind in ("images", "labels"):
        for name in (0, 6):
            (folders / f"{kind}/{name}.png").rename(folders / f"{kind}/{name + 1}0.png")
    with pytest.raises(
        DataError, match="sample 0 is .*/images/1.png.*; packed was .*0"
    ):
        check(dataset_of(folders), folders / "out")
    (folders / "images/70.png").unlink()
    (folders / "labels/70.png").unlink()
    with pytest.raises(DataError, match="has 7 samples, the data set 6"):
        check(dataset_of(folders), folders / "out")


@pytest.mark.parametrize("format", FORMATS)
def test_damaged_files(folders, format):
    source, out = dataset_of(folders), folders / "out"
    pack(source, out, format=format)
    (shard,) = (path for path in out.iterdir() if path.suffix != ".json")
    content = bytearray(shard.read_bytes())
    at = 5000  # an ArrayRecord ends in padding
    content[at : at + 100] = bytes(100)
    shard.write_bytes(content)
    with pytest.raises(DataError, match="[0-6].png: its packed pixels"):
        check(source, out)
    shard.write_bytes(content[:-1])
    message = (
        f"{shard.name}: {len(content) - 1} bytes.*written with {len(content)}; it is"
    )
    with pytest.raises(DataError, match=message):
        PackedDataset(str(out), PIPELINE)
    shard.unlink()
    with pytest.raises(DataError, match=f"{shard.name}: cannot be opened"):
        PackedDataset(str(out), PIPELINE)


@pytest.mark.parametrize("format", FORMATS)
def test_flipped_bytes_are_found_when_they_are_read(folders, format):
    out = folders / "out"
    pack(dataset_of(folders), out, format=format)
    (shard,) = (path for path in out.iterdir() if path.suffix != ".json")
    packed = PackedDataset(str(out), PIPELINE)
    content = bytearray(shard.read_bytes())
    content[5000] ^= 1
    shard.write_bytes(content)
    bad = []
    for index in range(7):
        try:
            packed[index]
        except DataError as error:
            bad.append(str(error))
    (message,) = bad
    assert re.match(f".*/images/[0-6].png: its packed pixels in {shard} are", message)


def test_a_file_that_is_truncated_under_a_run_is_an_error(folders):
    out = folders / "out"
    pack(dataset_of(folders), out)
    packed = PackedDataset(str(out), PIPELINE)
    packed[6]  # the file is in use
    with open(out / "data-00000.bin", "r+b") as file:
        file.truncate(30_000)
    assert packed[0]["img"].shape == (33, 47, 3)
    message = "data-00000.bin: it ends at byte 30000, before .*/6.png do;.* pack the"
    with pytest.raises(DataError, match=message):
        packed[6]
    (out / "data-00000.bin").unlink()
    with pytest.raises(DataError, match="data-00000.bin: cannot be opened"):
        packed[0]


def test_pixels_cannot_be_written_to(folders):
    pack(dataset_of(folders), folders / "out")
    record = PackedDataset(str(folders / "out"), PIPELINE)[0]
    for key in ("img", "gt_seg_map"):
        with pytest.raises(ValueError, match="read-only"):
            record[key][0] = 0


def test_a_checksum_sees_pages_that_are_exchanged_or_lost():
    rng = np.random.default_rng(0)
    content = rng.integers(0, 256, 100_001, np.uint8)
    known = checksum(content)
    assert checksum(content.tobytes()) == known
    for at in (0, 50_000, 100_000):
        other = content.copy()
        other[at] ^= 0x80
        assert checksum(other) != known
    exchanged = content.copy()
    exchanged[:4096], exchanged[4096:8192] = content[4096:8192], content[:4096]
    lost = content.copy()
    lost[8192:12288] = 0
    assert (
        len({known, checksum(exchanged), checksum(lost), checksum(content[:-1])}) == 4
    )


@pytest.mark.parametrize(
    "path, value, reason",
    [
        ("header.format", "zip", "header.format is 'zip'"),
        ("header.num_samples", 9, "7 of 9 samples"),
        ("header.metainfo.classes", "abc", "header.metainfo.classes is of type str"),
        ("header.metainfo.extra", 1, r"unknown keys \['extra'\]"),
        ("part.sizes.0", -1, "part.sizes.0 is -1; it must be 0 or more"),
        ("part.sizes.0", True, "part.sizes.0 is of type bool, not int"),
        ("part.records.2.shard", 4, "part.records.2.shard is 4, of 1"),
        ("part.records.2.facts", 1, "part.records.2.facts is 1, of 1"),
        ("part.records.2.offset", 10**9, "part.records.2 ends beyond"),
        ("part.records.2.img.shape", [1 << 40, 1 << 40, 3], "records.2 ends beyond"),
        ("part.records.2.img.shape", [3], r"records.2 has an array \(3,\)"),
        ("part.records.2.img.dtype", "|O", r"records.2 has an array .* of '\|O'"),
        ("part.records.2.name", None, "part.records.2.name is of type NoneType"),
        ("part.records.2", [], "part.records.2 is of type list, not dict"),
        ("part.samples.1", 7, "part.samples.1 is 7, of 7"),
        ("part.samples.1", 0, "part.records.1 belongs to no sample"),
        ("part.facts.0.label_map", {"x": 1}, "label_map has the key 'x'"),
        ("part.facts.0.palette.1", [1, 2], "palette.1 has 2 entries, not 3"),
        ("part.facts", [], "part.records.0.facts is 0, of 0"),
    ],
)
def test_a_damaged_index_says_where(index_text, path, value, reason):
    folder, text = index_text
    stored = json.loads(text)
    *parents, last = (int(k) if k.isdigit() else k for k in path.split("."))
    node = stored
    for key in parents:
        node = node[key]
    node[last] = value
    (folder / "index.json").write_text(json.dumps(stored))
    with pytest.raises(DataError, match=f"index.json: .*damaged one: .*{reason}"):
        PackedDataset(str(folder), PIPELINE)


def test_what_is_no_packed_data_set(folders):
    pack(dataset_of(folders), folders / "out")
    path = pathlib.Path(folders / "out/index.json")
    stored = json.loads(path.read_text())
    for version in (1, 7):
        stored["header"]["version"] = version
        path.write_text(json.dumps(stored))
        message = f"index.json.*version {version}; .*reads version 2. Pack it again"
        with pytest.raises(DataError, match=message):
            PackedDataset(str(folders / "out"), PIPELINE)
    for text in ("{", "[" * 100_000, "1", "[]", '{"header": 3}', "\0", ""):
        path.write_text(text)
        with pytest.raises(DataError, match="index.json: .*(packed data set|empty)"):
            PackedDataset(str(folders / "out"), PIPELINE)
    with pytest.raises(DataError, match="format is 'zip'"):
        pack(dataset_of(folders), folders / "zip", format="zip")


def test_images_of_another_kind_are_refused(folders):
    pack(dataset_of(folders), folders / "out")
    grey = (LoadImageFromFile(color_type="grayscale"),)
    with pytest.raises(DataError, match="color_type='color'.*has 'grayscale'"):
        PackedDataset(str(folders / "out"), grey)

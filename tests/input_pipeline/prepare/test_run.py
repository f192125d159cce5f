"""The runner: what every converter has by it."""

import dataclasses
import os
import pathlib

import numpy as np
import pytest

from input_pipeline.errors import DataError, WorkerError
from input_pipeline.prepare import output, processes
from input_pipeline.prepare.archive import Member
from input_pipeline.prepare.converter import Converter, Count, Option, Plan, Task
from input_pipeline.prepare.files import Files
from input_pipeline.prepare.output import task_key, write_file
from input_pipeline.prepare.pixels import (
    copied,
    ids_png,
    image_png,
    mask_png,
    read_mask,
)
from input_pipeline.prepare.run import prepare
from tests.input_pipeline.prepare import made

FOLDERS = dict(data_prefix=dict(img_path="images", seg_map_path="annotations"))


def plan(files, options):
    images = files.named(r"images/(\w+)\.jpg")
    tasks = [
        Task(image_png, (m,), (f"images/{name}.png",)) for name, m in images.items()
    ]
    tasks += [
        Task(mask_png, (m,), (f"annotations/{name}_manual1.png",))
        for name, m in files.named(r"masks/(\w+)\.png").items()
    ]
    counts = [Count("images", len(images), options["number"])]
    return Plan(tasks, counts, [FOLDERS], FOLDERS, ["A note."])


CONVERTER = Converter(
    *(
        "small",
        "Small",
        ("s.zip",),
        "-",
        "-",
        "-",
        "-",
        "DRIVEDataset",
        "data/small",
        plan,
    ),
    options=(Option("number", 4, "of images"),),
)


@pytest.fixture
def source(tmp_path):
    files = {}
    for i in range(4):
        files[f"images/{i}.jpg"] = made.encoded(made.rgb(i), ".jpg")
        files[f"masks/{i}.png"] = made.encoded(made.ids([0, 255, 127, 128]), ".png")
    return made.write_zip(tmp_path / "s.zip", files)


def stats(folder):
    return {
        str(path): path.stat().st_mtime_ns
        for path in pathlib.Path(folder).rglob("*.png")
    }


@pytest.mark.parametrize("num_processes", [1, 2])
def test_whole_and_again(source, tmp_path, num_processes):
    seen = []
    prepared = prepare(
        *(CONVERTER, [source], tmp_path / "out"),
        num_processes=num_processes,
        progress=lambda done, of: seen.append((done, of)),
    )
    assert (prepared.tasks, prepared.done_before) == (8, 0)
    assert prepared.samples == {"train": 4, "val": 4}
    assert prepared.notes == ["A note."]
    assert seen == [(i, 8) for i in range(9)]
    mask = made.read_ids(tmp_path / "out/annotations/0_manual1.png")
    np.testing.assert_array_equal(mask, made.ids([0, 1, 0, 1]))
    assert not list(tmp_path.rglob(".draft-*")) + list(tmp_path.rglob(".scratch"))
    before = stats(tmp_path / "out")
    assert len(before) == 8
    # What is whole is not made again; what is gone or cut off is.
    (tmp_path / "out/images/2.png").unlink()
    (tmp_path / "out/annotations/1_manual1.png").write_bytes(b"cut")
    again = prepare(CONVERTER, [source], tmp_path / "out")
    assert again.done_before == 6
    after = stats(tmp_path / "out")
    assert sum(after[path] != before[path] for path in before) == 2
    assert (tmp_path / "out/annotations/1_manual1.png").stat().st_size > 3


def test_a_run_that_ended_early_goes_on(source, tmp_path, monkeypatch):
    done = []

    def stop(folder, task):
        done.append(task)
        if len(done) == 4:
            raise KeyboardInterrupt
        return output.do_task(folder, task)

    with monkeypatch.context() as patch:
        patch.setattr(processes, "do_task", stop)
        with pytest.raises(KeyboardInterrupt):
            prepare(CONVERTER, [source], tmp_path / "out")
    journal = tmp_path / "out/prepare.jsonl"
    journal.write_text(journal.read_text()[:-30])  # killed within the last line
    assert prepare(CONVERTER, [source], tmp_path / "out").done_before == 2
    assert prepare(CONVERTER, [source], tmp_path / "out").done_before == 8


def test_other_numbers_of_files(source, tmp_path):
    options = {"number": 9}
    with pytest.raises(DataError, match="small: 4 images, expected 9.*--partial"):
        prepare(CONVERTER, [source], tmp_path / "out", options)
    prepare(CONVERTER, [source], tmp_path / "out", options, partial=True)
    with pytest.raises(DataError, match='"number": 9.*now it is.*"number": 4'):
        prepare(CONVERTER, [source], tmp_path / "out")


def test_folders_with_something_else(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(DataError, match="out is not empty, and nothing was prepared"):
        prepare(CONVERTER, [source], tmp_path / "out")
    with pytest.raises(DataError, match="s.zip: cannot be written"):
        prepare(CONVERTER, [source], source)


def test_outputs_stay_in_the_folder(source, tmp_path):
    for name in ("../x.png", "/tmp/x.png", "a/../../x.png"):
        with pytest.raises(DataError, match="leads out"):
            write_file(tmp_path / "out", name, b"")
    (tmp_path / "out").mkdir()
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", tmp_path / "out/images")
    with pytest.raises(DataError, match="a link leads out of"):
        write_file(tmp_path / "out", "images/0.png", b"")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_errors_of_other_processes(source, tmp_path):
    def wrong(files, options):
        whole = plan(files, options)
        return dataclasses.replace(
            whole, tasks=[Task(ids_png, t.inputs, ("a.png", ())) for t in whole.tasks]
        )

    converter = dataclasses.replace(CONVERTER, plan=wrong)
    with pytest.raises(DataError, match=r"images/\d.jpg: a label in JPEG"):
        prepare(converter, [source], tmp_path / "out", num_processes=2)


def test_a_process_that_dies(source, tmp_path):
    (member, _), *_ = Files([source], tmp_path).match(r".*")
    tasks = [Task(made.die, (member,), (i,)) for i in range(3)]
    with pytest.raises(WorkerError, match="ended from outside"):
        list(processes.carry_out(tmp_path, tasks, 2))


def test_an_image_without_its_label(source, tmp_path):
    def unpaired(files, options):
        whole = plan(files, options)
        return dataclasses.replace(whole, tasks=whole.tasks[:-1])

    converter = dataclasses.replace(CONVERTER, plan=unpaired)
    with pytest.raises(DataError, match="1 of 4 images in .* have no label"):
        prepare(converter, [source], tmp_path / "out")


def test_what_tells_tasks_apart(source, tmp_path):
    (member, _), (other, _) = Files([source], tmp_path).match(r"[01]\.jpg")
    tasks = [
        Task(copied, (member,), ("a",)),
        Task(copied, (member,), ("b",)),
        Task(copied, (other,), ("a",)),
        Task(image_png, (member,), ("a",)),
        Task(copied, (dataclasses.replace(member, size=1),), ("a",)),
    ]
    assert len(set(map(task_key, tasks))) == 5


def test_a_mask_of_colours_is_refused(tmp_path):
    pixels = np.zeros((4, 5, 3), np.uint8)
    pixels[2, 3] = 9, 1, 0
    made.write_folder(tmp_path, {"a.png": made.encoded(pixels, ".png")})
    size = (tmp_path / "a.png").stat().st_size
    member = Member(str(tmp_path), "a.png", size, "folder")
    with pytest.raises(DataError, match=r"colours, as \(9, 1, 0\) at row 2, column 3"):
        read_mask(member)

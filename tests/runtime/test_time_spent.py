"""Where the time went, by a clock that the test turns."""

import json
import time

import pytest

from jaxseg.runtime import time_spent
from jaxseg.runtime.time_spent import FILE_NAME, LOST, PARTS, TimeSpent


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_every_second_is_in_one_part(tmp_path):
    clock = Clock()
    spent = TimeSpent(tmp_path, clock)
    clock.now += 2
    with spent.on("step"):
        clock.now += 3
        with spent.on("waiting for data"):
            clock.now += 4
        clock.now += 5
    clock.now += 6
    spent.close()
    body = json.loads((tmp_path / FILE_NAME).read_text())
    expected = dict.fromkeys(PARTS, 0.0)
    expected |= {"start-up": 8.0, "step": 8.0, "waiting for data": 4.0}
    assert body["seconds"] == expected
    assert body["total"] == 20.0


def test_what_came_after_the_checkpoint_is_lost(tmp_path):
    clock = Clock()
    first = TimeSpent(tmp_path, clock)
    first.switch("step")
    clock.now += 10
    first.saved(5, [5])
    clock.now += 7
    first.write()  # and then it is killed
    second = TimeSpent(tmp_path, clock)
    second.resumed(5)
    second.switch("step")
    clock.now += 1
    seconds = second.seconds()
    second.switch("other")
    assert seconds["step"] == 10.0
    assert second.seconds()["step"] == 11.0
    assert seconds[LOST] == 7.0
    assert "all 2 starts" in second.table()


def test_an_older_checkpoint_is_remembered_as_long_as_it_is_kept(tmp_path):
    clock = Clock()
    first = TimeSpent(tmp_path, clock)
    first.switch("step")
    for step, kept in ((1, [1]), (2, [1, 2]), (3, [2, 3])):
        clock.now += 10
        first.saved(step, kept)
    second = TimeSpent(tmp_path, clock)
    second.resumed(3)
    second.write()
    third = TimeSpent(tmp_path, clock)
    third.resumed(2)  # 3 was damaged
    assert third.seconds()["step"] == 20.0
    assert third.seconds()[LOST] == 10.0
    third.write()
    fourth = TimeSpent(tmp_path, clock)
    fourth.resumed(1)  # which was not kept
    assert fourth.seconds()["step"] == 0.0
    assert fourth.seconds()[LOST] == 30.0


def test_it_is_written_while_something_takes_long(tmp_path, monkeypatch):
    monkeypatch.setattr(time_spent, "_WRITE_SECONDS", 0.05)
    with TimeSpent(tmp_path) as spent, spent.on("compile"):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(0.05)
            if (tmp_path / FILE_NAME).exists():
                break
        body = json.loads((tmp_path / FILE_NAME).read_text())
    assert body["seconds"]["compile"] > 0


def test_a_start_from_nothing_loses_all_that_was_before(tmp_path):
    clock = Clock()
    first = TimeSpent(tmp_path, clock)
    clock.now += 10
    first.write()
    second = TimeSpent(tmp_path, clock)
    second.resumed(0)
    assert second.seconds()[LOST] == 10.0


def test_a_file_that_cannot_be_read_or_written_stops_nothing(tmp_path, caplog):
    (tmp_path / FILE_NAME).write_text("{")
    spent = TimeSpent(tmp_path / "gone", Clock())
    spent.write()
    spent.write()
    assert caplog.text.count("cannot be written") <= 1
    assert TimeSpent(tmp_path, Clock()).seconds()[LOST] == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"starts": 1, "seconds": {"step": "x"}, "saved": {}}',
        '{"starts": 1, "seconds": {"step": -5}, "saved": {}}',
        '{"starts": 1, "seconds": {"step": NaN}, "saved": {}}',
        '{"starts": 1, "seconds": {"sleep": 1}, "saved": {}}',
        '{"starts": 1, "seconds": {"step": 1}, "saved": {"best": {"step": 1}}}',
        '{"starts": 1, "seconds": {"step": 1}, "saved": {"5": 3}}',
        '{"starts": 1, "seconds": {"step": 1}, "saved": [5]}',
        '{"starts": "one", "seconds": {"step": 1}, "saved": {}}',
    ],
)
def test_a_damaged_file_is_set_aside(tmp_path, caplog, text):
    (tmp_path / FILE_NAME).write_text(text)
    spent = TimeSpent(tmp_path, Clock())
    spent.resumed(5)
    spent.saved(7, [5, 7])
    spent.close()
    assert f"{FILE_NAME}: set aside as {FILE_NAME}.damaged" in caplog.text
    assert (tmp_path / f"{FILE_NAME}.damaged").read_text() == text
    assert json.loads((tmp_path / FILE_NAME).read_text())["starts"] == 1

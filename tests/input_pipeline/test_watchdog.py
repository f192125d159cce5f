"""Work on files that stands still is given up."""

import os
import threading
import time

import pytest

from input_pipeline.errors import DataError
from input_pipeline.watchdog import watched_map


def test_results_come_in_the_order_of_the_items():
    def slower(item, touch):
        touch(str(item))
        time.sleep(0.01 * (5 - item))
        return item * 2

    assert watched_map(slower, range(5), num_threads=3) == [0, 2, 4, 6, 8]
    assert watched_map(slower, []) == []


def test_an_error_is_raised_and_ends_the_rest():
    done = []

    def fail(item, touch):
        done.append(item)
        time.sleep(0.001)
        raise KeyError(item)

    with pytest.raises(KeyError, match="0"):
        watched_map(fail, range(1000))
    time.sleep(0.05)
    assert len(done) < 500


def test_a_file_without_an_answer_is_named(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def read(item, touch):
        touch(str(item))
        with open(item) as file:  # waits for a writer
            return file.read()

    (tmp_path / "a").write_text("a")
    begin = time.monotonic()
    with pytest.raises(DataError, match="pipe: no answer for 0.2 s. Is its disk"):
        watched_map(read, [tmp_path / "a", pipe], limit=0.2)
    assert time.monotonic() - begin < 5
    (waiting,) = (
        t for t in threading.enumerate() if t.daemon and t.name.endswith("k)")
    )
    with open(pipe, "w"):  # lets it go
        pass
    waiting.join(5)


def test_work_that_goes_on_is_waited_for():
    def long(item, touch):
        for place in range(8):
            touch(f"{item} {place}")
            time.sleep(0.05)
        return item

    assert watched_map(long, [1], limit=0.2) == [1]

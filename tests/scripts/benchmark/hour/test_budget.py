"""Parts share their time: what is cut, killed, failed or not started is said."""

import json
import sys
import time

import pytest

from scripts.benchmark.measuring.hour.budget import run_parts

ROW = "import json; print(json.dumps(dict(part='{0}', row='{1}', {2})), flush=True)\n"


def run(programs, seconds, tmp_path):
    """The rows of parts that are given as programs."""
    rows, asked = [], {}

    def command(name, seconds):
        asked[name] = seconds
        return [sys.executable, "-c", programs[name]]

    shares = dict.fromkeys(programs, 1)
    run_parts(shares, seconds, command, rows.append, tmp_path / "log.txt")
    return rows, asked


def test_rows_come_in_order_and_each_part_says_how_it_ended(tmp_path):
    programs = {
        "a": ROW.format("a", "train", "x=1") + ROW.format("a", "end", "status='done'"),
        "b": ROW.format("b", "end", "status='cut', why='no time'"),
        "c": "raise ValueError('no such thing')",
    }
    rows, asked = run(programs, 90, tmp_path)
    assert [(row["part"], row["row"], row.get("status")) for row in rows] == [
        ("a", "train", None),
        ("a", "end", "done"),
        ("b", "end", "cut"),
        ("c", "end", "failed"),
    ]
    assert rows[0]["x"] == 1 and rows[2]["why"] == "no time"
    assert rows[3]["why"].startswith("exit code 1; ")
    assert "ValueError: no such thing" in rows[3]["why"]
    # A third of it, then what is left by halves, and a part is asked to end earlier.
    assert rows[1]["budget"] == pytest.approx(30, abs=1)
    assert 30 < rows[2]["budget"] <= 45
    assert asked["b"] == pytest.approx(0.85 * rows[2]["budget"])


def test_a_part_that_does_not_end_is_killed_with_what_it_started(tmp_path):
    pid = tmp_path / "pid"
    sleeping = (
        "import subprocess, sys, pathlib, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\n"
        + ROW.format("a", "train", "x=1")
        + "time.sleep(99)"
    )
    start = time.monotonic()
    rows, _ = run({"a": sleeping, "b": "never"}, 12, tmp_path)
    assert time.monotonic() - start < 30
    assert rows[0]["row"] == "train"
    assert rows[1]["status"] == "killed"
    assert rows[1]["why"] == "it did not reach a safe point in its 6 s"
    assert rows[2]["part"] == "b" and rows[2]["status"] in ("failed", "not_run")
    assert not is_running(int(pid.read_text()))


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_without_time_a_part_is_not_started(tmp_path):
    rows, asked = run({"a": "raise SystemExit"}, 0, tmp_path)
    assert asked == {}
    assert json.loads(json.dumps(rows)) == [
        {"part": "a", "row": "end", "status": "not_run", "why": "0 s were left"}
    ]

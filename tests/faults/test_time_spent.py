"""Where the time of a run went, through a kill and a stop."""

import json
import re
import signal

import pytest


def seconds_of(workdir):
    return json.loads((workdir / "time_spent.json").read_text())


def test_the_parts_of_an_undisturbed_run_sum_to_the_whole(undisturbed):
    body = seconds_of(undisturbed)
    assert body["starts"] == 1
    assert sum(body["seconds"].values()) == pytest.approx(body["total"])
    for part in ("compile", "step", "checkpoint", "evaluation"):
        assert body["seconds"][part] > 0
    assert body["seconds"]["lost by restarts"] == 0


@pytest.mark.faults
def test_what_a_kill_cost_is_lost_and_what_a_stop_saved_is_not(command, tiny, tmp_path):
    run = command(*tiny, "--workdir", tmp_path)
    run.wait_for(lambda: (tmp_path / "checkpoints/10/commit_success.txt").exists())
    run.wait_for("train 20/60")
    run.send(signal.SIGTERM)
    stopped = run.finish(143)
    assert "time spent" in stopped
    before = seconds_of(tmp_path)
    run = command(*tiny, "--workdir", tmp_path)
    run.wait_for("train 45/60")
    run.send(signal.SIGKILL)
    run.finish(-signal.SIGKILL)
    output = command(*tiny, "--workdir", tmp_path).finish()
    body = seconds_of(tmp_path)
    assert body["starts"] == 3
    assert before["seconds"]["lost by restarts"] < 0.5
    assert sum(body["seconds"].values()) == pytest.approx(body["total"])
    assert body["seconds"]["lost by restarts"] >= 0
    table = output[output.index("time spent") :]
    assert "all 3 starts" in table
    assert re.search(r"total +[0-9.]+ s 100.0 % +[0-9.]+ s 100.0 %", table)

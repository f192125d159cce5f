"""One process of each variant: who is late, fails or has another model is left out."""

import sys
import threading

import pytest

from scripts.benchmark.measuring.against import AgainstError
from scripts.benchmark.measuring.hour.sides import Sides

STAND_IN = """
import ast, json, sys, time
job = ast.literal_eval(sys.stdin.readline())
(name,) = job["variants"]
if name == "broken":
    raise ImportError("no torch here")
print(json.dumps(dict(variants=[name], parameters=job["sizes"][name])), flush=True)
for line in sys.stdin:
    order = json.loads(line)
    if name == "slow compile":
        time.sleep(99)
    answer = dict(seconds=2.0 * order["steps"], peak_memory=len(name))
    print(json.dumps(answer), flush=True)
"""


def check(hello):
    if hello["parameters"] != 1:
        raise AgainstError(f"{hello['parameters']} parameters")


@pytest.fixture
def start(tmp_path):
    def start(*names, **sizes):
        job = {"sizes": dict.fromkeys(names, 1) | sizes}
        command = [sys.executable, "-c", STAND_IN]
        return Sides(command, job, names, tmp_path, check)

    return start


def test_all_take_turns_and_have_a_memory_of_their_own(start):
    with start("bf16", "bf16 compile") as sides:
        sides.compile(["train"])
        sides.wait(["train"], 60)
        assert sides.hello["variants"] == ["bf16", "bf16 compile"]
        assert sides.turn("bf16 compile", "train", 3) == 6.0
        assert sides.peak_memory == {"bf16": 4, "bf16 compile": 12}
    assert threading.active_count() < 10


def test_who_is_left_out_and_why(start):
    with start("bf16", "broken", "wide", "slow compile", wide=2) as sides:
        sides.compile(["train"])
        sides.wait(["train"], 15)
        assert sides.hello["variants"] == ["bf16"]
        assert "no torch here" in sides.left_out["broken"]
        assert sides.left_out["wide"] == "2 parameters"
        assert sides.left_out["slow compile"] == "it was not ready after 15 s"
        # Afterwards the others go on without them.
        sides.compile(["network"])
        sides.wait(["network"], 15)
        assert sides.turn("bf16", "network", 1) == 2.0

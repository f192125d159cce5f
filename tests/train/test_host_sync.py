"""The loop does not wait for a step that the device has just been given."""

import pathlib

import pytest

from jaxseg.config import load
from jaxseg.train import compiled_step, loop

TINY = pathlib.Path(__file__).parents[1] / "tiny.py"


class Watched:
    """A result of a step that notes when the host reads it."""

    def __init__(self, value, step, reads, started):
        self._value, self._step = value, step
        self._reads, self._started = reads, started

    def _read(self):
        self._reads.append((self._step, self._started[-1]))
        return self._value

    def __int__(self):
        return int(self._read())

    def __float__(self):
        return float(self._read())


@pytest.fixture
def config(tiny_data):
    config = load(f"{TINY}:{tiny_data}")
    config["train_dataloader"]["batch_size"] = 8
    config["train_cfg"] = dict(max_iters=6)
    config["default_hooks"]["logger"] = dict(interval=6)
    return config


def test_a_result_is_read_two_steps_late(config, tmp_path, monkeypatch):
    make_train_step = compiled_step.make_train_step
    reads, started = [], [0]

    class Step:
        def __init__(self, *arguments, **options):
            self._step = make_train_step(*arguments, **options)

        def lower(self, *arguments):
            self._step = self._step.lower(*arguments)
            return self

        def compile(self):
            self._step = self._step.compile()
            return self

        def __call__(self, state, batch):
            started.append(started[-1] + 1)
            state, result = self._step(state, batch)
            watch = lambda value: Watched(value, started[-1], reads, started)
            return state, {name: watch(value) for name, value in result.items()}

    monkeypatch.setattr(compiled_step, "make_train_step", Step)
    assert loop.train(config, tmp_path) == 0
    assert started[-1] == 6
    # (step whose result is read, last step that the device has been given)
    assert reads[:4] == [(1, 3), (2, 4), (3, 5), (4, 6)]

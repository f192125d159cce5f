"""The random numbers that MMSegmentation has drawn, drawn again."""

import pytest


class RecordedDraws:
    """Stands for a Generator: gives the draws of a list, and refuses any others."""

    def __init__(self, draws):
        self._left = list(draws)

    def integers(self, low, high=None):
        return self._next("integers", [0, low] if high is None else [low, high])

    def uniform(self, low, high):
        return self._next("uniform", [low, high])

    def random(self):
        return self._next("random", [])

    def choice(self, count, p):
        return self._next("choice", [count, *p])

    def _next(self, kind, arguments):
        assert self._left, f"{kind}{arguments} is drawn, and mmseg draws no more"
        drawn, numbers, value = self._left.pop(0)
        assert drawn == kind
        if kind == "choice":
            numbers = [numbers[0], *numbers[1]]
        assert arguments == pytest.approx(numbers, rel=1e-12, abs=1e-12)
        return value

    def check_all_are_drawn(self):
        assert self._left == [], "mmseg draws these as well"

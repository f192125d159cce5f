"""Seconds a step, told as a median and a spread; alone or in turns with another."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable
from typing import Any

from scripts.benchmark.measuring.against import OtherSide

# Runs a number of steps to their end, and returns the seconds that they took.
Turn = Callable[[int], float]


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds a step, one value for each repeat."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def summary(self, images: int) -> dict[str, Any]:
        """What the report holds of it.

        Args:
            images: of a step.
        """
        return {
            "images_per_second": images / self.median,
            "seconds_per_step": self.median,
            "fastest": min(self.seconds),
            "slowest": max(self.seconds),
            "repeats": len(self.seconds),
        }


class Stopwatch:
    """Times turns, alone or in alternation with the other side's.

    Attributes:
        steps: of a turn.
        repeats: turns that are timed, at most.
        deadline: of `time.monotonic`; past it no other turn is timed but the first.
        comparison: what `versus` has found, by measure; under each `ours`, `rounds`
            and `variants`: of each its seconds a step, and the ratio to ours.
    """

    def __init__(
        self,
        steps: int,
        repeats: int,
        other: OtherSide | None = None,
        deadline: float = math.inf,
    ):
        self.steps = steps
        self.deadline = deadline
        self.repeats = repeats
        self.comparison: dict[str, Any] = {}
        self._other = other

    def alone(self, turn: Turn) -> Timing:
        """Times turns of ours, after one step that does not count."""
        turn(1)
        return Timing(tuple(turn(self.steps) / self.steps for _ in self._rounds()))

    def _rounds(self):
        for done in range(self.repeats):
            if done and time.monotonic() > self.deadline:
                return
            yield done

    def versus(self, measure: str, turn: Turn) -> Timing:
        """As `alone`; where there is another side, everyone has a turn a repeat.

        Before each turn comes a step that does not count: the memory of a process that
        waits may go back to the system, and its first step then takes half as long
        again.

        Args:
            measure: `train`, `network` or `label_maps`.
            turn: ours.

        Raises:
            AgainstError: if the other side cannot do its part.
        """
        if self._other is None:
            return self.alone(turn)
        players = {"ours": turn}
        for variant in self._other.hello["variants"]:
            players[variant] = lambda steps, v=variant: self._other.turn(
                v, measure, steps
            )
        seconds = {name: [] for name in players}
        for _ in self._rounds():
            for name, play in players.items():
                play(1)
                seconds[name].append(play(self.steps) / self.steps)
        ours = seconds.pop("ours")
        self.comparison[measure] = {
            "ours": _spread(ours),
            "rounds": len(ours),
            "variants": {
                name: _spread(theirs) | {"ratio": _ratio(theirs, ours)}
                for name, theirs in seconds.items()
            },
        }
        return Timing(tuple(ours))


def _spread(values):
    return {
        "median": statistics.median(values),
        "lowest": min(values),
        "highest": max(values),
    }


def _ratio(theirs, ours):
    """Theirs over ours, round by round, and of the best round of each."""
    rounds = [t / o for t, o in zip(theirs, ours, strict=True)]
    return _spread(rounds) | {"best": min(theirs) / min(ours)}

"""Early stopping: the training ends where a score does not get better any more."""

import dataclasses
import math
from typing import ClassVar

from jaxseg.errors import FieldError
from jaxseg.hooks.hook import Hook
from jaxseg.hooks.rule import RULES, rule_of


@dataclasses.dataclass(kw_only=True)
class EarlyStoppingHook(Hook):
    """mmengine's EarlyStoppingHook.

    Attributes:
        monitor: the score.
        rule: 'greater' or 'less' is better; by default 'less' of a loss.
        min_delta: a score that is no more than so much better is not better.
        patience: evaluations in a row without a better score that end the training.
        stopping_threshold: a score that is better than this ends it at once.
        check_finite: whether a score that is not finite ends it.
    """

    on_all_processes: ClassVar[bool] = True

    monitor: str
    rule: str | None = None
    min_delta: float = 0.1
    patience: int = 5
    stopping_threshold: float | None = None
    check_finite: bool = True

    def __post_init__(self):
        super().__post_init__()
        if self.rule not in (None, *RULES):
            raise FieldError(f"rule: found {self.rule!r}, allowed: 'greater', 'less'")
        if self.patience < 1:
            raise FieldError(f"patience: needs to be >= 1, found {self.patience}")
        self._sign = 1 if rule_of(self.monitor, self.rule) == "greater" else -1
        self._best, self._waited = -math.inf, 0

    def before_run(self, training):
        for step, scores in training.history:
            self.after_evaluation(training, step, scores)

    def after_evaluation(self, training, step, scores):
        score = scores[self.monitor] * self._sign
        named = f"{self.monitor} is {scores[self.monitor]:.4g} at step {step}"
        limit = self.stopping_threshold
        if self.check_finite and not math.isfinite(score):
            training.stop(f"{named}, and not finite")
        elif limit is not None and score > limit * self._sign:
            training.stop(f"{named}, beyond the threshold of {limit:g}")
        elif self._best + self.min_delta > score:
            self._waited += 1
            if self._waited >= self.patience:
                best = self._best * self._sign
                training.stop(
                    f"{self.monitor} has not become better than {best:.4g} in "
                    f"{self._waited} evaluations, up to step {step}"
                )
        else:
            self._best, self._waited = score, 0

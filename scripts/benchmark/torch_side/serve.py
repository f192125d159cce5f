"""How the other sides of the benchmarks answer; each file beside this one is one.

They run in an environment of their own, which has nothing of jaxseg's. What the two
sides say to each other stands in `scripts/benchmark/measuring/against.py`.
"""

import ast
import json
import os
import sys
from collections.abc import Callable
from typing import Any

# From an order, `variant`, `measure` and `steps`, to `seconds` and what else is known.
Turn = Callable[[dict[str, Any]], dict[str, Any]]


def serve(start: Callable[[Any], tuple[dict[str, Any], Turn]]) -> None:
    """Reads the job, and takes a turn for every line, until the input ends.

    Args:
        start: from the job to the first answer, and what takes the turns.
    """
    # mmengine prints to the standard output, which is ours to answer on.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(**values):
        answers.write(json.dumps(values) + "\n")
        answers.flush()

    try:
        hello, turn = start(ast.literal_eval(sys.stdin.readline()))
        answer(**hello)
        for line in sys.stdin:
            answer(**turn(json.loads(line)))
    except Exception as error:
        answer(error=f"{type(error).__name__}: {error}")
        raise

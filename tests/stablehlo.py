"""StableHLO: what tests read of a program as it is lowered, before XLA compiles it."""

import re


def precisions(text: str) -> list[str]:
    """How each product and convolution multiplies its two factors: `HIGHEST`, ..."""
    found = []
    for line in text.splitlines():
        if re.search(r"stablehlo\.(dot_general|convolution)\b", line):
            of_factors = re.search(r"precision\w* = \[([^\]]*)\]", line)[1]
            found += re.findall(r"\b[A-Z]+\b", of_factors)
    return found

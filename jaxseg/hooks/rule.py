"""Rule: whether a score is better when it is greater or when it is less."""

RULES = ("greater", "less")

# Of the metrics, an error and a distance; one of several data sets is `0_ECE`.
_LESS = ("ECE", "mHD95")


def rule_of(score: str, rule: str | None) -> str:
    """`greater` or `less`; where nobody says, it is less of losses, errors, distances."""
    is_less = "loss" in score.lower() or score.rpartition("_")[2] in _LESS
    return rule or ("less" if is_less else "greater")

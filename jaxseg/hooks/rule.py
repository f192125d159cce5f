"""Rule: whether a score is better when it is greater or when it is less."""

RULES = ("greater", "less")


def rule_of(score: str, rule: str | None) -> str:
    """`greater` or `less`; where nobody says, a loss is better when it is less."""
    return rule or ("less" if "loss" in score.lower() else "greater")

"""The hour with a GPU: parts that each have a share of the time."""

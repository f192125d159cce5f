"""Checkpoints: what a run saves, by orbax, and how it is read."""

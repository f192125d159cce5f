"""Hooks, the table of contents: what `custom_hooks` can name."""

from jaxseg.hooks.early_stopping import EarlyStoppingHook

__all__ = ["EarlyStoppingHook"]

"""Which form of an operation a test runs."""

import jax
import pytest


@pytest.fixture
def elsewhere(monkeypatch):
    """What is traced from now on has, on this CPU, the forms of a GPU."""
    _trace_forms_of(monkeypatch, "cuda")


@pytest.fixture
def tpu(monkeypatch):
    """What is traced from now on has, on this CPU, the forms of a TPU."""
    _trace_forms_of(monkeypatch, "tpu")


def _trace_forms_of(monkeypatch, platform):
    def other(*args, default, **forms):
        return forms.get(platform, default)(*args)

    monkeypatch.setattr(jax.lax, "platform_dependent", other)

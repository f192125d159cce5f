"""Which form of an operation a test runs."""

import jax
import pytest


@pytest.fixture
def elsewhere(monkeypatch):
    """What is traced from now on has, on this CPU, the forms of other platforms."""

    def other(*args, cpu, default):
        return default(*args)

    monkeypatch.setattr(jax.lax, "platform_dependent", other)

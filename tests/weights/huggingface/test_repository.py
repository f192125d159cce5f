"""Repositories of the Hub: what is asked of huggingface_hub, and its errors in words.

A stand-in has its names; the real one needs a network.
"""

import sys
import types

import pytest

from jaxseg.weights.huggingface.repository import fetch_repository
from jaxseg.weights.load import LoadError, read_checkpoint


def error_types():
    """huggingface_hub's errors, one above the other as in 2.4.0."""
    errors = types.ModuleType("huggingface_hub.errors")
    errors.HfHubHTTPError = type("HfHubHTTPError", (OSError,), {})
    http = errors.HfHubHTTPError
    errors.RepositoryNotFoundError = type("RepositoryNotFoundError", (http,), {})
    missing = errors.RepositoryNotFoundError
    errors.GatedRepoError = type("GatedRepoError", (missing,), {})
    errors.RevisionNotFoundError = type("RevisionNotFoundError", (http,), {})
    errors.LocalEntryNotFoundError = type("LocalEntryNotFoundError", (OSError,), {})
    errors.OfflineModeIsEnabled = type("OfflineModeIsEnabled", (ConnectionError,), {})
    errors.HFValidationError = type("HFValidationError", (ValueError,), {})
    return errors


@pytest.fixture
def hub(monkeypatch):
    module = types.ModuleType("huggingface_hub")
    module.errors = error_types()
    monkeypatch.setitem(sys.modules, "huggingface_hub", module)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", module.errors)
    return module


def test_asks_for_safetensors_first(hub, tmp_path):
    asked = []

    def snapshot_download(name, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        if "pytorch_model.bin" in allow_patterns:
            (tmp_path / "pytorch_model.bin").touch()
        return str(tmp_path)

    hub.snapshot_download = snapshot_download
    assert fetch_repository("hf://nvidia/b0@main") == tmp_path
    first, second = asked
    assert first[:2] == ("nvidia/b0", "main")
    assert first[2] == [
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
        "model.safetensors.index.json",
        "model-*.safetensors",
    ]
    assert "pytorch_model-*.bin" in second[2]


def test_a_repository_without_weights_is_named(hub, tmp_path):
    hub.snapshot_download = lambda *args, **kwargs: str(tmp_path)
    with pytest.raises(LoadError, match=r"hf://a/b has none of model\.safetensors"):
        read_checkpoint("hf://a/b")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("GatedRepoError", "is gated: accept its conditions"),
        ("RepositoryNotFoundError", "no such repository, or it is private"),
        ("RevisionNotFoundError", "no such revision"),
        ("LocalEntryNotFoundError", "is not in the cache.*on another machine"),
        ("OfflineModeIsEnabled", "is not in the cache"),
        ("HFValidationError", "cannot be downloaded: first line"),
        ("HfHubHTTPError", "cannot be downloaded: first line"),
    ],
)
def test_every_error_is_a_sentence(hub, name, message):
    def snapshot_download(*args, **kwargs):
        raise getattr(hub.errors, name)("first line\nsecond line")

    hub.snapshot_download = snapshot_download
    with pytest.raises(LoadError, match=message) as caught:
        read_checkpoint("hf://a/b")
    assert str(caught.value).startswith("hf://a/b") and "second" not in str(
        caught.value
    )


@pytest.mark.parametrize(
    "source", ["hf://b0", "hf://a/b/c", "hf://a/../b", "hf://a/b@"]
)
def test_a_name_of_another_form_is_refused(source):
    with pytest.raises(LoadError, match="allowed is hf://OWNER/NAME"):
        read_checkpoint(source)


def test_without_huggingface_hub_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(LoadError, match=r"pip install 'jaxseg\[hub\]'"):
        read_checkpoint("hf://a/b")

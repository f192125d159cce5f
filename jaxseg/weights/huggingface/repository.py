"""Repository of the Hugging Face Hub: its model's files, in huggingface_hub's cache."""

import re
from pathlib import Path

from jaxseg.weights.huggingface.errors import HuggingFaceError
from jaxseg.weights.huggingface.folder import (
    CONFIG,
    PREPROCESSOR,
    WEIGHTS,
    has_weights,
)

SCHEME = "hf://"


def fetch_repository(source: str) -> Path:
    """The folder of a repository's files, which are downloaded if they are not there.

    huggingface_hub keeps them in its cache (`HF_HOME`), asks for no network with
    `HF_HUB_OFFLINE=1`, and logs in by its own token.

    Args:
        source: `hf://OWNER/NAME`, or `hf://OWNER/NAME@REVISION`.

    Raises:
        HuggingFaceError: if it cannot be fetched, with the reason.
    """
    name = re.fullmatch(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", source, re.ASCII)
    if name is None:
        raise HuggingFaceError(
            f"{source}: allowed is hf://OWNER/NAME or with @REVISION"
        )
    try:
        import huggingface_hub
        from huggingface_hub import errors
    except ImportError as error:
        raise HuggingFaceError(
            f"{source} needs huggingface_hub: pip install 'jaxseg[hub]'"
        ) from error
    # PyTorch's own file only where there is no safetensors one.
    for weights in WEIGHTS:
        stem, _, end = weights.rpartition(".")
        patterns = [CONFIG, PREPROCESSOR, weights, f"{weights}.index.json"]
        patterns.append(f"{stem}-*.{end}")
        try:
            folder = huggingface_hub.snapshot_download(
                name[1], revision=name[2], allow_patterns=patterns
            )
        except (errors.HFValidationError, OSError) as error:
            raise HuggingFaceError(_reason(source, error, errors)) from error
        if has_weights(Path(folder)):
            break
    else:
        raise HuggingFaceError(
            f"{source} has none of {', '.join(WEIGHTS)}, or they are not in the cache "
            "and HF_HUB_OFFLINE is set"
        )
    return Path(folder)


def _reason(source, error, errors):
    """What a user can mend, for each of huggingface_hub's errors."""
    first = str(error).strip().partition("\n")[0]
    if isinstance(error, errors.GatedRepoError):
        return (
            f"{source} is gated: accept its conditions on its page at huggingface.co, "
            "and log in with `hf auth login` or HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{source}: the repository has no such revision"
    if isinstance(error, errors.RepositoryNotFoundError):
        return (
            f"{source}: there is no such repository, or it is private: log in with "
            "`hf auth login` or HF_TOKEN"
        )
    if isinstance(error, (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled)):
        return (
            f"{source} is not in the cache, and the Hub cannot be reached: "
            "download it on another machine (`hf download`), copy its folder, and name "
            f"that ({first})"
        )
    return f"{source} cannot be downloaded: {first}"

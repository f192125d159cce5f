"""Downloads of weights: verified by their digest, kept in a folder."""

import hashlib
import http.client
import logging
import os
import pathlib
import queue
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from jaxseg.errors import JaxsegError
from jaxseg.weights.files.atomic_file import replaced

_log = logging.getLogger("jaxseg")

_SECONDS = 30  # without a byte
_HEADER_SECONDS = 120  # until the headers are there, on all ways that it is sent on
_MOST_SECONDS = 6 * 3600  # in all; a server may send a byte now and then for ever
_MOST_BYTES = 16 << 30
_CHUNK = 1 << 20


class DownloadError(JaxsegError, ValueError):
    """Weights that cannot be fetched, or that are not those that were meant."""


def cache_folder() -> pathlib.Path:
    """`jaxseg/checkpoints` in XDG_CACHE_HOME, or in `~/.cache` where that is not set."""
    return _caches() / "jaxseg" / "checkpoints"


def _caches():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _torch_folder():
    """Where PyTorch, and so mmseg, keeps what it has downloaded."""
    home = os.environ.get("TORCH_HOME") or _caches() / "torch"
    return pathlib.Path(home).expanduser() / "hub" / "checkpoints"


def fetch(url: str) -> pathlib.Path:
    """The local copy of a file, which is downloaded if it is not there.

    Several processes may ask for one file at once: each writes a draft of its own,
    and a file has its name once it is whole and verified.

    Args:
        url: http(s). The file's SHA-256 is known by the eight or more hexadecimal
            digits at the end of its name (`resnet50_v1c-2cccc1ad.pth`), as OpenMMLab
            and PyTorch name theirs, or by `#sha256=...` behind the URL. Nothing is
            used that does not have it.

    Raises:
        DownloadError: if no digest is known, the file has another one, or there is no
            network; it says where the file can be put by hand.
    """
    name, digest = _name_and_digest(url)
    path = cache_folder() / name
    if path.is_file():
        found = _sha256(path)
        if not found.startswith(digest):
            raise DownloadError(
                f"{path} has the SHA-256 {found[:16]}..., and {url} has {digest}: "
                "it is damaged or another file; remove it"
            )
        return path
    other = _torch_folder() / name
    if other.is_file() and _sha256(other).startswith(digest):
        return other
    _log.info("%s is downloaded to %s", url, path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as draft:
            found = _download(url, draft)
            if not found.startswith(digest):
                raise DownloadError(
                    f"{url}: what was downloaded has the SHA-256 {found[:16]}..., "
                    f"expected is {digest}; it is removed"
                )
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise DownloadError(
            f"{url} cannot be downloaded ({error or type(error).__name__}): download "
            f"it on another machine and put it at {path}"
        ) from error
    return path


def _name_and_digest(url):
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError as error:
        raise DownloadError(f"{url} is no URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"{url}: only http(s) URLs of a host are fetched")
    name = parts.path.rpartition("/")[2]
    if not re.fullmatch(r"\w[\w.+-]{0,200}", name, re.ASCII):
        raise DownloadError(f"{url} ends in no file name of letters, digits and .+-_")
    in_name = re.search(r"-([0-9a-f]{8,64})\.\w+$", name)
    in_url = re.fullmatch(r"sha256=([0-9a-f]{8,64})", parts.fragment.lower())
    if in_url and not (in_name and in_url[1].startswith(in_name[1])):
        # Files of one name from two places are two files.
        name = f"{in_url[1][:8]}-{name}"
    if not in_url and not in_name:
        raise DownloadError(
            f"{url}: its SHA-256 is not known: it must stand at the end of the file's "
            "name (NAME-0123abcd.pth) or behind the URL (#sha256=0123abcd...), at least "
            "eight hexadecimal digits of it"
        )
    return name, (in_url or in_name)[1]


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _opener():
    """One that knows http and https and nothing else, wherever it is sent on to."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _open(request):
    """The answer, once its headers are there.

    Each of their bytes may come in time, and the last one never: the wait has a limit
    of its own, which needs a thread, for no timeout of a socket is one in all.
    """
    results = queue.SimpleQueue()

    def ask():
        try:
            results.put((_opener().open(request, timeout=_SECONDS), None))
        except urllib.error.HTTPError as error:
            error.close()  # it is an answer, too, and holds its connection
            results.put((None, error))
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            results.put((None, error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer, error = results.get(timeout=_HEADER_SECONDS)
    except queue.Empty:
        raise OSError(f"no whole answer after {_HEADER_SECONDS} seconds") from None
    if error is not None:
        raise error
    return answer


def _download(url, path):
    """Writes the file, with a line for every tenth of it, and returns its SHA-256."""
    digest, size = hashlib.sha256(), 0
    request = urllib.request.Request(url, headers={"User-Agent": "jaxseg"})
    end = time.monotonic() + _MOST_SECONDS
    with _open(request) as answer, open(path, "wb") as file:
        total = answer.length or 0  # 0: the server does not say
        # `read` would wait until a whole chunk is there.
        while chunk := answer.read1(_CHUNK):
            if time.monotonic() > end:
                raise OSError(f"it is not there after {_MOST_SECONDS} seconds")
            digest.update(chunk)
            file.write(chunk)
            before, size = size, size + len(chunk)
            if max(size, total) > _MOST_BYTES:
                raise OSError(f"it is longer than {_MOST_BYTES} bytes")
            if total and size * 10 // total > before * 10 // total:
                _log.info("%d of %d MB", size >> 20, total >> 20)
    if total and size != total:
        raise OSError(f"the connection ended after {size} of {total} bytes")
    return digest.hexdigest()

"""Downloads from a server of this process; no network."""

import concurrent.futures
import hashlib
import http.server
import threading

import pytest

from jaxseg.weights import download
from jaxseg.weights.download import DownloadError, cache_folder, fetch

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"net-{DIGEST[:8]}.pth"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.answers.get(self.path[1:], _Handler.content)(self)

    def content(self, length=7000):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(CONTENT)

    def redirect(self, url):
        self.send_response(302)
        self.send_header("Location", url)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TORCH_HOME", raising=False)
    monkeypatch.setenv("no_proxy", "*")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.asked, server.answers = [], {}
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def trickle():
    """Goes on with an answer a byte at a time, so that no wait is a long one."""
    ended = threading.Event()

    def send(handler):
        for _ in range(500):
            if ended.wait(0.02):
                return
            handler.wfile.write(b"w")

    yield send
    ended.set()


def cached():
    return sorted(path.name for path in cache_folder().glob("*"))


def test_a_file_is_downloaded_once(server, tmp_path):
    path = fetch(f"{server.url}/some/{NAME}")
    assert path == tmp_path / "cache/jaxseg/checkpoints" / NAME
    assert path.read_bytes() == CONTENT
    assert fetch(f"{server.url}/some/{NAME}") == path
    assert server.asked == [f"/some/{NAME}"] and cached() == [NAME]


def test_another_digest_leaves_nothing(server):
    with pytest.raises(DownloadError, match=f"{DIGEST[:16]}.*expected is 01234567"):
        fetch(f"{server.url}/net-01234567.pth")
    assert server.asked and cached() == []


def test_a_digest_may_stand_behind_the_url(server):
    path = fetch(f"{server.url}/net.pth#sha256={DIGEST.upper()}")
    assert path.name == f"{DIGEST[:8]}-net.pth" and path.read_bytes() == CONTENT
    with pytest.raises(DownloadError, match="expected is 0123456789"):
        fetch(f"{server.url}/net.pth#sha256=0123456789")
    assert cached() == [path.name]


@pytest.mark.parametrize(
    "name", ["net.pth", "net_20220308.pth", "net-012345.pth", "net.pth#sha256=01"]
)
def test_nothing_is_fetched_without_a_digest(server, name):
    with pytest.raises(DownloadError, match="SHA-256 is not known.*#sha256="):
        fetch(f"{server.url}/{name}")
    assert server.asked == []


@pytest.mark.parametrize("name", ["", ".net-01234567.pth", "..", "a%2fb-01234567.pth"])
def test_a_file_name_that_could_lead_elsewhere_is_refused(server, name):
    with pytest.raises(DownloadError, match="ends in no file name"):
        fetch(f"{server.url}/{name}#sha256={DIGEST}")
    assert server.asked == []


def test_a_file_that_is_there_is_verified(server):
    cache_folder().mkdir(parents=True)
    (cache_folder() / NAME).write_bytes(CONTENT[:-1])
    with pytest.raises(DownloadError, match=f"{NAME} has the SHA-256 .*remove it"):
        fetch(f"{server.url}/{NAME}")
    assert server.asked == []


def test_what_pytorch_has_downloaded_is_used_if_it_is_right(server, tmp_path):
    folder = tmp_path / "cache/torch/hub/checkpoints"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(CONTENT)
    assert fetch(f"{server.url}/{NAME}") == folder / NAME
    (folder / NAME).write_bytes(b"damaged")
    assert fetch(f"{server.url}/{NAME}") == cache_folder() / NAME


def test_redirects_are_followed(server):
    server.answers[NAME] = lambda handler: handler.redirect("/elsewhere")
    assert fetch(f"{server.url}/{NAME}").read_bytes() == CONTENT
    assert server.asked[-1] == "/elsewhere"


@pytest.mark.parametrize("scheme", ["file://{path}", "ftp://127.0.0.1:{port}/x"])
def test_redirects_lead_to_no_other_kind_of_url(server, tmp_path, scheme):
    (tmp_path / "secret").write_bytes(CONTENT)
    url = scheme.format(path=tmp_path / "secret", port=server.server_port)
    server.answers[NAME] = lambda handler: handler.redirect(url)
    with pytest.raises(DownloadError, match="cannot be downloaded"):
        fetch(f"{server.url}/{NAME}")
    assert cached() == []


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_other_urls_are_refused(scheme):
    with pytest.raises(DownloadError, match=r"only http\(s\) URLs"):
        fetch(f"{scheme}://a.example/{NAME}")


@pytest.mark.parametrize(
    "host", ["[::1", "a.example:port", "a" * 70 + ".example", "a b", "0.0.0.0:1"]
)
def test_a_host_that_is_none_ends_in_the_same_kind_of_error(server, host):
    with pytest.raises(DownloadError, match="is no URL|cannot be downloaded"):
        fetch(f"http://{host}/{NAME}")


def test_an_answer_that_ends_early_leaves_nothing(server):
    server.answers[NAME] = lambda handler: handler.content(7001)
    with pytest.raises(DownloadError, match="7000 of 7001 bytes"):
        fetch(f"{server.url}/{NAME}")
    assert cached() == []


def test_an_answer_that_is_too_long_leaves_nothing(server, monkeypatch):
    monkeypatch.setattr(download, "_MOST_BYTES", 6999)
    with pytest.raises(DownloadError, match="longer than 6999 bytes"):
        fetch(f"{server.url}/{NAME}")
    assert cached() == []


def test_a_silent_server_is_given_up(server, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(download, "_SECONDS", 0.1)
    server.answers[NAME] = lambda handler: release.wait(10)
    with pytest.raises(DownloadError, match="timed out"):
        fetch(f"{server.url}/{NAME}")
    release.set()


def test_offline_the_error_says_which_file_goes_where(server):
    server.answers[NAME] = lambda handler: handler.send_error(404)
    url = f"{server.url}/{NAME}"
    with pytest.raises(DownloadError) as error:
        fetch(url)
    assert str(error.value) == (
        f"{url} cannot be downloaded (HTTP Error 404: Not Found): download it on "
        f"another machine and put it at {cache_folder() / NAME}"
    )


def test_several_at_once_get_one_whole_file(server):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        paths = set(pool.map(fetch, [f"{server.url}/{NAME}"] * 8))
    assert paths == {cache_folder() / NAME}
    assert (cache_folder() / NAME).read_bytes() == CONTENT and cached() == [NAME]


def test_a_server_that_never_comes_to_an_end_is_given_up(server, trickle, monkeypatch):
    monkeypatch.setattr(download, "_MOST_SECONDS", 0.3)

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "7000")
        handler.end_headers()
        trickle(handler)

    server.answers[NAME] = answer
    with pytest.raises(DownloadError, match="not there after 0.3 seconds"):
        fetch(f"{server.url}/{NAME}")
    assert cached() == []


def test_headers_that_never_come_to_an_end_are_given_up(server, trickle, monkeypatch):
    monkeypatch.setattr(download, "_HEADER_SECONDS", 0.3)

    def answer(handler):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        trickle(handler)

    server.answers[NAME] = answer
    with pytest.raises(DownloadError, match="no whole answer after 0.3 seconds"):
        fetch(f"{server.url}/{NAME}")
    assert cached() == []

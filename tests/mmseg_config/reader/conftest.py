"""What the tests of hostile configs share: a watch over what Python does.

An audit hook of Python's own sees every import, executed code object, process, socket
and opened file while a config is read.
"""

import ast
import contextlib
import os
import sys
import threading
import time

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.inherit import read

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """Records what Python's audit events say, while it is watching."""

    def __init__(self):
        self.thread = None  # The one that is watched.
        self.seen = []
        sys.addaudithook(self.hook)  # It cannot be taken out again.

    def hook(self, event, arguments):
        if self.thread != threading.get_ident():
            return
        if event == "compile" and self.is_called_by_parse():
            return
        if event == "open" and not arguments[2] & WRITING:
            return
        self.seen.append((event, repr(arguments)[:200]))

    def is_called_by_parse(self):
        """ast.parse compiles to a tree and no further; running needs an "exec" too."""
        self.thread, watched = None, self.thread  # Looking at frames is an event.
        code = sys._getframe(2).f_code
        self.thread = watched
        return (code.co_filename, code.co_name) == (ast.__file__, "parse")

    @contextlib.contextmanager
    def nothing_happens(self):
        self.seen.clear()
        self.thread = threading.get_ident()
        try:
            yield
        finally:
            self.thread = None
        assert self.seen == []


@pytest.fixture(scope="module")
def watch():
    return Watch()


@pytest.fixture
def refused(watch, tmp_path):
    """Reads a text as a file, which must be refused quickly and do nothing."""

    def read_refused(text, match="", name="a.py"):
        path = tmp_path / name
        if isinstance(text, bytes):
            path.write_bytes(text)
        elif text is not None:
            path.write_text(text)
        start = time.process_time()
        raises = pytest.raises(ConfigError, match=match)
        with watch.nothing_happens(), raises as caught:
            read(path)
        assert time.process_time() - start < 20
        assert str(tmp_path) in str(caught.value)
        assert len(str(caught.value)) < 1500

    return read_refused

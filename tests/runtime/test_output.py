"""Standard streams that cannot be written."""

import io
import subprocess
import sys

import pytest

from jaxseg.runtime.output import UnfailingStream, unfailing_output

PROGRAM = """
import sys
from jaxseg.runtime.output import say, unfailing_output
with unfailing_output():
    for i in range(3000):
        print("out", i, flush=i % 100 == 0)
        print("err", i, file=sys.stderr)
    print("no flush")
    say("last words")
    with open(sys.argv[1], "w") as file:
        print(file.fileno(), sys.stdout.isatty(), file=file)
"""


@pytest.mark.parametrize(
    "redirection",
    [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", ">&- 2>&- <&-"],
)
def test_a_stream_that_cannot_be_written_ends_nothing(tmp_path, redirection):
    program = f'"$1" -W error -c "$2" "$3" {redirection}'
    done = subprocess.run(
        ["bash", "-c", program, "bash", sys.executable, PROGRAM, tmp_path / "done"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    number, _ = (tmp_path / "done").read_text().split()
    assert int(number) > 2  # it did not get the number of a closed stream
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    # The other stream says so, once.
    lost = "stderr" if redirection.startswith("2>/dev") else "stdout"
    told = f"{lost} could not be written: [Errno 28] No space left on device"
    assert (done.stdout + done.stderr).count(told) == (
        redirection in (">/dev/full", "2>/dev/full")
    )


def test_a_reader_that_has_gone_ends_nothing(tmp_path):
    program = '"$1" -W error -c "$2" "$3" | head -n 1; echo "code ${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", program, "bash", sys.executable, PROGRAM, tmp_path / "done"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "out 0\ncode 0\n"
    assert (tmp_path / "done").exists()
    assert "written" not in done.stderr


def test_what_can_be_written_is(capsys):
    before = sys.stdout, sys.stderr
    with unfailing_output():
        print("one")
        print("two", file=sys.stderr)
        sys.stdout.writelines(["three\n", "four\n"])
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("one\nthree\nfour\n", "two\n")


def test_only_errors_of_the_system_pass():
    class Closed(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    stream = UnfailingStream(Closed())
    assert stream.write("lost") == 4
    assert stream.error.errno == 5
    with pytest.raises(TypeError):
        UnfailingStream(io.StringIO()).write(3)

"""What every command does around its work: messages, errors, exit codes."""

import logging

import pytest
from absl import flags

from input_pipeline.errors import DataError, WorkerError
from jaxseg.command_line import command
from jaxseg.config import ConfigError
from jaxseg.errors import JaxsegError


def run(function, *args):
    return command(function)(*args)


def fail(error):
    raise error


def test_the_exit_code_is_what_the_function_returns():
    assert run(lambda: 3) == 3
    assert run(lambda: None) == 0
    assert run(lambda code: code, 2) == 2


@pytest.mark.parametrize("kind", [JaxsegError, ConfigError, DataError, WorkerError])
def test_what_a_user_can_mend_is_one_sentence(capsys, kind):
    error = kind("a.py: model is 3, it takes a dict")
    error.add_note("in train_dataloader, sample 7")
    error.add_note("some other library's note")
    assert run(fail, error) == 1
    expected = "error: a.py: model is 3, it takes a dict\nin train_dataloader, sample 7"
    assert capsys.readouterr() == ("", expected + "\n")
    assert run(fail, flags.Error("--x is missing")) == 1


@pytest.mark.parametrize("kind", [ValueError, TypeError, FileNotFoundError, KeyError])
def test_a_mistake_in_code_keeps_its_traceback(kind):
    with pytest.raises(kind, match="in my head"):
        run(fail, kind("in my head"))


def test_ctrl_c_is_no_traceback(capsys):
    assert run(fail, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_messages_go_to_stderr_and_warnings_are_named(capsys):
    log = logging.getLogger("jaxseg")
    before = log.handlers[:], log.level, log.propagate

    def speak():
        log.info("train: 12 samples")
        log.warning("no scores")
        log.debug("unseen")

    run(speak)
    assert capsys.readouterr() == ("", "train: 12 samples\nWARNING: no scores\n")
    assert (log.handlers[:], log.level, log.propagate) == before

import sys

import pytest

from jaxseg.resolve import resolve
from scripts.benchmark import head_memory

# Answers as scripts/benchmark/torch_side/head_memory.py does.
STAND_IN = """
import ast, json
job = ast.literal_eval(input())
assert job["shape"] == (2, 8, 8, 16), job
print(json.dumps(dict(bytes={name: 3 << 20 for name in job["heads"]})), flush=True)
"""


def test_every_head_is_as_its_config_says():
    for name, config in head_memory.head_configs(tuple(head_memory.HEADS), 16).items():
        head = resolve(config, "head")
        assert (type(head).__name__, head.in_channels) == (name, 16)


def test_what_a_pass_holds_is_at_least_its_gradients():
    (config,) = head_memory.head_configs(("CCHead",), 16).values()
    shape = (2, 8, 8, 16)
    held = head_memory.our_bytes(config, shape)
    parameters = 2 * 16 * 16 * 9  # of the two 3x3 convolutions alone
    assert 4 * (parameters + 2 * 8 * 8 * 16) < held < 4 << 20


def test_a_table_of_both(tmp_path, monkeypatch, capsys):
    path = tmp_path / "stand_in.py"
    path.write_text(STAND_IN)
    monkeypatch.setattr(head_memory, "_OTHER_SIDE", path)
    monkeypatch.setattr(head_memory, "our_bytes", lambda config, shape: 2 << 20)
    shape = ["--size", "8,8", "--channels", "16", "--heads", "CCHead", "NLHead"]
    assert head_memory.main([*shape, "--torch-python", sys.executable]) == 0
    head, _, *rows = capsys.readouterr().out.splitlines()
    assert head == "| 2 x 8 x 8 x 16 | ours, MiB | mmseg's, MiB |"
    assert rows == ["| CCHead | 2 | 3 |", "| NLHead | 2 | 3 |"]


def test_an_unknown_head_is_refused(capsys):
    with pytest.raises(SystemExit):
        head_memory.main(["--heads", "PSPHead"])
    assert "invalid choice: 'PSPHead'" in capsys.readouterr().err

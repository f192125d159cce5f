import pathlib
import subprocess
import sys

from jaxseg.weights.files.weights_file import read_weights

ROOT = pathlib.Path(__file__).parents[2]
CONFIG, FILE = (ROOT / "tests" / "inference" / f"mmseg_unet.{s}" for s in ("py", "pth"))


def convert(*arguments):
    return subprocess.run(
        [sys.executable, "scripts/convert_checkpoint.py", *map(str, arguments)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_there_and_back(tmp_path):
    ours, back = tmp_path / "ours", tmp_path / "back.pth"
    result = convert("--config", CONFIG, "--src", FILE, "--dst", ours)
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{ours}: 40 entries, step 40000\n"
    result = convert("--to-mmseg", "--src", ours, "--dst", back)
    assert result.returncode == 0, result.stderr
    theirs = read_weights(FILE).state_dict
    for key, array in read_weights(back).state_dict.items():
        assert array.tobytes() == theirs[key].tobytes()
    result = convert("--to-mmseg", "--src", ours, "--dst", back)
    assert result.returncode == 1
    assert result.stderr == f"error: {back} is there; --overwrite replaces it\n"
    result = convert("--to-mmseg", "--src", ours, "--dst", back, "--overwrite")
    assert result.returncode == 0, result.stderr


def test_what_is_wrong_is_said_in_a_sentence(tmp_path):
    result = convert("--src", FILE, "--dst", tmp_path / "ours")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        f"error: {FILE} holds weights and no config of jaxseg's: give a config"
    )
    result = convert("--src", FILE, "--dst", tmp_path / "a.pth")
    assert result.returncode == 2
    assert "--to-mmseg and a --dst ending in .pth belong together" in result.stderr

"""Layout of checkpoints: the names of their directories and files.

    WORKDIR/checkpoints/<step>/state/...                 the arrays (OCDBT)
                               manifest/manifest.json    shapes, checksums, config
                               commit_success.txt        written last

A directory without its `commit_success.txt` is not a checkpoint, so a process may be
killed at any moment.
"""

from pathlib import Path

FOLDER = "checkpoints"
COMMIT_FILE = "commit_success.txt"
STATE = "state"


def is_finished(step_dir: Path) -> bool:
    """Whether a step directory is a checkpoint: it was written to its end."""
    return (step_dir / COMMIT_FILE).is_file()


def step_dirs(directory: Path, *, finished: bool) -> list[Path]:
    """Returns the step directories, oldest first, that are finished, or are not."""
    if not directory.is_dir():
        return []
    numbered = [p for p in directory.iterdir() if p.name.isdecimal() and p.is_dir()]
    numbered.sort(key=lambda p: int(p.name))
    return [p for p in numbered if is_finished(p) == finished]


def steps_folder(path: Path) -> Path:
    """The folder of the steps: of a work directory, or the path itself."""
    folder = path / FOLDER
    return folder if folder.is_dir() else path


def run_of(path: str | Path) -> Path | None:
    """The work directory that a checkpoint belongs to; None where it is no run's.

    Args:
        path: A workdir, `WORKDIR:best`, its `checkpoints` directory or one step of it.
    """
    path = Path(str(path).removesuffix(":best")).expanduser()
    if (path / FOLDER).is_dir():
        return path
    for folder in (path, path.parent):
        if folder.name == FOLDER and path.is_dir():
            return folder.parent
    return None

"""Wheels brought along: unpacked into a folder that Python imports from."""

import pathlib
import zipfile


def unpack_wheels(source: pathlib.Path, target: pathlib.Path) -> dict[str, int]:
    """Unpacks every wheel of a folder, without what their packages need.

    Args:
        source: holds `*.whl`.
        target: for PYTHONPATH.

    Returns:
        Bytes of each wheel, by its file name.

    Raises:
        FileNotFoundError: if there is none.
    """
    wheels = sorted(source.glob("*.whl"))
    if not wheels:
        raise FileNotFoundError(f"{source} holds no *.whl")
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    return {wheel.name: wheel.stat().st_size for wheel in wheels}

"""Wheels brought along: unpacked into a folder that Python imports from."""

import pathlib
import re
import sys
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
        ValueError: if one is for another Python than this.
    """
    wheels = sorted(source.glob("*.whl"))
    if not wheels:
        raise FileNotFoundError(f"{source} holds no *.whl")
    this = f"cp{sys.version_info.major}{sys.version_info.minor}"
    for wheel in wheels:
        # NAME-VERSION-PYTHON-ABI-PLATFORM.whl; abi3 fits later Pythons too.
        python, abi = wheel.stem.split("-")[-3:-1]
        if re.fullmatch(r"cp\d+", python) and abi != "abi3" and python != this:
            raise ValueError(f"{wheel} is for {python}, and this Python is {this}")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
    return {wheel.name: wheel.stat().st_size for wheel in wheels}

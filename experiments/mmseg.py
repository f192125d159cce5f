"""An unmodified config of MMSegmentation, 0.x or 1.x.

    python -m jaxseg.main --config experiments/mmseg.py:PATH/TO/THE/CONFIG.py

What jaxseg does not have yet is named, all of it at once; what has no effect is logged.
`--config PATH/TO/THE/CONFIG.py` alone does the same. The file is read as data: nothing
in it is executed.
"""

from typing import Any

from jaxseg.load_config import import_mmseg_config


def get_config(path: str) -> dict[str, Any]:
    return import_mmseg_config(path)

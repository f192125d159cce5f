"""Writes expected.json: what mmengine makes of the configs beside it.

Needs mmengine (0.10.7 made the stored file), which the tests do not:

    python tests/mmseg_config/reader/make_expected.py
"""

import json
import pathlib

HERE = pathlib.Path(__file__).parent


def encode(value):
    """JSON that keeps tuples, sets, keys of any type, and the order of keys."""
    if isinstance(value, dict):
        return {"dict": [[encode(k), encode(v)] for k, v in value.items()]}
    if isinstance(value, (tuple, set)):
        values = sorted(value) if isinstance(value, set) else value
        return {type(value).__name__: [encode(v) for v in values]}
    if isinstance(value, list):
        return [encode(v) for v in value]
    return value


def main():
    from mmengine import Config

    result = {}
    for path in sorted((HERE / "configs").glob("*")):
        if path.is_file():
            config = Config.fromfile(path, import_custom_modules=False).to_dict()
            result[path.name] = encode(config)
    lines = [f"{json.dumps(name)}: {json.dumps(c)}" for name, c in result.items()]
    (HERE / "expected.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()

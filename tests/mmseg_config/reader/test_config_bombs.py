"""Configs that ask for more time or memory than there is: each is refused soon."""

import os
import subprocess
import sys
import time

import pytest

from jaxseg.mmseg_config.reader.inherit import read

BOMBS = {
    "power": ("x = 10**10**10", "an integer of more than 1024 bits"),
    "power_of_powers": ("x = 2\nfor i in range(99):\n    x **= 9", "more than 1024"),
    "shift": ("x = 1 << 10**9", "an integer of more than 1024 bits"),
    "product": ("x = 3\nfor i in range(99):\n    x *= x", "more than 1024 bits"),
    "digits": ("x = " + "9" * 5000, "no valid Python"),
    "hexadecimal": ("x = 0x" + "f" * 5000, "more than 1024 bits"),
    "int_of_text": ("x = int('9' * 90000)", "Exceeds the limit"),
    "float_power": ("x = 10.0 ** 1000", "out of range"),
    "round": ("x = round(1, -10**9)", "more than 100 digits"),
    "text": ("x = 'a' * 10**9", "a str of more than 100,000"),
    "text_reversed": ("x = 10**9 * 'a'", "a str of more than 100,000"),
    "list": ("x = [0] * 10**9", "a list of more than 10,000"),
    "tuple": ("x = (0,) * 10**9", "a tuple of more than 10,000"),
    "repeat_in_place": ("x = [0]\nx *= 10**9", "a list of more than 10,000"),
    "doubling": ("x = [0]\nfor i in range(99):\n    x += x", "more than 10,000"),
    "extend": ("x = [0]\nfor i in range(99):\n    x.extend(x)", "more than 10,000"),
    "many_texts": ("x = ['a' * 99999 for i in range(9999)]", "2,000,000 steps"),
    "many_lists": ("x = [[0] * 9999 for i in range(9999)]", "2,000,000 steps"),
    "many_pieces": ("x = ['a' * 9999]\nx = [x[0][1:] for i in range(9999)]", "steps"),
    "many_joined": ("x = [','.join('a' * 9999) for i in range(9999)]", "steps"),
    "many_formatted": ("x = [f'{0:>99}' * 99 for i in range(9999)]", "steps"),
    "star": ("x = [0]\nfor i in range(99):\n    x = [*x, *x]", "more than 10,000"),
    "star_arguments": ("x = max(*range(10**9))", "a range of more than"),
    "star_names": ("a, *b = range(10**9)", "a range of more than"),
    "range": ("x = list(range(10**9))", "a range of more than 10,000"),
    "long_range": ("x = len(range(10**30))", "a range of more than"),
    "range_as_value": ("x = range(10**30)", "a range of more than 10,000"),
    "search_in_range": ("x = 0.5 in range(10**12)", "a range of more than"),
    "loop": ("for i in range(10**9):\n    pass", "a range of more than"),
    "loops": (
        "for i in range(9999):\n  for j in range(9999):\n    pass",
        "more than 2,000,000 steps",
    ),
    "while": ("while True:\n    pass", "a `while` loop is not read"),
    "comprehension": ("x = [i for i in range(10**9)]", "a range of more than"),
    "comprehensions": (
        "x = [a for a in range(999) for b in range(999) for c in range(999)]",
        "a list of more than 10,000",
    ),
    "empty_comprehensions": (
        "x = [a for a in range(9999) for b in range(9999) if b < 0]",
        "more than 2,000,000 steps",
    ),
    "dict_comprehension": ("x = {i: i for i in range(10**5)}", "a range of more than"),
    "hash_collisions": (
        "x = [{i * (2**61 - 1): 0 for i in range(999)} for j in range(9999)]",
        "more than 2,000,000 steps",
    ),
    **{
        f"hash_collisions_{name}": (
            f"a = [i * (2**61 - 1) for i in range(9999)]\n{text}",
            "more than 2,000,000 steps",
        )
        for name, text in {
            "set": "for k in range(95):\n    b = set(a)",
            "set_of_tuples": "for k in range(95):\n    b = set([(x,) for x in a])",
            "zip": "for k in range(95):\n    b = dict(zip(a, a))",
            "add": "b = set()\nfor x in a:\n    b.add(x)",
            "update": "b = {}\nfor k in range(95):\n    b.update(zip(a, a))",
            "lookup": (
                "b = {x: 0 for x in a[:1000]}\nfor i in a:\n  for j in a:\n    b[a[999]]"
            ),
        }.items()
    },
    "sums_of_lists": (
        "a = [[0] * 49 for i in range(9990)]\nfor k in range(9):\n    b = sum(a, [])",
        "a list of more than 10,000",
    ),
    "sums_of_tuples": (
        "a = [(0,) * 49 for i in range(9990)]\nfor k in range(9):\n    b = sum(a, ())",
        "a tuple of more than 10,000",
    ),
    "sum_of_lists": ("x = sum([[0] * 9999] * 9999, [])", "more than 500,000 parts"),
    "shared_lists": (
        "x = [0] * 99\nfor i in range(30):\n    x = [x] * 99",
        "more than 500,000 parts",
    ),
    "shared_text": (
        "x = [0]\nfor i in range(50):\n    x = [x, x]\ny = str(x)",
        "parts",
    ),
    "shared_key": ("x = 0,\nfor i in range(50):\n    x = (x, x)\ny = {x: 1}", "parts"),
    "shared_equal": (
        "x = y = [0]\nfor i in range(50):\n    x, y = [x, x], [y, y]\nz = x == y",
        "parts",
    ),
    "shared_in_base": (
        "x = [0]\nfor i in range(50):\n    x = [x, x]\n_base_.x = x",
        "parts",
    ),
    "base_in_itself": ("_base_.x = _base_", "more than 60 lists and dicts"),
    "list_in_itself": ("x = []\nx.append(x)", "more than 60 lists and dicts|parts"),
    "dict_in_itself": ("x = {}\nx['x'] = x", "more than 60 lists and dicts"),
    "deep_data": ("x = []\nfor i in range(9999):\n    x = [x]", "more than 60"),
    "format_width": ("x = '{:>999999999}'.format(1)", "a format wider than 100"),
    "format_precision": ("x = '{:.999999999f}'.format(1.0)", "wider than 100"),
    "format_percent_sign": ("x = '{:.999999999%}'.format(1.0)", "wider than 100"),
    "text_width": ("x = f'{1:>999999999}'", "wider than 100"),
    "text_width_computed": ("x = f'{1:>{9 * 10**8}}'", "wider than 100"),
    "percent_width": ("x = '%999999999d' % 1", "wider than 100"),
    "percent_precision": ("x = '%.999999999f' % 1.0", "wider than 100"),
    "percent_key_width": ("x = '%(a)-999999999d' % dict(a=1)", "wider than 100"),
    "percent_star": ("x = '%*d' % (999999999, 1)", r"a `\*` in a %-format"),
    "percent_in_place": ("x = '%999999999d'\nx %= 1", "wider than 100"),
    "percent_many": ("x = '%(a)s' * 9999 % dict(a='b' * 99999)", "more than 100,000"),
    "format_many": ("x = ('{0}' * 9999).format('b' * 99999)", "more than 100,000"),
    "join": ("x = ('a' * 9999).join('b' * 9999)", "a text of more than 100,000"),
    "replace": ("x = ('a' * 9999).replace('a', 'b' * 9999)", "more than 100,000"),
    "replace_nothing": ("x = ('a' * 9999).replace('', 'b' * 9999)", "more than 100,"),
    "split": ("x = ('a ' * 20000).split()", "a list of more than 10,000"),
    "placeholders": (
        "_base_.a = 'b' * 99999\nx = '" + "{{_base_.a}}" * 9999 + "'",
        "a text of more than 100,000",
    ),
    "pad": ("x = 'a'.ljust(10**9)", r"method .ljust\(\)"),
    "brackets": ("x = " + "[" * 5000 + "]" * 5000, "a.py"),
    "brackets_fewer": ("x = " + "[" * 150 + "]" * 150, "a.py:1: more than 100"),
    "signs": ("x = " + "-" * 50_000 + "1", "a.py"),
    "nots": ("x = " + "not " * 50_000 + "1", "a.py"),
    "powers": ("x = " + "1**" * 50_000 + "1", "a.py"),
    "sums": ("x = " + "1+" * 500 + "1", "more than 100 expressions"),
    "attributes": ("x = a" + ".b" * 50_000, "a.py"),
    "calls": ("x = " + "dict(a=" * 180 + "1" + ")" * 180, "more than 100 expr"),
    "elifs": ("if 0: pass\n" + "elif 0: pass\n" * 5000, "a.py"),
    "conditionals": ("x = " + "1 if 0 else " * 5000 + "1", "a.py"),
    "texts_in_texts": ("x = " + "f'{" * 50 + "1" + "}'" * 50, "a.py"),
    "indents": ("".join(" " * i + "if 1:\n" for i in range(200)), "a.py"),
    "many_statements": ("x=1\n" * 65_000 + "y", "the name 'y' is not defined"),
    "many_items": ("x = [" + "1," * 130_000 + "]", "a list of more than 10,000"),
    "large_file": ("#" * (1 << 20) + "\nx = 1", "larger than 262,144 bytes"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(refused, name):
    refused(*BOMBS[name])


def test_many_variables_are_read_soon(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("\n".join(f"a{i}=1" for i in range(25_000)))
    start = time.process_time()
    assert len(read(path)) == 25_000
    assert time.process_time() - start < 20


def test_numbers_may_be_keys(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("x = {i: i // 2 for i in range(999)}\ny = sum([[1], [2]], [0])")
    assert read(path) == {"x": {i: i // 2 for i in range(999)}, "y": [0, 1, 2]}


def test_bombs_fit_into_little_memory(tmp_path):
    program = (
        "import resource, sys\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from jaxseg.config import ConfigError\n"
        "from jaxseg.mmseg_config.reader.inherit import read\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))\n"
        "for path in sys.argv[2:]:\n"
        "    try: read(path)\n"
        "    except ConfigError as error: assert 'MemoryError' not in str(error)\n"
        "    else: raise SystemExit(path + ' was read')\n"
        "print('all refused')\n"
    )
    for name, (text, _) in BOMBS.items():
        (tmp_path / f"{name}.py").write_text(text)
    result = subprocess.run(
        [sys.executable, "-c", program, os.getcwd(), *tmp_path.glob("*.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.stdout == "all refused\n", result.stderr


def test_files_share_one_budget(refused, tmp_path):
    for i in range(50):
        (tmp_path / f"{i}.py").write_text("for i in range(9999):\n    i *= 1\ndel i")
    bases = [f"{i}.py" for i in range(50)]
    refused(f"_base_ = {bases}", "more than 2,000,000 steps")

"""One text as data: what its expressions mean, and where an error is reported."""

import pytest

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.base_dict import to_base
from jaxseg.mmseg_config.reader.limits import Budget
from jaxseg.mmseg_config.reader.literal import Text


def evaluate(text, base=None):
    return Text(text, "a.py").evaluate(to_base(base or {}), Budget(), None)


@pytest.mark.parametrize(
    "expression, value",
    [
        ("[x for x in (3, 1, 2) if x != 1 if x < 3]", [2]),
        ("{k: v for k, v in dict(a=1).items()}", {"a": 1}),
        ("sorted(x for x in 'cab')", ["a", "b", "c"]),
        ("[[y * x for y in range(x)] for x in range(4)]", [[], [0], [0, 2], [0, 3, 6]]),
        ("[x for x in [1, 2] for x in [x, 10 * x]]", [1, 10, 2, 20]),
        ("1 if 2 > 3 else 4 or 5", 4),
        ("0 and undefined", 0),
        ("1 < 2 < 2", False),
        ("[*range(3), *'ab', *{'k': 0}]", [0, 1, 2, "a", "b", "k"]),
        ("{**dict(a=1), 'a': 2, **{'b': 3}}", {"a": 2, "b": 3}),
        ("dict([('a', 1)], **dict(b=2))", {"a": 1, "b": 2}),
        ("dict(zip('ab', enumerate((5, 6), start=1)))", {"a": (1, 5), "b": (2, 6)}),
        ("[1, 2, 3, 4][1:-1][::-1]", [3, 2]),
        ("range(10)[2:5]", range(2, 5)),
        ("'%5.2f|%-4s|%%' % (2.345, 'a')", " 2.35|a   |%"),
        ("'{:>6}|{:,}|{:.1%}'.format('a', 12345, 0.5)", "     a|12,345|50.0%"),
        ("'{b}{a}{{}}'.format(**dict(a=1, b=[2]))", "[2]1{}"),
        ('f\'{1 + 1:03d}{"x"!r}{3.14159:{".2f"}}\'', "002'x'3.14"),
        ("-2 ** 2 // 3 % 5 + (7 >> 1 ^ 2)", 4),
        ("{1, 2} | {3}", {1, 2, 3}),
        ("dict(a=1) | dict(b=2)", {"a": 1, "b": 2}),
        ("[1, 2] < [1, 3] and (1,) == (1.0,)", True),
        ("sum([[1], [2, 3]], [])", [1, 2, 3]),
        ("max(range(3), default=0), min('b', 'a'), round(2.567, 1)", (2, "a", 2.6)),
        ("'a,b'.split(',', 1)[-1].join(['x', 'y']).strip('x')", "by"),
        ("[1, 2, 1].count(1), (1, 2).index(2), 'abc'.find('c')", (2, 1, 2)),
    ],
)
def test_expressions_mean_what_python_means(expression, value):
    # The values are Python's own.
    found = evaluate(f"x = {expression}")["x"]
    assert found == value
    assert type(found) is type(value)


def test_names_of_a_comprehension_stay_in_it():
    assert evaluate("x = 1\ny = [x for x in [5]]\nz = x") == dict(x=1, y=[5], z=1)


def test_names_of_a_loop_stay_as_in_python():
    text = "for i, (a, *b) in enumerate([(1, 2, 3)]):\n    pass"
    assert evaluate(text) == dict(i=0, a=1, b=[2, 3])


def test_a_loop_goes_through_the_list_that_was():
    text = "x = [1, 2]\nfor v in x:\n    x.append(v)"
    assert evaluate(text)["x"] == [1, 2, 1, 2]


def test_a_dict_of_base_copies_what_is_put_in():
    text = "a = [1]\n_base_.x = dict(a=a)\na.append(2)\nb = _base_.x.a"
    base = to_base({})
    assert Text(text, "a.py").evaluate(base, Budget(), None) == dict(a=[1, 2], b=[1])
    assert base == {"x": {"a": [1]}}


def test_bases_are_evaluated_alone():
    text = Text("x = 1\n_base_ = ['a' + '.py'] + ['b.py']", "a.py")
    assert text.bases(Budget()) == (["a.py", "b.py"], 2)
    assert Text("x = 1", "a.py").bases(Budget()) == ([], 0)
    with pytest.raises(ConfigError, match="a.py:2: the name 'x' is not defined"):
        Text("x = 'b.py'\n_base_ = x", "a.py").bases(Budget())


@pytest.mark.parametrize(
    "text, match",
    [
        ("x = [\n  1,\n  1 / 0]", "a.py:3: division by zero"),
        ("x = dict(\n  a=undefined)", "a.py:2: the name 'undefined' is not defined; a"),
        ("x = dict(a=1)['b']", "a.py:1: there is no 'b'"),
        ("x = [1][3]", "a.py:1: list index out of range"),
        ("x = 'a' + 1", "a.py:1: can only concatenate str"),
        ("x = (", "a.py:1: no valid Python: '\\(' was never closed"),
        ("x = dict(a=1)\ny = x.a", "a.py:2: the attribute .a of a dict is not read"),
        ("x = _base_.model", "the bases have no 'model'"),
        ("x = _base_.update", r"write \['update'\] for a key"),
        ("x = {{ _base_.a.b }}", "{{ _base_.a.b }}: the bases have no 'a'"),
        ("x = {{ fileBasename }}", "it stands inside quotes"),
        ("x = {{_base_.a}}b", "glued to a name"),
        ("x = '{{ fileDirname }}'", "comes from no file"),
        ("x = {{'$NOT_SET:x'}}", "is 'x', no Python data; a text stands inside quotes"),
        ("x = len", "the function len is no data"),
        ("x = map(len, [])", r"the call map\(\) is not read; allowed: abs, all"),
        (
            "x = 'a'.encode()",
            r"method .encode\(\) of a str is not read; allowed: count",
        ),
        ("x = (5).to_bytes(1, 'big')", "method .to_bytes.* allowed: none"),
        ("dict = 5\nx = dict(a=1)", "dict is data here and cannot be called"),
        ("x = dict(a=1, **dict(a=2))", "argument 'a' is given twice"),
        ("x = [1]\nx[0:0] = [2]", "only an item of a list or a key"),
        ("x, y = 1, 2, 3", "3 values for 2 names"),
        ("x = b'a'", "b'a' is no data of a config"),
        ("x = 1j", "1j is no data of a config"),
        ("x = ...", "Ellipsis is no data of a config"),
        ("x = (-1) ** 0.5", "the result is a complex"),
        ("x = ~5", "the operator Invert is not read"),
        ("x = [1] @ [2]", "the operator MatMult is not read"),
        ("x = _base_ | dict(a=1)", "a dict of `_base_` is no operand"),
        ("del x", "it is not defined"),
        ("_base_ = 'a.py'\n_base_ = 'b.py'", "a.py:2: `_base_` is set once"),
        ("x = _base_ = 'b.py'", "a.py:1: `_base_` is set once"),
        ("for x in []:\n  pass\nelse:\n  pass", "an `else` of a loop"),
        ("for x in 5:\n  pass", "a value of type int has no elements"),
        ("[].x = 1", "the attribute .x of a list"),
        ("5 .x = 1", "the attribute .x of a int"),
        ("x = [0]\nx[x.pop()] += 1", "a call left of an augmented"),
    ],
)
def test_errors_name_file_line_and_construct(text, match):
    with pytest.raises(ConfigError, match=match):
        evaluate(text)


def test_warnings_of_the_text_are_not_ours():
    # An invalid escape; under -W error it would be a SyntaxError.
    assert evaluate(r"x = '\d'") == {"x": r"\d"}


def test_a_marker_of_the_text_is_not_taken_for_a_placeholder():
    text = "placeholder0x0x = 5\nx = 'placeholder1x0x'\ny = {{_base_.a}}"
    assert evaluate(text, {"a": 7}) == {
        "placeholder0x0x": 5,
        "x": "placeholder1x0x",
        "y": 7,
    }

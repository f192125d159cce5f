"""Literals: the text of one config file as data, parsed and evaluated, never executed.

A config is a Python file, and mmengine runs it. What configs do with Python is little:
assignments, dict(...), arithmetic, comprehensions. That little is evaluated here, on
the syntax tree, with no way to a module, a class, a function or a file.
"""

import ast
import warnings
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.base_dict import BaseDict, Variables, to_base
from jaxseg.mmseg_config.reader.expressions import Expressions
from jaxseg.mmseg_config.reader.imports import bases_of_with, take
from jaxseg.mmseg_config.reader.limits import MAX_NESTING, Budget, checked
from jaxseg.mmseg_config.reader.operators import binary
from jaxseg.mmseg_config.reader.placeholders import Placeholders
from jaxseg.mmseg_config.reader.targets import assign, place


class Text:
    """The text of one config file, parsed.

    Attributes:
        name: the file, as messages name it.
        modules: after `evaluate`, the user's own modules that it imports types from.
        read, read_of_base: after it, the variables of the file, and of its bases, whose
            last value an expression has read.
    """

    def __init__(self, text: str, name: str, path: str | None = None):
        """Parses a text.

        Args:
            text: Python source.
            name: what messages call it.
            path: the absolute path of the file, for `{{ fileDirname }}`.

        Raises:
            ConfigError: if it is no Python, or nested too deeply.
        """
        self.name = name
        self.modules: list[str] = []
        self.read: set[str] = set()
        self.read_of_base: set[str] = set()
        try:
            self._placeholders = Placeholders(text, path)
            with warnings.catch_warnings():
                # Python's own of the text, such as for '\d'.
                warnings.simplefilter("ignore")
                self._body = ast.parse(self._placeholders.text, name).body
        except SyntaxError as error:
            raise ConfigError(
                f"{name}:{error.lineno or 1}: no valid Python: {error.msg}"
            ) from error
        except (RecursionError, MemoryError) as error:
            raise ConfigError(
                f"{name}: more expressions inside each other than Python can parse"
            ) from error
        except ValueError as error:
            # Of a placeholder, or for a null byte.
            raise ConfigError(f"{name}: {error}") from error
        _check_nesting(self._body, name)
        self._base = next((s for s in self._body if _is_base(s)), None)

    def bases(self, budget: Budget) -> tuple[Any, int]:
        """What `_base_` is set to, and the line; [] at line 0 if it is not set."""
        if self._base is None:
            return [], 0
        evaluator = Expressions(self.name, self._placeholders, {}, budget)
        return evaluator.evaluate(self._base.value), self._base.lineno

    def evaluate(
        self,
        base: BaseDict,
        budget: Budget,
        read_base: Callable[[str, int], Variables] | None,
    ) -> dict[str, Any]:
        """The variables of the file.

        Args:
            base: the variables of its bases, which the text sees as `_base_` and may
                change.
            budget: pays for the work.
            read_base: reads the config of a module, `..models.fcn`, that is named in a
                line, inside `with read_base():`; None of a text that comes from no file.

        Raises:
            ConfigError: for what is no data, with file, line and construct.
        """
        evaluator = _Statements(self.name, self._placeholders, base, budget)
        evaluator.read_base = read_base
        evaluator.run(s for s in self._body if s is not self._base)
        names, self.modules = evaluator.names, evaluator.imports.modules
        self.read, self.read_of_base = evaluator.read, evaluator.read_of_base
        return {key: names[key] for key in names if not key.startswith("__")}

    def line_of(self, key: str) -> int:
        """Where a variable is set: the last plain assignment, or line 1."""
        lines = [
            statement.lineno
            for statement in self._body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name) and target.id == key
        ]
        return lines[-1] if lines else 1


def _is_base(statement):
    return (
        isinstance(statement, ast.Assign)
        and len(statement.targets) == 1
        and isinstance(statement.targets[0], ast.Name)
        and statement.targets[0].id == "_base_"
    )


def _check_nesting(body, name):
    """Keeps the recursion of the evaluation far below Python's limit."""
    stack = [(statement, 0, statement.lineno) for statement in body]
    while stack:
        node, depth, line = stack.pop()
        line = getattr(node, "lineno", line)
        if depth > MAX_NESTING:
            raise ConfigError(
                f"{name}:{line}: more than {MAX_NESTING} expressions inside each other"
            )
        stack.extend((child, depth + 1, line) for child in ast.iter_child_nodes(node))


class _Statements(Expressions):
    """Expressions, and the statements that assign them."""

    read_base: Callable[[str, int], Variables] | None

    def run(self, body: Iterable[ast.stmt]) -> None:
        for statement in body:
            self.guard(statement, self._STATEMENTS, "statement")

    def _expression(self, node):
        self.evaluate(node.value)

    def _assign_all(self, node):
        value = self.evaluate(node.value)
        for target in node.targets:
            assign(self, target, value)

    def _annotated(self, node):
        if node.value is not None:
            assign(self, node.target, self.evaluate(node.value))

    def _augmented(self, node):
        if any(isinstance(child, ast.Call) for child in ast.walk(node.target)):
            raise TypeError("a call left of an augmented assignment is not read")
        value = self.evaluate(node.target)
        if isinstance(value, list) and isinstance(node.op, ast.Add):
            # In place, as in Python: other names of the list see it.
            value.extend(self.iterate(self.evaluate(node.value)))
            checked(value)
        else:
            right = self.evaluate(node.value)
            value = binary(type(node.op), value, right, self.budget)
        assign(self, node.target, value)

    def _if(self, node):
        self.run(node.body if self.evaluate(node.test) else node.orelse)

    def _for(self, node):
        if node.orelse:
            raise TypeError("an `else` of a loop is not read")
        for value in self.iterate(self.evaluate(node.iter)):
            assign(self, node.target, value)
            self.run(node.body)

    def _delete(self, node):
        for target in node.targets:
            if isinstance(target, ast.Name) and target.id in self.names:
                del self.names[target.id]
            elif isinstance(target, (ast.Subscript, ast.Attribute)):
                owner, key = place(self, target)
                del owner[key]
            else:
                raise TypeError(f"`del {ast.unparse(target)}`: it is not defined")

    def _import(self, node):
        if any(self.placeholders.is_inside(alias.name) for alias in node.names):
            raise TypeError("an import statement with a placeholder is not read")
        self.imports.add(node)

    def _with(self, node):
        for statement in bases_of_with(node):
            module = "." * statement.level + statement.module
            if self.read_base is None:
                raise TypeError("`with read_base():` in a text that comes from no file")
            variables = self.read_base(module, statement.lineno)
            config = to_base(dict(variables))
            self.budget.weigh(config)
            taken = take(statement, config)
            self.names.update(taken)
            self.read |= taken.keys() - variables.unread

    def _pass(self, node):
        pass

    _STATEMENTS: ClassVar = {
        ast.Expr: _expression,
        ast.Assign: _assign_all,
        ast.AnnAssign: _annotated,
        ast.AugAssign: _augmented,
        ast.If: _if,
        ast.For: _for,
        ast.Delete: _delete,
        ast.Import: _import,
        ast.ImportFrom: _import,
        ast.With: _with,
        ast.Pass: _pass,
    }

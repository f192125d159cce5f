"""Expressions of a config, evaluated on the syntax tree."""

import ast
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from jaxseg.config import ConfigError
from jaxseg.mmseg_config.reader.base_dict import to_plain
from jaxseg.mmseg_config.reader.calls import FUNCTIONS, call_function, call_method
from jaxseg.mmseg_config.reader.format_text import format_value
from jaxseg.mmseg_config.reader.imports import Imports, type_name
from jaxseg.mmseg_config.reader.limits import Budget, LimitError, checked
from jaxseg.mmseg_config.reader.operators import binary, compare, unary
from jaxseg.mmseg_config.reader.placeholders import Placeholders
from jaxseg.mmseg_config.reader.targets import assign, check_attribute

ALLOWED = (
    "a config is data: values, dict(), list() and other functions of data, arithmetic, "
    "comprehensions, `if` and `for`"
)
# What a reader of the message calls it, where the name of the node does not say it.
_CONSTRUCTS = {
    ast.FunctionDef: "a function definition",
    ast.AsyncFunctionDef: "a function definition",
    ast.ClassDef: "a class definition",
    ast.NamedExpr: "an assignment `:=` inside an expression",
    ast.While: "a `while` loop",
}
_ERRORS = (
    LimitError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


class Expressions:
    """Evaluates expressions of one text.

    Attributes:
        names: the variables so far.
        read: those whose last value an expression has read.
        read_of_base: the variables of `_base_` that one has read.
        imports: the names of types that are not variables.
        placeholders: those of the text.
        budget: pays for the work.
    """

    def __init__(
        self,
        name: str,
        placeholders: Placeholders,
        base: dict[str, Any],
        budget: Budget,
    ):
        """Starts without variables.

        Args:
            name: what messages call the text.
            placeholders: those of the text.
            base: what the text sees as `_base_`.
            budget: pays for the work.
        """
        self.names: dict[str, Any] = {}
        self.read: set[str] = set()
        self.read_of_base: set[str] = set()
        self.imports = Imports()
        self.budget = budget
        self._name = name
        self.placeholders = placeholders
        self._base = base
        # Of the comprehensions that are being evaluated, innermost last.
        self._scopes: list[dict[str, Any]] = []

    @property
    def scope(self) -> dict[str, Any]:
        """Where names are set: the innermost comprehension, or the file."""
        return self._scopes[-1] if self._scopes else self.names

    def evaluate(self, node: ast.expr) -> Any:
        """The value of an expression.

        Raises:
            ConfigError: with file and line, for what is not read, what is too large,
                and what Python itself would refuse.
        """
        return self.guard(node, self._EXPRESSIONS, "expression")

    def guard(self, node: ast.AST, table: dict[type, Callable], kind: str) -> Any:
        """Evaluates a node by the table's entry; errors get the file and the line."""
        try:
            self.budget.charge()
            if type(node) not in table:
                construct = _CONSTRUCTS.get(
                    type(node), f"the {kind} {type(node).__name__}"
                )
                raise TypeError(f"{construct} is not read; {ALLOWED}")
            return table[type(node)](self, node)
        except ConfigError:
            raise
        except _ERRORS as error:
            message = str(error.args[-1]) if error.args else type(error).__name__
            if type(error) is KeyError:
                message = f"there is no {error.args[0]!r}"
            # It may quote the whole data.
            raise ConfigError(f"{self._name}:{node.lineno}: {message[:400]}") from error

    def iterate(self, value: Any) -> Sequence:
        """What a loop or a star goes through."""
        if not isinstance(value, (str, list, tuple, dict, set, range)):
            raise TypeError(f"a value of type {type(value).__name__} has no elements")
        self.budget.charge(len(value))
        return list(value)

    def key(self, node: ast.expr, owner: Any) -> Any:
        """The value of a key; its hash goes through all of it.

        Args:
            node: the expression.
            owner: what the key is set or looked up in.
        """
        key = self.evaluate(node)
        self.budget.weigh(key)
        self.budget.charge_lookup(key, owner)
        return key

    def _constant(self, node):
        if isinstance(node.value, str):
            if not self.placeholders.is_inside(node.value):
                return node.value
            text = self.placeholders.fill(node.value, self._base)
            self.read_of_base |= self.placeholders.of_base
            return self.budget.made(text)
        if not isinstance(node.value, (int, float, type(None))):
            raise TypeError(f"{node.value!r:.40} is no data of a config; {ALLOWED}")
        return checked(node.value)

    def _lookup(self, node):
        for scope in reversed(self._scopes):
            if node.id in scope:
                return scope[node.id]
        if node.id in self.names:
            self.read.add(node.id)
            return self.names[node.id]
        if node.id == "_base_":
            return self._base
        if node.id in self.imports.names:
            return type_name(self.imports.names[node.id])
        if self.placeholders.is_inside(node.id):
            value = self.placeholders.value(node.id, self._base)
            self.read_of_base |= self.placeholders.of_base
            self.budget.weigh(value)
            return to_plain(value)
        if node.id in FUNCTIONS:
            raise TypeError(f"the function {node.id} is no data: it may only be called")
        raise TypeError(f"the name {node.id!r} is not defined; {ALLOWED}")

    def _attribute(self, node):
        root = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and self._is_imported(root.id):
            return type_name(f"{self.imports.names[root.id]}.{node.attr}")
        owner = self.evaluate(node.value)
        check_attribute(owner, node.attr)
        self._note_read(owner, node.attr)
        if node.attr not in owner:
            raise TypeError(f"the bases have no {node.attr!r} there")
        return owner[node.attr]

    def _is_imported(self, name):
        if any(name in scope for scope in (*self._scopes, self.names)):
            return False
        return name in self.imports.names

    def _subscript(self, node):
        owner = self.evaluate(node.value)
        if not isinstance(owner, (str, list, tuple, dict, range)):
            raise TypeError(f"a {type(owner).__name__} has no items")
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            if isinstance(owner, dict):
                raise TypeError("a dict has no slices")
            self.budget.charge(len(owner))
            return owner[slice(*(p and self.evaluate(p) for p in parts))]
        key = self.key(node.slice, owner)
        self._note_read(owner, key)
        return owner[key]

    def _note_read(self, owner, key):
        if owner is self._base:
            self.read_of_base.add(key)

    def _elements(self, nodes):
        """The values of a display or a call, stars unpacked."""
        values = []
        for node in nodes:
            if isinstance(node, ast.Starred):
                values.extend(self.iterate(self.evaluate(node.value)))
            else:
                values.append(self.evaluate(node))
            checked(values)
        return values

    def _list(self, node):
        return self._elements(node.elts)

    def _tuple(self, node):
        return tuple(self._elements(node.elts))

    def _set(self, node):
        return self._as_set(self._elements(node.elts))

    def _as_set(self, values):
        self.budget.weigh(values)
        self.budget.charge_hashes(values)
        return set(values)

    def _dict(self, node):
        result = {}
        for key, value in zip(node.keys, node.values):
            if key is None:
                self._merge_named(result, self.evaluate(value), unique=False)
            else:
                key = self.key(key, result)
                result[key] = self.evaluate(value)
        return checked(result)

    def _merge_named(self, result, named, unique):
        if not isinstance(named, dict):
            raise TypeError(f"** before a {type(named).__name__}; allowed: a dict")
        self.iterate(named)
        twice = [key for key in named if unique and key in result]
        if twice:
            raise TypeError(f"the argument {twice[0]!r} is given twice")
        result.update(named)
        checked(result)

    def _call(self, node):
        function = node.func
        is_method = isinstance(function, ast.Attribute)
        if is_method:
            owner = self.evaluate(function.value)
        elif not isinstance(function, ast.Name) or function.id not in FUNCTIONS:
            raise TypeError(
                f"the call {ast.unparse(function):.60}() is not read; allowed: "
                f"{', '.join(FUNCTIONS)} and methods of data"
            )
        elif any(function.id in s for s in (*self._scopes, self.names)):
            raise TypeError(f"{function.id} is data here and cannot be called")
        values = self._elements(node.args)
        named = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is None:
                self._merge_named(named, value, unique=True)
            elif self.placeholders.is_inside(keyword.arg):
                raise TypeError("a placeholder {{...}} is no name of an argument")
            else:
                self._merge_named(named, {keyword.arg: value}, unique=True)
        if is_method:
            return call_method(owner, function.attr, values, named, self.budget)
        return call_function(function.id, values, named, self.budget)

    def _binary(self, node):
        left, right = self.evaluate(node.left), self.evaluate(node.right)
        return binary(type(node.op), left, right, self.budget)

    def _unary(self, node):
        return unary(type(node.op), self.evaluate(node.operand))

    def _boolean(self, node):
        is_and = isinstance(node.op, ast.And)
        for child in node.values:
            value = self.evaluate(child)
            if bool(value) != is_and:
                break
        return value

    def _compare(self, node):
        left = self.evaluate(node.left)
        for kind, child in zip(node.ops, node.comparators):
            right = self.evaluate(child)
            if not compare(type(kind), left, right, self.budget):
                return False
            left = right
        return True

    def _conditional(self, node):
        return self.evaluate(node.body if self.evaluate(node.test) else node.orelse)

    def _joined(self, node):
        return checked("".join(self.evaluate(part) for part in node.values))

    def _formatted(self, node):
        conversion = None if node.conversion == -1 else chr(node.conversion)
        spec = self.evaluate(node.format_spec) if node.format_spec else ""
        value = self.evaluate(node.value)
        return format_value(value, conversion, spec, self.budget)

    def _comprehension(self, node):
        """A list also of a generator: it is used up in the same expression."""
        result = []
        for _ in self._loops(node.generators):
            result.append(self.evaluate(node.elt))
            checked(result)
        return result

    def _set_comprehension(self, node):
        return self._as_set(self._comprehension(node))

    def _dict_comprehension(self, node):
        result = {}
        for _ in self._loops(node.generators):
            key = self.key(node.key, result)
            result[key] = self.evaluate(node.value)
            checked(result)
        return result

    def _loops(self, generators):
        """Yields once for every element of a comprehension, its names being set."""
        if not generators:
            yield
            return
        first, *rest = generators
        if first.is_async:
            raise TypeError("an asynchronous comprehension is not read")
        values = self.iterate(self.evaluate(first.iter))
        self._scopes.append({})
        for value in values:
            assign(self, first.target, value)
            if all(self.evaluate(condition) for condition in first.ifs):
                yield from self._loops(rest)
        self._scopes.pop()

    _EXPRESSIONS: ClassVar = {
        ast.Attribute: _attribute,
        ast.BinOp: _binary,
        ast.BoolOp: _boolean,
        ast.Call: _call,
        ast.Compare: _compare,
        ast.Constant: _constant,
        ast.Dict: _dict,
        ast.DictComp: _dict_comprehension,
        ast.FormattedValue: _formatted,
        ast.GeneratorExp: _comprehension,
        ast.IfExp: _conditional,
        ast.JoinedStr: _joined,
        ast.List: _list,
        ast.ListComp: _comprehension,
        ast.Name: _lookup,
        ast.Set: _set,
        ast.SetComp: _set_comprehension,
        ast.Subscript: _subscript,
        ast.Tuple: _tuple,
        ast.UnaryOp: _unary,
    }

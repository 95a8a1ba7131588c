"""A small safe evaluator: arithmetic, comparisons, and/or/not over names."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from spiketune.errors import ExpressionError

_MAX_LENGTH: Final = 1000
_MAX_DEPTH: Final = 100  # a compiled level costs three frames of Python's 1000
_LARGEST_EXACT: Final = 2.0**53

Values = Mapping[str, Any]
_Node = Callable[[Values], Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression over named values.

    Names are identifiers or dotted paths (`training.optimizer.learning_rate`); literals are
    numbers, strings, true/false and tuples of them; `in` tests membership; `min`, `max` and
    `abs` are the only calls. Nothing is ever handed to Python's `eval`.
    """

    text: str
    names: frozenset[str]
    _evaluate: _Node = field(repr=False, compare=False)

    def __call__(self, values: Values) -> Any:
        """The expression's value.

        Raises:
            ExpressionError: If a name is missing or an operation fails.
        """
        try:
            return self._evaluate(values)
        except KeyError as error:
            raise ExpressionError(f"'{self.text}': no value for {error.args[0]!r}") from error
        except (ArithmeticError, TypeError, ValueError) as error:
            raise ExpressionError(f"'{self.text}': {error}") from error


@dataclass(frozen=True, slots=True)
class Inequality:
    """`left <= right` or `left >= right`, as a value that is met when <= 0."""

    text: str
    names: frozenset[str]
    _left: Expression = field(repr=False, compare=False)
    _right: Expression = field(repr=False, compare=False)

    def __call__(self, values: Values) -> float:
        """Value minus bound: the amount by which the bound is exceeded.

        Raises:
            ExpressionError: If a name is missing or a side is no number.
        """
        left, right = self._left(values), self._right(values)
        try:
            return float(left) - float(right)
        except (OverflowError, TypeError, ValueError) as error:
            raise ExpressionError(f"'{self.text}': {error}") from error


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: If it is not one, or uses anything beyond the small language.
    """
    return _expression(_tree(text), text)


def parse_inequality(text: str) -> Inequality:
    """Read one comparison with `<=` or `>=`, such as `n_parameters <= 200000`.

    Raises:
        ExpressionError: If it is anything else.
    """
    tree = _tree(text)
    if (
        not isinstance(tree, ast.Compare)
        or len(tree.ops) != 1
        or not isinstance(tree.ops[0], ast.LtE | ast.GtE)
    ):
        raise ExpressionError(
            f"'{text}': a constraint is one comparison with <= or >=, "
            "such as 'n_parameters <= 200000'"
        )
    left, right = (_expression(side, text) for side in (tree.left, tree.comparators[0]))
    if isinstance(tree.ops[0], ast.GtE):
        left, right = right, left
    return Inequality(text, left.names | right.names, left, right)


def _tree(text: str) -> ast.expr:
    if not isinstance(text, str) or not text.strip():
        raise ExpressionError(
            f"an expression is a text such as 'layers * neurons <= 4500', got {text!r}"
        )
    if len(text) > _MAX_LENGTH:
        raise ExpressionError(f"an expression may have {_MAX_LENGTH} characters, got {len(text)}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"'{text}': cannot be read as an expression ({error})") from error
    if _is_deep(tree):
        raise ExpressionError(f"'{text}': nested more than {_MAX_DEPTH} levels deep")
    return tree


def _is_deep(tree: ast.expr) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(_MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _expression(tree: ast.expr, text: str) -> Expression:
    names: set[str] = set()
    evaluate = _compile(tree, text, names)
    return Expression(text, frozenset(names), evaluate)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"arithmetic needs numbers, got {value!r}")
    return value


def _power(base: Any, exponent: Any) -> float | int:
    result = math.pow(base, exponent)  # floats: a huge integer power cannot eat the memory
    whole = isinstance(base, int) and isinstance(exponent, int) and exponent >= 0
    return round(result) if whole and abs(result) < _LARGEST_EXACT else result


_BINARY: Final[dict[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda item, items: item in items,
    ast.NotIn: lambda item, items: item not in items,
}
_CALLS: Final[dict[str, Callable[..., Any]]] = {"min": min, "max": max, "abs": abs}
_WORDS: Final = {"true": True, "false": False, "none": None, "null": None}


def _compile(node: ast.expr, text: str, names: set[str]) -> _Node:
    def child(inner: ast.expr) -> _Node:
        return _compile(inner, text, names)

    match node:
        case ast.Constant(value=bool() | int() | float() | str() | None as constant):
            return lambda values: constant
        case ast.Name(id=word) if word in _WORDS:
            constant = _WORDS[word]
            return lambda values: constant
        case ast.Name() | ast.Attribute():
            return _name(node, text, names)
        case ast.Tuple(elts=items) | ast.List(elts=items):
            parts = [child(item) for item in items]
            return lambda values: tuple(part(values) for part in parts)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _binary(_BINARY[type(op)], child(left), child(right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = child(operand)
            return lambda values: -_number(inner(values))
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            inner = child(operand)
            return lambda values: _number(inner(values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = child(operand)
            return lambda values: not inner(values)
        case ast.BoolOp(op=op, values=operands):
            parts = [child(item) for item in operands]
            combine = all if isinstance(op, ast.And) else any
            return lambda values: combine(part(values) for part in parts)
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(
            type(op) in _COMPARE for op in ops
        ):
            return _comparison([child(left), *map(child, rights)], [_COMPARE[type(o)] for o in ops])
        case ast.Call(func=ast.Name(id=called), args=args, keywords=[]) if (
            called in _CALLS and args
        ):
            return _call(_CALLS[called], [child(argument) for argument in args])
    raise ExpressionError(
        f"'{text}': '{ast.unparse(node)}' is not allowed; use numbers, names, + - * / // % **, "
        "comparisons, in, and/or/not, min, max, abs"
    )


def _name(node: ast.Name | ast.Attribute, text: str, names: set[str]) -> _Node:
    parts: list[str] = []
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        parts.append(inner.attr)
        inner = inner.value
    if not isinstance(inner, ast.Name):
        raise ExpressionError(f"'{text}': '{ast.unparse(node)}' is not a name")
    name = ".".join([inner.id, *reversed(parts)])
    names.add(name)
    return lambda values: values[name]


def _binary(apply: Callable[[Any, Any], Any], left: _Node, right: _Node) -> _Node:
    return lambda values: apply(_number(left(values)), _number(right(values)))


def _comparison(sides: list[_Node], tests: list[Callable[[Any, Any], bool]]) -> _Node:
    def evaluate(values: Values) -> bool:
        seen = [side(values) for side in sides]
        return all(test(a, b) for test, a, b in zip(tests, seen, seen[1:], strict=False))

    return evaluate


def _call(function: Callable[..., Any], arguments: list[_Node]) -> _Node:
    return lambda values: function(*(_number(argument(values)) for argument in arguments))

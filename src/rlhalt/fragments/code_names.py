"""Which names a piece of Python binds, uses and calls, as far as its text tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def own_nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """A statement and what is inside, but not what is inside of functions and classes."""
    yield statement
    if not isinstance(statement, _SCOPES):
        for child in ast.iter_child_nodes(statement):
            yield from own_nodes(child)


def bound(statement: ast.stmt) -> set[str]:
    """The names that a statement binds in the scope where it stands."""
    return {name for one in own_nodes(statement) for name in _bound(one)}


def _bound(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.alias(name=name, asname=other):
            yield other or name.partition(".")[0]


def used(node: ast.AST) -> set[str]:
    """The names that are read anywhere inside."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def called(node: ast.AST) -> set[str]:
    """The names that are called anywhere inside."""
    return {one.func.id for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)}


def assigned(node: ast.AST) -> set[str]:
    """The names that are bound anywhere inside, arguments of functions among them."""
    arguments = {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)}
    return arguments | {name for one in ast.walk(node) for name in _bound(one)}

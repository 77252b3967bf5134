"""Which statement of a program reaches into its interpreter.

A program that runs shares a process with what says where it fails (`code_candidate`), and can say there what it likes.
So where its text handles frames, traces, tracebacks, code or open files, that is not asked: the first statement that
does so is blamed. Whether a program passes is decided in another process, whatever it does here.
"""

from __future__ import annotations

import ast

_MODULES = frozenset(
    [
        "_thread",
        "bdb",
        "builtins",
        "code",
        "ctypes",
        "faulthandler",
        "fcntl",
        "gc",
        "importlib",
        "inspect",
        "io",
        "mmap",
        "multiprocessing",
        "os",
        "pdb",
        "posix",
        "runpy",
        "select",
        "signal",
        "socket",
        "subprocess",
        "threading",
        "trace",
        "traceback",
        "types",
    ]
)
_FUNCTIONS = frozenset(["__import__", "compile", "eval", "exec", "globals", "locals", "open", "vars"])
_ATTRIBUTES = frozenset(
    [
        "_current_frames",
        "_getframe",
        "_os",
        "_sys",
        "__builtins__",
        "__code__",
        "__globals__",
        "__subclasses__",
        "__traceback__",
        "ag_frame",
        "cr_frame",
        "exc_info",
        "f_back",
        "f_builtins",
        "f_code",
        "f_globals",
        "f_lineno",
        "f_locals",
        "gi_frame",
        "modules",
        "setprofile",
        "settrace",
        "tb_frame",
        "tb_next",
        "with_traceback",
    ]
)


def reaching(tree: ast.Module) -> ast.AST | None:
    """The first part of a program that reaches into its interpreter, None where none does."""
    modules = {
        alias.asname or alias.name.partition(".")[0]
        for one in ast.walk(tree)
        if isinstance(one, ast.Import)
        for alias in one.names
        if alias.name.partition(".")[0] in _MODULES
    }
    found = [one for one in ast.walk(tree) if hasattr(one, "lineno") and _reaches(one, _FUNCTIONS | modules)]
    return min(found, key=lambda one: (one.lineno, one.col_offset), default=None)  # type: ignore[attr-defined]


def _reaches(node: ast.AST, names: frozenset[str]) -> bool:
    match node:
        case ast.ImportFrom(module=module, names=aliases):
            return (module or "").partition(".")[0] in _MODULES or any(one.name in _ATTRIBUTES for one in aliases)
        case ast.Name(id=name):
            return name in names
        case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name in _ATTRIBUTES
    return False

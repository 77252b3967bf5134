"""What is wrong in a bad input, and what a command does with it: shared by the tests of bad inputs."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from endless import WALL, must_end
from rlhalt.cli import main

# What stands where a value should, as it is written in a file.
RAW = {
    "NaN": "NaN",
    "infinity": "-Infinity",
    "a number beyond the range": "1e999",
    "a number of 5,000 digits": "9" * 5000,
    "a number of 65 bits": "18446744073709551616",
    "half a surrogate pair": r'"\ud800"',
    "half a surrogate pair inside": r'"so \udfff so"',
    "deep lists": "[" * 5000 + "]" * 5000,
    "deep objects": '{"a":' * 500 + "1" + "}" * 500,
    "null": "null",
    "true": "true",
    "nothing": "",
    "a torn text": '"so',
    "a control character": '"a\x01b"',
}
# What is JSON, but of no type that any field has.
ODD: list[Any] = [True, None, [[]], [{"x": None}], [1], -7.5]

# After which a command that is to refuse its input has not ended.
SECONDS = 60.0

# Of a whole file, whatever should be in it.
FILES: dict[str, bytes] = {
    "zeros": b"\0" * 40,
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "compressed": gzip.compress(b'{"prompt": "Why?"}\n', mtime=0),
    "no UTF-8": b'{"prompt": "\xff\xfe\xfa"}\n',
}
JSON_LINES: dict[str, bytes] = {
    **FILES,
    "empty": b"",
    "blank lines": b"\n \n\r\n",
    "a mark alone": b"\xef\xbb\xbf",
    "a list": b"[1, 2]\n",
    "a number": b"3\n",
    "a number of 5,000 digits": b"9" * 5000 + b"\n",
    "deep": b"[" * 100_000 + b"\n",
    "no fields": b"{}\n",
    "other fields": b'{"nothing": 1}\n',
    "YAML": b"a: 1\n",
}
YAML: dict[str, bytes] = {
    **FILES,
    "empty": b"",
    "a comment": b"# nothing\n",
    "a list": b"- a\n- b\n",
    "a text": b"nothing\n",
    "a number": b"3\n",
    "deep": b"[" * 3000,
    "deep and whole": b"a: " + b"[" * 400 + b"]" * 400 + b"\n",
    "a key twice": b"domain: a\ndomain: b\nmodel: a\nmodel: b\n",
    "a key of another type": b"1: a\n[1, 2]: b\n",
    "an alias to itself": b"model: &a [*a]\n",
    "an alias to nothing": b"model: *a\n",
    "two documents": b"model: a\n---\nmodel: b\n",
    "a tag": b"model: !!python/object/apply:os.getcwd []\n",
    "a bomb": b"a: &a [x, x, x, x, x, x, x, x, x]\n"
    + b"".join(
        f"{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n".encode()
        for before, one in zip("abcdefgh", "bcdefghi", strict=True)
    ),
    "a tab": b"model:\n\t- a\n",
    "a control character": b"model: \x07\n",
}


class Case(NamedTuple):
    """A bad input: what is wrong with it, the command, and what is changed before the command runs."""

    told: str
    argv: list[str]
    change: Callable[[], object] = lambda: None


def write_bytes(path: Path, content: bytes) -> Callable[[], object]:
    """A change: the file has this content."""
    return lambda: path.write_bytes(content)


def broken_files(argv: list[str], path: Path, contents: dict[str, bytes]) -> Iterator[Case]:
    """A file that is something else, or not there."""
    name = path.name
    for told, content in contents.items():
        yield Case(f"{name} is {told}", argv, write_bytes(path, content))
    yield Case(f"{name} is missing", argv, path.unlink)
    yield Case(f"{name} is a folder", argv, lambda: (path.unlink(), path.mkdir()))
    yield Case(f"{name} cannot be read", argv, lambda: (path.unlink(), path.symlink_to("/proc/self/mem")))
    yield Case(f"{name} is a link to nothing", argv, lambda: (path.unlink(), path.symlink_to("/no/such/file")))


def broken_fields(argv: list[str], path: Path, fields: dict[str, list[Any]]) -> Iterator[Case]:
    """The first row of a JSON lines file, or a JSON file, with other values in its fields, or without one of them.

    A name with points leads into nested values: `fragments.0.start`. A value that is a `Raw` stands as it is.
    """
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    whole = path.suffix == ".json"
    text = path.read_text(encoding="utf-8") if whole else first
    for name, values in fields.items():
        for value in values:
            row = json.loads(text)
            *parents, last = [int(one) if one.isdigit() else one for one in name.split(".")]
            inside = row
            for one in parents:
                inside = inside[one]
            if value is MISSING:
                del inside[last]
                told = f"{path.name}: {name} is missing"
            else:
                inside[last] = "RAW VALUE" if isinstance(value, Raw) else value
                told = f"{path.name}: {name} is {str(value)[:30]!r}"
            line = json.dumps(row)
            if isinstance(value, Raw):
                line = line.replace('"RAW VALUE"', value)
            yield Case(told, argv, write_bytes(path, "\n".join([line, *([] if whole else rest)]).encode() + b"\n"))


class Raw(str):
    """A value as it stands in a file."""

    __slots__ = ()


MISSING = object()
NUMBERS: list[Any] = [Raw("NaN"), Raw("9" * 5000), "1", None, [1], True]
TEXTS: list[Any] = [Raw(r'"\ud800"'), 1, None, ["a"], {"a": 1}]


def broken_settings(argv: list[str], path: Path, values: dict[str, list[str]]) -> Iterator[Case]:
    """A YAML file with other values, one at a time; an empty name adds a line of its own."""
    lines = {line.partition(":")[0]: line for line in path.read_text(encoding="utf-8").splitlines() if ": " in line}
    for name, some in values.items():
        for value in some:
            changed = {**lines, name: f"{name}: {value}" if name else value}
            yield Case(
                f"{path.name}: {name} is {value[:30]!r}", argv, write_bytes(path, "\n".join(changed.values()).encode())
            )


def broken_flags(argv: list[str], values: dict[str, list[str]]) -> Iterator[Case]:
    """Values of flags; of a flag that was given, in its place."""
    for flag, some in values.items():
        for value in some:
            if flag in argv:
                place = argv.index(flag)
                changed = [*argv[: place + 1], value, *argv[place + 2 :]]
            else:
                changed = [*argv, f"{flag}={value}"]
            yield Case(f"{flag} is {value[:30]!r}", changed)


def snapshot(folder: Path) -> dict[str, Any]:
    """What lies in a folder, and what is in it."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if "__pycache__" in name:
            continue
        found[name] = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
    return found


def restore(folder: Path, before: dict[str, Any]) -> None:
    """Make a folder what it was when `before` was taken of it."""
    for name, what in reversed(snapshot(folder).items()):
        if before.get(name) != what:
            path = folder / name
            path.rmdir() if what == "folder" else path.unlink()
    there = snapshot(folder)
    for name, what in before.items():
        if name not in there and what == "folder":
            (folder / name).mkdir()
        elif name not in there:
            (folder / name).write_bytes(what)


def ended(argv: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is wrong with how a command ended that was to refuse its input; nothing in `folder` may change."""
    before = snapshot(folder)
    capsys.readouterr()
    try:
        for name in [one for one in sys.modules if one.startswith("rlhalt_domain_")]:
            del sys.modules[name]
        with must_end(SECONDS, WALL):
            code = main(argv)
    except SystemExit as error:
        code = error.code  # type: ignore[assignment]
    except BaseException as error:  # noqa: BLE001 - this is what is looked for
        return [f"traceback {type(error).__name__}: {str(error)[:200]}"]
    said = capsys.readouterr().err.strip()
    # A model that is not there is found out after the files are read: a file that got so far was taken.
    problems = [f"exit {code}"] * (code != 2) + ["taken"] * ("/no/model" in said)
    problems += [f"several lines: {said[:300]!r}"] * ("\n" in said) + ["no line"] * (not said)
    problems += ["a long line"] * (len(said) > 1000)
    after = snapshot(folder)
    problems += [f"changed {one}" for one in {*before, *after} if before.get(one) != after.get(one)]
    return problems


def faults(cases: list[Case], world: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What is wrong with how commands ended; the files are as they were before each of them."""
    kept = snapshot(world)
    found = []
    for case in cases:
        case.change()
        found += [f"{case.argv[0]}: {case.told}: {one}" for one in ended(case.argv, world, capsys)]
        restore(world, kept)
    return found

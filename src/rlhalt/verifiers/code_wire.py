"""What the two sides of a test tell each other: values as JSON, one message after the other through a pipe.

The text of this file stands before `code_candidate` and before `code_driver` where they run, so it imports nothing but
the standard library, and no module that takes long.

Values that are told, each with its type: None, bool, int, float, complex, str, bytes, bytearray, list, tuple, dict,
set, frozenset, range, builtin types, views of a dict, iterators (up to `_ITEMS` items), named tuples, and what `_PARTS`
lists. An instance of another subclass of a builtin arrives as that builtin. Everything else is a `Stranger`.
"""

import builtins
import collections
import contextlib
import importlib
import json
import os
import select
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_LONGEST = 8 << 20  # bytes of a message: the driver must not drown in an answer
_ITEMS = 10_000  # items of an iterator
_SMALL = 1 << 53


class NotPlain(TypeError):
    """A value that cannot be told."""


class Open(BaseException):
    """What the tests do with an answer cannot be done here, so they say nothing of the program."""


class Gone(BaseException):
    """The other side ended, or does not keep to the protocol. No test can catch it by `except Exception`."""


_PLAIN: tuple[type[Any], ...] = (
    *(type(None), bool, int, float, complex, str, bytes, bytearray),
    *(list, tuple, dict, set, frozenset, range),
)


class Stranger:
    """Stands for a value that cannot be told. It is not equal to a builtin; all else that tests do with it is open."""

    touched = False  # whether any was compared, in this process

    def __init__(self, kind: str) -> None:
        self.__dict__["kind"] = kind

    def __eq__(self, other: object) -> bool:
        Stranger.touched = True
        if type(other) in _PLAIN:
            return False
        raise Open(f"an answer is {self!r}")

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<{self.__dict__['kind']}>"

    def __getattr__(self, name: str) -> Any:
        raise Open(f"an answer is {self!r}")

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise Open(f"an answer is {self!r}")

    __bool__ = __len__ = __iter__ = __next__ = __str__ = __format__ = __int__ = __float__ = __index__ = __abs__ = (
        lambda self, *_, **__: Stranger.__getattr__(self, "")
    )
    __call__ = __getitem__ = __setitem__ = __delitem__ = __contains__ = __enter__ = __reversed__ = __round__ = __bool__
    __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __setattr__ = __delattr__ = __bool__
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __bool__
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __and__ = __or__ = __xor__ = __bool__


_SEQUENCES: tuple[type[Any], ...] = (list, tuple, set, frozenset)
_VIEWS: dict[str, type[Any]] = {"keys": type({}.keys()), "values": type({}.values()), "items": type({}.items())}

# What an instance is made of, by the place of its class.
_PARTS: dict[str, Callable[[Any], list[Any]]] = {
    "fractions.Fraction": lambda value: [value.numerator, value.denominator],
    "decimal.Decimal": lambda value: [str(value)],
    "datetime.date": lambda value: [value.year, value.month, value.day],
    "datetime.datetime": lambda value: [value.isoformat()],
    "datetime.time": lambda value: [value.isoformat()],
    "datetime.timedelta": lambda value: [value.days, value.seconds, value.microseconds],
    "uuid.UUID": lambda value: [str(value)],
    "collections.deque": lambda value: [list(value), value.maxlen],
    "collections.Counter": lambda value: [dict(value)],
    "collections.OrderedDict": lambda value: [list(value.items())],
}
_MAKERS = {"datetime.datetime": "fromisoformat", "datetime.time": "fromisoformat"}


def encode(value: object, strangers: bool = False) -> Any:
    """A value as JSON data, each but None, bool, str and small int with its type.

    Args:
        strangers: what cannot be told is told as such.

    Raises:
        NotPlain: it is, or holds, what cannot be told.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -_SMALL < number < _SMALL else {"int": hex(number)}
    if isinstance(value, float):
        return {"float": float.hex(value)}
    kind = type(value)
    if kind.__module__ != "builtins":
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in _PARTS and kind is _class(name):
            return {"made": [name, encode(_PARTS[name](value), strangers)]}
    if isinstance(value, dict):
        return {"dict": [[encode(key, strangers), encode(item, strangers)] for key, item in dict.items(value)]}
    for one in _SEQUENCES:
        if isinstance(value, one):
            items = [encode(item, strangers) for item in one.__iter__(value)]
            fields = getattr(kind, "_fields", None) if one is tuple else None
            name = str(kind.__name__)
            return {"named": [name, encode(fields), items]} if fields else {one.__name__: items}
    return _encode_rest(value, kind, strangers)


def _encode_rest(value: Any, kind: type[Any], strangers: bool) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": bytes.hex(value)} if isinstance(value, bytes) else {"bytearray": bytearray.hex(value)}
    if isinstance(value, complex):
        return {"complex": [value.real.hex(), value.imag.hex()]}
    if isinstance(value, range):
        return {"range": [encode(value.start), encode(value.stop), encode(value.step)]}
    title = str(getattr(value, "__name__", ""))
    if kind is type and getattr(builtins, title, None) is value:
        return {"type": title}
    for name, view in _VIEWS.items():
        if isinstance(value, view):
            return {name: [encode(item, strangers) for item in value]}
    if hasattr(kind, "__next__"):
        return {"iterator": _items(value, strangers)}
    if strangers:
        return {"stranger": kind.__name__[:100]}
    raise NotPlain(kind.__name__)


def _items(value: Iterator[Any], strangers: bool) -> list[Any]:
    """The items of an iterator, and how it ends: `null`, or what it raises; with more than can be told, `true`."""
    found: list[Any] = []
    try:
        for item in value:
            if len(found) == _ITEMS:
                return [found, True]
            found.append(encode(item, strangers))
    except NotPlain:
        raise
    except Exception as error:  # noqa: BLE001 - raised again where the other side comes to it
        return [found, raised(error)]
    return [found, None]


def decode(data: Any) -> Any:
    """What `encode` was given.

    Raises:
        Exception: it is not the work of `encode`.
    """
    if data is None or isinstance(data, (bool, str, int)):
        return data
    if not isinstance(data, dict) or len(data) != 1:
        raise ValueError("no value")
    ((kind, held),) = data.items()
    for one in _SEQUENCES:
        if one.__name__ == kind:
            return one(map(decode, held))
    match kind:
        case "int":
            return int(held, 16)
        case "float":
            return float.fromhex(held)
        case "dict":
            return {decode(key): decode(item) for key, item in held}
        case "complex":
            real, imaginary = held
            return complex(float.fromhex(real), float.fromhex(imaginary))
        case "bytes" | "bytearray":
            return (bytes if kind == "bytes" else bytearray).fromhex(held)
        case "range":
            return range(*map(decode, held))
        case "made":
            name, parts = held
            maker = _class(name) if name in _PARTS else None
            return getattr(maker, _MAKERS[name])(*decode(parts)) if name in _MAKERS else maker(*decode(parts))  # type: ignore[misc]
        case "named":
            name, fields, items = held
            named: Any = collections.namedtuple(name, decode(fields), rename=True)  # type: ignore[misc]
            return named._make(map(decode, items))
        case "type":
            found = getattr(builtins, held)
            return found if isinstance(found, type) else None
        case "keys":
            return dict.fromkeys(map(decode, held)).keys()
        case "values":
            return dict(enumerate(map(decode, held))).values()
        case "items":
            return dict(map(decode, held)).items()
        case "iterator":
            return _again(*held)
        case "stranger":
            return Stranger(str(held))
    raise ValueError("no value")


def _again(items: list[Any], end: Any) -> Iterator[Any]:
    yield from map(decode, items)
    if end is True:
        raise Open(f"an answer is an iterator of more than {_ITEMS} items")
    if end is not None:
        raise error_of(end)


def _class(name: str) -> Any:
    module, _, kind = name.partition(".")
    return getattr(importlib.import_module(module), kind)


def raised(error: BaseException) -> dict[str, Any]:
    """An exception as JSON data: the names of its class and the classes it derives from, and its arguments."""
    try:
        arguments = encode(list(error.args))
        if len(str(arguments)) > 1000:
            raise NotPlain
    except (NotPlain, RecursionError):
        arguments = {"list": [str(error)[:1000]]}
    return {"names": [one.__name__[:100] for one in type(error).__mro__[:10]], "arguments": arguments}


def error_of(data: Any, space: Mapping[str, Any] | None = None) -> BaseException:
    """The exception that `raised` was given, as the tests can catch it: by its own class where they know it, else by
    the builtin it derives from. `Gone` where the data are something else.

    Args:
        space: names that the tests know.
    """
    try:
        names, arguments = data["names"], decode(data["arguments"])
        for name in names:
            kind = (space or {}).get(name, getattr(builtins, name, None))
            if isinstance(kind, type) and issubclass(kind, BaseException):
                return _made(kind, names[0], arguments)
    except Exception:  # noqa: BLE001 - whatever a program says instead
        pass
    return Gone("its answer cannot be read")


def _made(kind: type[BaseException], name: str, arguments: list[Any]) -> BaseException:
    own: Any = kind if kind.__name__ == name else type(name, (kind,), {})
    error: BaseException
    try:
        error = own(*arguments)
    except TypeError:  # UnicodeDecodeError and the like take other arguments
        error = own.__new__(own, *arguments)
    return error


def send(fd: int, message: Mapping[str, Any], deadline: float | None = None) -> None:
    """Write one message.

    Raises:
        Gone: the other side does not read any more, or not in time.
    """
    data = json.dumps(message).encode()
    data = struct.pack("<I", len(data)) + data
    if deadline is not None:
        os.set_blocking(fd, False)
    try:
        while data:
            if deadline is not None and not select.select([], [fd], [], max(0.0, deadline - time.monotonic()))[1]:
                raise Gone("it ran out of time")
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(fd, data) :]
    except OSError:
        raise Gone("it ended") from None


def receive(fd: int, deadline: float | None = None) -> dict[str, Any]:
    """Read one message.

    Raises:
        Gone: the other side ended, is too late, or says what is no message.
    """
    (length,) = struct.unpack("<I", _exactly(fd, 4, deadline))
    if length > _LONGEST:
        raise Gone("its answer is too large")
    try:
        message = json.loads(_exactly(fd, length, deadline))
    except (ValueError, RecursionError):
        raise Gone("its answer cannot be read") from None
    if not isinstance(message, dict):
        raise Gone("its answer cannot be read")
    return message


def _exactly(fd: int, length: int, deadline: float | None) -> bytes:
    data = bytearray()
    while len(data) < length:
        if deadline is not None:
            left = deadline - time.monotonic()
            if left < 0 or not select.select([fd], [], [], left)[0]:
                raise Gone("it ran out of time")
        chunk = os.read(fd, min(length - len(data), 1 << 16))
        if not chunk:
            raise Gone("it ended")
        data += chunk
    return bytes(data)

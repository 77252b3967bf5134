"""Where the tokens of a response lie in its text, while both are still growing.

A server sends text and tokens in steps that need not agree: a stop string holds text back, a character can be made of
several tokens, and special tokens are not in the text. Each token is therefore placed by its bytes, behind the token
before it:

    text    "Ol" "á"            tokens   "Ol"  b"\\xc3"  b"\\xa1"     bytes as they are (OpenAI, llama.cpp)
                                         "Ol"  ""       "á"         a token without text begins a character (vLLM)

A text that the tokens do not spell cannot be scored; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import re
from array import array
from collections import deque
from collections.abc import Iterable

from rlhalt.chat.token_spans import first_character, tokens_of

_SPECIAL = re.compile(rb"<[^<>\s]+>|\[/?[A-Z_]+\]")
_UNREADABLE = "\ufffd".encode()


@dataclasses.dataclass(frozen=True)
class Token:
    """A token as the upstream reports it.

    Attributes:
        piece: its bytes; empty where it begins a character that a later token ends.
        log_probability: natural logarithm, at most 0.
    """

    piece: bytes
    log_probability: float


class Alignment:
    """The tokens of one response, each placed in its text.

    >>> found = Alignment()
    >>> found.add("Oslo is", [Token(b"Os", -0.1), Token(b"lo", -0.2), Token(b" is", -0.3)])
    >>> found.log_probabilities(0, 4)
    [-0.1, -0.2]

    Attributes:
        text: all text so far.
        failure: why text and tokens do not agree; empty where they do.
        places: for each token that was given, in order, the character that it begins at; -1 for one that is not in the
            text. Tokens that are waiting for their text are not among them.
    """

    def __init__(self) -> None:
        self.text = ""
        self.failure = ""
        self.places: list[int] = []
        self._bytes = bytearray()
        # The number of the character that each byte belongs to.
        self._characters = array("I")
        self._waiting: deque[Token] = deque()
        self._place = 0
        self._after_empty = False
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._likely: list[float] = []

    def add(self, text: str, tokens: Iterable[Token]) -> None:
        """Take what came next. Text may be ahead of its tokens, and tokens ahead of their text."""
        number = len(self.text)
        self.text += text
        for character in text:
            encoded = character.encode("utf-8", "surrogatepass")
            self._bytes += encoded
            self._characters.extend([number] * len(encoded))
            number += 1
        self._waiting.extend(tokens)
        self._place_all()

    def end(self) -> None:
        """No text will follow: a token that a stop string cut belongs to the text as far as it reaches."""
        if self._waiting and not self.failure and self._place < len(self._bytes):
            rest = bytes(self._bytes[self._place :])
            if self._waiting[0].piece.startswith(rest):
                self._put(self._waiting.popleft(), len(rest))

    @property
    def covered(self) -> int:
        """How many characters have all of their tokens."""
        return self._characters[self._place] if self._place < len(self._bytes) else len(self.text)

    def log_probabilities(self, start: int, end: int) -> list[float]:
        """Those of the tokens of a fragment, `text[start:end]`, by the rule of `rlhalt.chat.token_spans`."""
        return self._likely[slice(*tokens_of(self._starts, start, end))]

    def _place_all(self) -> None:
        while self._waiting and not self.failure:
            token, left = self._waiting[0], len(self._bytes) - self._place
            if left and self._bytes.startswith(token.piece, self._place):
                self._put(self._waiting.popleft(), len(token.piece))
            elif not token.piece or (
                left < len(token.piece) and token.piece.startswith(bytes(self._bytes[self._place :]))
            ):
                return  # for more text
            elif self._after_empty and self._bytes.startswith(_UNREADABLE, self._place):
                # The server writes this for bytes that make no character, and gives their tokens no text.
                self._place += len(_UNREADABLE)
            elif _SPECIAL.fullmatch(token.piece):
                self._waiting.popleft()
                self.places.append(-1)
            else:
                found = self._bytes[self._place : self._place + 20].decode(errors="replace")
                self.failure = f"expected tokens that spell the text, found {token.piece[:20]!r} at {found!r}"

    def _put(self, token: Token, length: int) -> None:
        begin = self._characters[self._place]
        last = self._characters[self._place + length - 1] if length else begin
        self._starts.append(first_character(self.text, begin, last + 1))
        self._likely.append(token.log_probability)
        self.places.append(begin)
        self._place += length
        self._after_empty = not length

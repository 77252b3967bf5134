"""The parts of the server: tokens in a text, changes of JSON, events, and fragments that are final."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.domains import load_domain
from rlhalt.serve.alignment import Alignment, Token
from rlhalt.serve.events import Reader
from rlhalt.serve.json_edit import replaced, without
from rlhalt.serve.settled import may_end, settled

many = settings(deadline=None, max_examples=300)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@many
@given(data=st.data(), text=st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_tokens_that_spell_a_text_are_placed_however_both_arrive(data, text):
    """Each token begins at the character that has its first byte."""
    raw = text.encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(raw) - 1)), max_size=12))) if len(raw) > 1 else []
    tokens = [Token(raw[a:b], -0.1 * n) for n, (a, b) in enumerate(itertools.pairwise([0, *cuts, len(raw)])) if a < b]
    found = Alignment()
    waiting_text, waiting_tokens = text, list(tokens)
    while waiting_text or waiting_tokens:
        n, m = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 3))
        found.add(waiting_text[:n], waiting_tokens[:m])
        waiting_text, waiting_tokens = waiting_text[n:], waiting_tokens[m:]
    found.end()
    assert found.failure == ""
    assert found.covered == len(text)
    starts = [0, *itertools.accumulate(len(one.piece) for one in tokens)][: len(tokens)]
    owner = [number for number, one in enumerate(text) for _ in one.encode()]
    assert found.places == [owner[start] for start in starts]


@pytest.mark.parametrize(
    ("text", "pieces", "places"),
    [
        # vLLM: a token without text begins a character, the last of its tokens has it.
        ("é日x", ["", "é", "", "", "日", "x"], [0, 0, 1, 1, 1, 2]),
        # Bytes that make no character are written as one, and their tokens have no text.
        ("a\ufffdb", ["a", "", "b"], [0, 1, 2]),
        # Special tokens are not in the text; one that is, is.
        ("a b", ["a", "<|im_start|>", " b"], [0, -1, 1]),
        ("<b> b", ["<b>", " b"], [0, 3]),
        # Behind the text: the end of the turn.
        ("a", ["a", "<|im_end|>"], [0]),
        # A stop string cut the last token.
        ("Oslo.", ["Oslo", ".\n\nQ:"], [0, 4]),
    ],
)
def test_how_servers_write_tokens(text, pieces, places):
    found = Alignment()
    found.add(text, [Token(one.encode(), -0.5) for one in pieces])
    found.end()
    assert (found.failure, found.places, found.covered) == ("", places, len(text))


@pytest.mark.parametrize("pieces", [["Os", "la"], ["lo", "Os"], ["Oslo", "?"], ["\ufffd", "slo!"]])
def test_tokens_that_do_not_spell_the_text_place_nothing_else(pieces):
    found = Alignment()
    found.add("Oslo!", [Token(one.encode(), -0.5) for one in pieces])
    assert "spell the text" in found.failure
    found.add(" It is big.", [Token(b" It is big.", -0.5)])
    assert found.covered < 5


@many
@given(body=st.dictionaries(st.text(max_size=5), values, max_size=4), data=st.data(), value=values)
@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":"), "ensure_ascii": False}])
def test_a_replaced_member_is_the_one_change(body, data, value, layout):
    def paths(one: Any, before: tuple[str | int, ...] = ()) -> Any:
        for name, inner in one.items() if isinstance(one, dict) else enumerate(one) if isinstance(one, list) else ():
            yield (*before, name)
            yield from paths(inner, (*before, name))

    known = list(paths(body))
    path = data.draw(st.sampled_from(known)) if known else ("new",)
    text = json.dumps(body, **layout)
    changed = json.loads(text)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    assert json.loads(replaced(text, path, json.dumps(value))) == changed
    # With its own value, every byte stays.
    own: Any = body
    for name in path:
        own = own[name] if known else value
    if known:
        assert replaced(text, path, json.dumps(own, ensure_ascii=False)) == replaced(
            replaced(text, path, "0"), path, json.dumps(own, ensure_ascii=False)
        )
    if isinstance(path[-1], str) and known:
        del inner[path[-1]]
        assert json.loads(without(text, path)) == changed


@many
@given(
    events=st.lists(st.sampled_from(["data: {}", ": ping", "event: x\ndata: 1", 'data: {"é": "日"}', "data: [DONE]"])),
    end=st.sampled_from(["\n\n", "\r\n\r\n"]),
    data=st.data(),
)
def test_events_are_whole_however_their_bytes_arrive(events, end, data):
    raw = "".join(one + end for one in events).encode()
    reader, found, place = Reader(), [], 0
    while place < len(raw):
        size = data.draw(st.integers(1, 9))
        found += reader.feed(raw[place : place + size])
        place += size
    assert [one.raw for one in found] == [(one + end).encode() for one in events]
    assert [one.data.decode() if one.data else None for one in found] == [
        one.removeprefix("data: ") if one.startswith("data: ") else None for one in events
    ]


@pytest.mark.parametrize(
    ("domain", "text", "n"),
    [
        ("countries", "Oslo is big. ", 0),
        ("countries", "Oslo is big. It", 1),
        ("countries", "He met Dr. ", 0),
        ("countries", "He met Dr. Strange", 0),
        ("countries", "Oslo is\nbig", 0),
        ("countries", "Oslo\nBergen", 0),
        ("countries", "Oslo\nBergen\nVoss", 1),
        ("arithmetic", "1 + 1 = 2\n", 0),
        ("arithmetic", "1 + 1 = 2\nSo", 1),
        ("arithmetic", "1 + 1 = 2 = 2 = 2. So", 0),
        ("programs", "x = 1\ny = 2\nz = 3\n", 0),
    ],
)
def test_fragments_that_are_final(domain, text, n):
    splitter = load_domain(domain).splitter()
    assert settled(text, splitter.split(text), splitter.fragmenter) == n


LONG = """Norway is in Europe. Its capital, St. Olav's city, is Oslo (since 1814). It has 5.5 million people!

1. **Coast**: long, e.g. 2,500 km.
2. **Money**: the krone. Prices are high.
- Sami is spoken
- So is Kven

| Town | People |
| --- | --- |
| Bergen | 290,000 |
| Voss | 15,000 |

A last sentence. Unsure from here."""


@pytest.mark.parametrize("step", [1, 3, 7])
def test_what_is_final_stays(step):
    splitter = load_domain("countries").splitter()
    whole = [(one.start, one.end) for one in splitter.split(LONG)]
    for end in range(0, len(LONG), step):
        fragments = splitter.split(LONG[:end])
        n = settled(LONG[:end], fragments, splitter.fragmenter)
        assert [(one.start, one.end) for one in fragments[:n]] == whole[:n]


def test_a_quick_look_never_misses_an_end():
    splitter = load_domain("countries").splitter()
    for one in splitter.split(LONG)[:-1]:
        assert may_end(LONG[one.start : one.end + 2])

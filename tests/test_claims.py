from __future__ import annotations

import asyncio
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge_server import FAULTS, PATIENT, QUICK, WIRE_FAULTS, JudgeServer, injections, parts_of, read_prompt
from rlhalt.errors import InputError
from rlhalt.fragments.claims import ClaimsFragmenter, read_claims
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import CallFailure, Client, Limits, Server
from rlhalt.records import Fragment
from rlhalt.scoring import Scorer
from rlhalt.verifiers.judge import JudgeVerifier

REWARD = Path(__file__).parents[1] / "reward"
PROMPT = REWARD / "biography" / "claims.txt"
TEXT = "Ada is right, and a painter. She is wrong, or odd.\nUnsure from here."
INJECTIONS = injections()


def prompt(server: JudgeServer, call: int = -1):
    return read_prompt(server.requests[call]["messages"][-1]["content"])


def reply(*sentences_of: list[tuple[str, str]]) -> str:
    """What a model says of the sentences 1, 2, ...: quotes with their claims."""
    entries = [
        {"id": number, "claims": [{"quote": quote, "claim": claim} for quote, claim in claims]}
        for number, claims in enumerate(sentences_of, start=1)
    ]
    return json.dumps({"sentences": entries})


def read(text: str, *sentences_of: list[tuple[str, str]]) -> list[tuple[str, str | None]]:
    return [(one.text, one.claim) for one in read_claims(reply(*sentences_of), text, sentences(text))]


def check(text: str, fragments: list[Fragment]) -> None:
    end = 0
    for one in fragments:
        assert end <= one.start < one.end <= len(text)
        assert text[one.start : one.end] == one.text == one.text.strip()
        assert any(char.isalnum() for char in one.text)
        assert one.label is None
        end = one.end


def test_a_response_is_split_in_one_call(server, client):
    fragments = ClaimsFragmenter(client, PROMPT)(TEXT)
    assert [(one.kind, one.text, one.claim) for one in fragments] == [
        ("claim", "Ada is right", "It says: Ada is right"),
        ("claim", "and a painter.", "It says: and a painter."),
        ("claim", "She is wrong", "It says: She is wrong"),
        ("claim", "or odd.", "It says: or odd."),
        ("halt", "Unsure from here.", None),
    ]
    check(TEXT, fragments)
    assert len(server.requests) == 1
    assert prompt(server).fragments == {1: "Ada is right, and a painter.", 2: "She is wrong, or odd."}


def test_nothing_is_asked_about_a_response_that_claims_nothing(server, client):
    one = ClaimsFragmenter(client, PROMPT)
    assert [fragment.kind for fragment in one("Unsure from here.")] == ["halt"]
    assert one("") == one(" \n…\n") == []
    assert one.estimate(["", "Unsure from here."]).calls == 0
    assert server.requests == []


def test_any_number_is_under_way_together_on_any_loop(server):
    server.latency = 0.1

    async def all_of_them(one: ClaimsFragmenter):
        return await asyncio.gather(*(one.split(f"{TEXT} {number}") for number in range(8)))

    with Client(Server(server.address, "m"), Limits(concurrency=8)) as client:
        assert {len(one) for one in asyncio.run(all_of_them(ClaimsFragmenter(client, PROMPT)))} == {6}
    assert server.at_once == 8


def test_the_name_carries_prompt_and_model(client, tmp_path):
    (tmp_path / "claims.txt").write_text("Split otherwise.")
    names = [ClaimsFragmenter(client, path).name for path in (PROMPT, tmp_path / "claims.txt")]
    assert len(set(names)) == 2
    assert all(one.startswith("claims/3-") and one.endswith("/m") for one in names)
    with pytest.raises(InputError, match="no such file"):
        ClaimsFragmenter(client, tmp_path / "no.txt")


def test_the_dry_run_tells_what_it_costs_and_the_cache_keeps_it(server, tmp_path):
    with Client(Server(server.address, "m", prices=(1, 1)), PATIENT, cache=tmp_path / "cache") as client:
        one = ClaimsFragmenter(client, PROMPT)
        assert one.estimate([TEXT, "Ada.", TEXT]).calls == 2
        assert one(TEXT) == one(TEXT)
        assert (one.estimate([TEXT, "Ada."]).calls, one.estimate([TEXT]).cached) == (1, 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        *WIRE_FAULTS.items(),
        ("empty reply", "empty reply"),
        ("broken JSON", "broken JSON"),
        ("wrong schema", "wrong schema"),
        ("half a list", "wrong schema"),
        ("another fragment", "wrong schema"),
    ],
)
def test_each_fault_is_a_failure_and_makes_no_fragment(server, fault, reason):
    server.faults = {fault: 1.0}
    with (
        Client(Server(server.address, "m"), QUICK if reason == "time-out" else PATIENT) as client,
        pytest.raises(CallFailure) as caught,
    ):
        ClaimsFragmenter(client, PROMPT)(TEXT)
    assert caught.value.reason == reason
    assert server.struck == {fault: 1}


def test_a_response_that_cannot_be_split_fails_as_a_whole(server, client):
    server.faults = {"half a list": 1.0}
    verifier = JudgeVerifier(client, REWARD / "biography" / "judge.txt", ["subject", "article"])
    (failed,) = Scorer(ClaimsFragmenter(client, PROMPT), verifier).judge(TEXT, {"subject": "Ada", "article": "A."})
    assert failed.failed
    assert "1 missing" in failed.error or "2 missing" in failed.error


def test_claims_are_split_and_judged(server, client):
    verifier = JudgeVerifier(client, REWARD / "biography" / "judge.txt", ["subject", "article"])
    judged = Scorer(ClaimsFragmenter(client, PROMPT), verifier).judge(TEXT, {"subject": "Ada", "article": "A."})
    assert [one.label for one in judged] == ["correct", "unverifiable", "incorrect", "unverifiable", "halt"]
    assert prompt(server).claims[2] == "It says: and a painter."


def test_200_responses_with_every_fault_at_one_in_ten_are_split_or_failed(server):
    server.faults = dict.fromkeys(FAULTS, 0.1)
    texts = [f"Response {one} is right, and wrong. It is odd, {one} times." for one in range(200)]
    limits = Limits(concurrency=32, timeout=1.0, attempts=2, backoff=0.005, max_bytes=65_536)

    async def every(one: ClaimsFragmenter):
        return await asyncio.gather(*map(one.split, texts), return_exceptions=True)

    with Client(Server(server.address, "m"), limits) as client:
        found = asyncio.run(every(ClaimsFragmenter(client, PROMPT)))
    failed = [one for one in found if isinstance(one, BaseException)]
    assert 0 < len(failed) < 200
    assert all(isinstance(one, CallFailure) for one in failed)
    for text, fragments in zip(texts, found, strict=True):
        if not isinstance(fragments, BaseException):
            check(text, fragments)
            assert [one.text for one in fragments] == [part for one in sentences(text) for part in parts_of(one.text)]


@pytest.mark.parametrize(
    ("text", "claims", "expected"),
    [
        pytest.param("A b c d.", [("b c", "x")], [("b c", "x")], id="what is not quoted is in no fragment"),
        pytest.param("A b c.", [("A", "x"), ("c", "y")], [("A", "x"), ("c", "y")], id="in order"),
        pytest.param("A b c.", [("A b", "x"), ("b c", "y")], [("A b c", "x y")], id="overlapping: one fragment"),
        pytest.param("A b c.", [("A b c", "x"), ("b", "y")], [("A b c", "x y")], id="inside: one fragment"),
        pytest.param("A b c.", [("b", "x"), ("b", "y"), ("c", "z")], [("b", "x y"), ("c", "z")], id="repeated"),
        pytest.param("A b c.", [("b", "x"), ("b", "x")], [("b", "x")], id="said twice"),
        pytest.param("A b, b.", [("b", "x"), ("b", "y")], [("b", "x"), ("b", "y")], id="the next of equal words"),
        pytest.param("A  b\tc.", [("A b c", " x\n y ")], [("A  b\tc", "x y")], id="white space may differ"),
        pytest.param(
            "他出生于北京。", [("北京", "他出生于北京")], [("北京", "他出生于北京")], id="no white space at all"
        ),
        pytest.param("É \u0065\u0301.", [("\u0065\u0301", "x")], [("\u0065\u0301", "x")], id="unicode as it is"),
        pytest.param(
            r"\(x^2 = \frac{1}{2}\) holds.", [(r"x^2 = \frac{1}{2}", "x")], [(r"x^2 = \frac{1}{2}", "x")], id="LaTeX"
        ),
        pytest.param("a.b(c)*[d] + e.", [("b(c)*[d]", "x")], [("b(c)*[d]", "x")], id="no pattern"),
        pytest.param("A b.", [], [], id="no claim"),
    ],
)
def test_where_quotes_stand(text, claims, expected):
    assert read(text, claims) == expected


def test_whole_words_come_before_parts_of_words():
    text = "An artist of art."
    for quote, start in (("art", text.rindex("art")), ("artis", text.index("artis"))):
        (one,) = read_claims(reply([(quote, "x")]), text, sentences(text))
        assert one.start == start


def test_code_fences_and_lists():
    text = "Run this:\n```python\nprint(1)  # one\n```\n- It prints one.\n- It ends."
    found = read(text, [], [("print(1)", "x")], [("It prints one.", "y")], [("ends", "z")])
    assert found == [("print(1)", "x"), ("It prints one.", "y"), ("ends", "z")]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param([("c", "x"), ("A", "y"), ("Z", "z")], id="out of order, one absent"),
        pytest.param([("A d", "x")], id="absent"),
        pytest.param([("A B", "x")], id="another case inside"),
        pytest.param([("b c …", "x")], id="an ellipsis at the end"),
        pytest.param([("A c", "x")], id="a word left out"),
        pytest.param([("b d", "x")], id="another word"),
        pytest.param([("A … c", "x")], id="shortened"),
        pytest.param([("A b c. D", "x")], id="beyond the sentence"),
        pytest.param([("", "x")], id="empty"),
        pytest.param([(".", "x")], id="no words"),
        pytest.param([("A", " ")], id="no claim"),
    ],
)
def test_what_cannot_be_tied_is_a_failure(claims):
    with pytest.raises(CallFailure, match="wrong schema"):
        read("A b c. D.", claims, [])
    with pytest.raises(CallFailure, match="wrong schema"):
        read("D. A b c.", [], claims)


@pytest.mark.parametrize(
    "said",
    [
        "[]",
        '{"claims": []}',
        '{"sentences": {}}',
        '{"sentences": [], "more": 1}',
        '{"sentences": [1, 2]}',
        '{"sentences": [{"id": 1, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": []}, {"id": 1, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": []}, {"id": 1, "claims": []}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": []}, {"id": 3, "claims": []}]}',
        '{"sentences": [{"id": 0, "claims": []}, {"id": 1, "claims": []}]}',
        '{"sentences": [{"id": true, "claims": []}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": 1}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": ["A"]}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": [{"quote": "A"}]}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": 1, "claims": [{"quote": "A", "claim": 1}]}, {"id": 2, "claims": []}]}',
        'Here: {"sentences": [{"id": 1, "claims": []}, {"id": 2, "claims": []}]} and {"sentences": []}',
        '{"sentences": [{"id": "one", "claims": []}, {"id": 2, "claims": []}]}',
        '{"sentences": [{"id": "1", "claims": []}, {"id": 1, "claims": []}, {"id": 2, "claims": []}]}',
        "null",
        "",
    ],
)
def test_a_reply_of_another_form_is_a_failure(said):
    with pytest.raises(CallFailure):
        read_claims(said, "A b. C d.", sentences("A b. C d."))


PLAIN = '{"sentences": [{"id": 1, "claims": [{"quote": "A b", "claim": "x"}]}, {"id": 2, "claims": []}]}'


@pytest.mark.parametrize(
    "said",
    [
        PLAIN,
        f"Here is the JSON:\n{PLAIN}\nThat is all.",
        f"```json\n{PLAIN}\n```",
        f"<think>{{A b}} or not?</think>\n{PLAIN}",
        PLAIN.replace('"id": 1', '"id": "1"'),
        PLAIN.replace('"claim": "x"', '"claim": "x", "kind": "fact"'),
        PLAIN.replace("}]}, {", "},]}, {"),
    ],
)
def test_a_reply_that_a_person_can_read_is_read(said):
    (one,) = read_claims(said, "A b. C d.", sentences("A b. C d."))
    assert (one.text, one.claim) == ("A b", "x")


@pytest.mark.parametrize(
    ("text", "quote", "expected"),
    [
        ("She wrote “Sol” in 1910.", 'wrote "Sol" in', "wrote “Sol” in"),
        ("She wrote “Sol” in 1910.", "wrote 'Sol' in", "wrote “Sol” in"),
        ("It’s Ada’s book.", "Ada's book", "Ada’s book"),
        ("It's Ada's book.", "Ada’s book", "Ada's book"),
        ("He ruled 1990–1995.", "1990-1995", "1990–1995"),
        ("He ruled 1990-1995.", "1990 – 1995", "1990-1995"),
        ("Ada — a painter — died.", "a painter-died", "a painter — died"),
        ("He is from Orle\u0301ans.", "from Orl\u00e9ans", "from Orle\u0301ans"),
        ("He is from Orl\u00e9ans.", "from Orle\u0301ans", "from Orl\u00e9ans"),
        ("**Nairobi** is the capital.", "Nairobi is the capital", "**Nairobi** is the capital"),
        ("The *Iliad* is **old**.", "Iliad is old", "*Iliad* is **old**"),
        ("The Iliad is old.", "**Iliad** is old", "Iliad is old"),
        ("Use `print` here.", "Use print", "Use `print`"),
        ("The film was released.", "the film", "The film"),
        ("So the film was released.", "The film was", "the film was"),
        ("He died in 1952, in Oslo.", "He died in 1952.", "He died in 1952"),
        ("He\u200b died in\u00a01952.", "He died in 1952", "He\u200b died in\u00a01952"),
        ("It is 5 km² large.", "5 km2", "5 km²"),
        ("He waited… then left.", "waited... then", "waited… then"),
        ("The film and the sequel.", "Sequel", "sequel"),
    ],
)
def test_a_quote_in_other_characters_is_found(text, quote, expected):
    assert read(text, [(quote, "x")]) == [(expected, "x")]


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("He was born in Paris, and later died in Rome.", "He ... died in Rome"),
        ("He is from Orle\u0301ans.", "from Orle"),
        ("She is not old.", "She is old"),
        ("2**3 is 8.", "23 is 8"),
        ("It is snake_case.", "snakecase"),
        ("It was in 1990.", "in 1991"),
    ],
)
def test_a_quote_of_what_is_not_there_is_a_failure(text, quote):
    with pytest.raises(CallFailure, match="wrong schema"):
        read(text, [(quote, "x")])


def test_quotes_out_of_order_are_taken_where_they_stand_once():
    assert read("A b c d.", [("c", "x"), ("A", "y"), ("d", "z")]) == [("A", "y"), ("c", "x"), ("d", "z")]
    with pytest.raises(CallFailure):
        read("b A b c.", [("c", "x"), ("b", "y")])


@pytest.mark.parametrize("injection", INJECTIONS, ids=[f"{n}-{one['kind']}" for n, one in enumerate(INJECTIONS)])
def test_an_injection_never_leaves_its_delimiters_nor_makes_a_fragment(server, injection):
    text = f"It is right. {injection['text']}"
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a character that a model quotes back is no answer.
        server.answer = json.dumps({"sentences": [{"id": one, "claims": []} for one in (1, 2)]})
    with Client(Server(server.address, "m"), Limits(attempts=1)) as client:
        fragments = ClaimsFragmenter(client, PROMPT)(text)
    check(text, fragments)
    asked = [one.text for one in sentences(text) if one.kind != "halt"]
    assert list(prompt(server).fragments.values()) == asked
    assert prompt(server).skeleton == ("The code of this message is NONCE.\nBEGIN sentences NONCE\nEND sentences NONCE")
    # Said by the model, it is no claim.
    for said in (injection["text"], json.dumps({"sentences": injection["text"]})):
        with pytest.raises(CallFailure):
            read_claims(said, "A b. C d.", sentences("A b. C d."))


parts = st.sampled_from(
    [
        "Ada",
        "is right",
        "is",
        "right",
        "a painter,",
        "in 1902.",
        "北京",
        "é",
        "\\frac{1}{2}",
        "$x$",
        "```",
        "\n",
        "- ",
        "“Sol”",
        ".",
    ]
)
texts = st.one_of(st.lists(parts, max_size=15).map(" ".join), st.text(max_size=60))


def plain(text: str) -> str:
    """Letters and digits, in lower case and without marks."""
    return "".join(char for char in unicodedata.normalize("NFKD", text).swapcase().lower() if char.isalnum())


@given(st.data())
def test_whatever_a_model_says_of_a_text_fragments_are_the_texts_own(data):
    text = data.draw(texts)
    asked = [one for one in sentences(text) if one.kind != "halt"]
    said = []
    for one in asked:
        cuts = st.integers(0, len(one.text))
        quote = st.one_of(st.tuples(cuts, cuts).map(lambda ab, one=one: one.text[min(ab) : max(ab)]), parts, texts)
        said.append(data.draw(st.lists(st.tuples(quote, st.one_of(parts, texts)), max_size=4)))
    try:
        found = read_claims(reply(*said), text, asked)
    except CallFailure:
        return
    check(text, found)
    quotes = [plain(quote) for claims in said for quote, _ in claims]
    claims = " ".join(" ".join(claim.split()) for claims in said for _, claim in claims)
    for one in found:
        assert any(sentence.start <= one.start and one.end <= sentence.end for sentence in asked)
        assert any(plain(one.text).startswith(quote.rstrip(".,;:!?")) for quote in quotes)
        assert one.claim.split()[0] in claims
    assert len(found) <= len(quotes)

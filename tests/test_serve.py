"""The server: what comes out equals the upstream, or `rlhalt answer`'s cut, and nothing is served wrongly."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import math
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from rlhalt.records import HALT_PHRASE, Fragment

pytest.importorskip("starlette", reason="the server's packages are not installed (rlhalt[serve])")

import openai

from rlhalt.cut.decision import Cut
from rlhalt.cut.splitting import unverified
from rlhalt.domains import load_domain
from rlhalt.serve.events import Reader
from served import serving
from upstream_server import FAULTS, UpstreamServer, as_bytes, pieces, text_of

ASKED = {"model": "m", "messages": [{"role": "user", "content": "State five facts about Norway."}], "temperature": 0}
PROMPTED = {"model": "m", "prompt": "Facts about Norway:", "temperature": 0}
NEAR_0 = {"threshold": 1e-9}
TEXTS = {
    "plain": pieces(("Oslo is big.", 0.9), ("It lies in Asia.", 0.3), ("It is old.", 0.6)),
    "one": pieces(("Oslo is big", 0.9)),
    "all doubtful": pieces(("Oslo is big.", 0.2), ("It lies in Asia.", 0.3)),
    "first doubtful": pieces(("Oslo is big.", 0.2), ("It is old.", 0.9), ("It is new.", 0.8)),
    "list": [(b"Facts:\n\n", -0.1), *pieces(("1. Oslo is big.", 0.9), ("2. It is in Asia.", 0.1), ("3. Old.", 0.9),
                                           between="\n")],
    "accents": as_bytes(pieces(("São Tomé is där.", 0.9), ("東京 é øre.", 0.2), ("Ναι, 🇳🇴 it is.", 0.8))),
    "white space": [(b" ", -0.1), *pieces(("Oslo is big.", 0.9), ("It lies in Asia.", 0.3)), (b"\n", -2.0)],
    "reasoning": [(b"<think>", -0.1), (b"\nHm. Oslo? No.\n", -3.0), (b"</think>", -0.1), (b"\n\n", -0.1),
                  *pieces(("Oslo is big.", 0.9), ("It lies in Asia.", 0.3))],
    "a halt": pieces(("Oslo is big.", 0.3), (HALT_PHRASE, 0.1)),
}  # fmt: skip


@pytest.fixture
def upstream():
    with UpstreamServer() as running:
        yield running


def post(address: str, body: Any, path: str = "/chat/completions", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and all bytes of a response; what came where it broke off."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection.request("POST", where.path + path, raw, {"content-type": "application/json", **headers})
    reply = connection.getresponse()
    found = bytearray()
    with contextlib.suppress(http.client.IncompleteRead, ConnectionError):
        while chunk := reply.read1(65536):
            found += chunk
    named = {name.lower(): value for name, value in reply.getheaders()}
    connection.close()
    return reply.status, named, bytes(found)


def text(raw: bytes, stream: bool) -> str:
    """The text of a body or of a stream."""
    bodies = [json.loads(one.data) for one in Reader().feed(raw) if one.data and one.data != b"[DONE]"] if stream else [
        json.loads(raw)
    ]  # fmt: skip
    choices = [choice for body in bodies for choice in body.get("choices", [])]
    parts = [one.get("text") or (one.get("delta") or one.get("message") or {}).get("content") for one in choices]
    return "".join(one or "" for one in parts)


def expected(said: list[tuple[bytes, float]], threshold: float, domain: str = "countries") -> str:
    """What `rlhalt answer` says of a text whose tokens have these probabilities.

    The tokens of a fragment are found by characters here, as a tokenizer with offsets has them.
    """
    splitter = load_domain(domain).splitter()
    whole = text_of(said)
    begin = whole.index("</think>\n\n") + len("</think>\n\n") if "</think>" in whole else 0
    fragments = [dataclasses.replace(one, start=one.start + begin, end=one.end + begin) for one in
                 splitter.split(whole[begin:])]  # fmt: skip
    encoded, place, starts = whole.encode(), 0, []
    for piece, likely in said:
        low = len(encoded[:place].decode(errors="ignore"))
        high = len(encoded[: place + len(piece)].decode(errors="ignore"))
        shown = whole[low : max(high, low + 1)]
        starts.append((low + len(shown) - len(shown.lstrip()) if shown.strip() else -1, likely))
        place += len(piece)

    def probability(one: Fragment) -> float:
        inside = [likely for start, likely in starts if one.start <= start < one.end]
        return math.exp(sum(inside) / len(inside)) if inside and one.kind != "halt" else math.nan

    cut = Cut(threshold, splitter.halting, splitter.phrase)
    said_pieces = [cut.reasoning(begin)]
    said_pieces += [cut.take(whole, unverified(one), probability(one)) for one in fragments]
    return "".join(one.text(whole) for one in [*said_pieces, cut.end(whole)])


@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", TEXTS)
def test_near_0_all_is_as_the_upstream_made_it(upstream, path, stream, name):
    """Byte for byte, though its JSON is written as no library writes it."""
    chat = path.startswith("/chat")
    upstream.said = TEXTS[name]
    asked = {**(ASKED if chat else PROMPTED), "stream": stream, "rlhalt": NEAR_0}
    for unasked, group, split, corrected in (("null", 1, 0, False), ("", 3, 5, True), ("null", 2, 1, False)):
        upstream.unasked, upstream.group, upstream.split, upstream.corrected = unasked, group, split, corrected
        with serving(upstream) as address:
            status, headers, raw = post(address, asked, path)
        assert raw == (upstream.stream_bytes(chat) if stream else upstream.whole_bytes(chat))
        assert (status, headers["x-rlhalt"], headers["x-request-id"]) == (200, "cut", "r1")
        assert headers["x-rlhalt-threshold"] == "1e-09"
        sent = upstream.requests[-1][1]
        assert "rlhalt" not in sent
        assert sent["logprobs"] is True if chat else sent["logprobs"] == 1


@pytest.mark.parametrize("threshold", [0.05, 0.25, 0.5, 0.7, 0.95])
@pytest.mark.parametrize("name", TEXTS)
def test_at_a_threshold_it_says_what_answer_says(upstream, name, threshold):
    upstream.said = TEXTS[name]
    with serving(upstream) as address:
        for stream in (False, True):
            for group, corrected in ((1, False), (3, True)):
                upstream.group, upstream.corrected = group, corrected
                for path, asked in (("/chat/completions", ASKED), ("/completions", PROMPTED)):
                    body = {**asked, "stream": stream, "rlhalt": {"threshold": threshold}}
                    _, headers, raw = post(address, body, path)
                    assert text(raw, stream) == expected(TEXTS[name], threshold)
                    assert headers["x-rlhalt"] == "cut"


STEPS = pieces(("9 * 2 = 18", 0.9), ("18 + 1 = 20", 0.3), ("The answer is 20.", 0.9), between="\n")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("usage", [False, True])
@pytest.mark.parametrize("threshold", [1e-9, 0.2, 0.5, 0.95])
def test_a_causal_response_ends_with_the_phrase(upstream, stream, usage, threshold):
    upstream.said = STEPS
    body = {**ASKED, "stream": stream, "rlhalt": {"threshold": threshold, "fragments": True}}
    body |= {"stream_options": {"include_usage": True}} if usage and stream else {}
    with serving(upstream, "arithmetic") as address:
        _, _, raw = post(address, body)
    assert text(raw, stream) == expected(STEPS, threshold, "arithmetic")
    if threshold == 0.5:
        assert text(raw, stream) == f"9 * 2 = 18\n{HALT_PHRASE}"
    bodies = [json.loads(one.data) for one in Reader().feed(raw) if one.data and one.data != b"[DONE]"]
    if stream:
        assert raw.endswith(b"data: [DONE]\n\n")
        assert [one["choices"][0]["finish_reason"] for one in bodies if one["choices"]][-1] == "stop"
        assert [one["usage"] for one in bodies if one.get("usage")] == ([{"completion_tokens": 9}] if usage else [])
    found = next(one["rlhalt"] for one in bodies if "rlhalt" in one) if stream else json.loads(raw)["rlhalt"]
    assert found["halting"] == "causal"
    assert found["fragments"][0] == {"text": "9 * 2 = 18", "probability": 0.9, "said": threshold < 0.9}


def test_a_halt_ends_the_call_of_the_upstream(upstream):
    """The tokens after it are not generated."""
    upstream.said = [*STEPS, *pieces(*[("\n1 + 1 = 2", 0.9)] * 400)]
    upstream.pause = 0.02
    with serving(upstream, "arithmetic") as address:
        _, _, raw = post(address, {**ASKED, "stream": True})
        assert text(raw, True) == f"9 * 2 = 18\n{HALT_PHRASE}"
        assert soon(lambda: upstream.ended == 1)


def soon(true: Callable[[], bool], every: float = 0.05) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(every)
    return False


def test_what_was_left_out_is_in_the_body_where_it_is_asked_for(upstream):
    upstream.said, upstream.finish = TEXTS["plain"], "length"
    with serving(upstream) as address:
        for stream in (False, True):
            asked = {**ASKED, "stream": stream, "rlhalt": {"threshold": 0.5, "fragments": True}}
            _, headers, raw = post(address, asked)
            if stream:
                body = next(json.loads(one.data) for one in Reader().feed(raw) if one.data and b'"rlhalt"' in one.data)
            else:
                body = json.loads(raw)
                assert (headers["x-rlhalt-fragments"], headers["x-rlhalt-left-out"]) == ("3", "1")
            assert body["rlhalt"] == {
                "threshold": 0.5,
                "halting": "independent",
                "fragments": [
                    {"text": "Oslo is big.", "probability": 0.9, "said": True},
                    {"text": "It lies in Asia.", "probability": 0.3, "said": False},
                    {"text": "It is old.", "probability": 0.6, "said": True},
                ],
                "left_out": 1,
                "unscored": None,
            }
            # As in `evaluate --cut`: what ends before the token limit did end.
            assert body["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat/completions", "/completions"])
def test_a_client_that_asks_for_log_probabilities_gets_those_of_what_is_said(upstream, stream, path):
    chat = path.startswith("/chat")
    asked = {**(ASKED if chat else PROMPTED), "logprobs": True if chat else 0, "stream": stream}
    with serving(upstream) as address:
        for threshold in (1e-9, 0.5):
            _, _, raw = post(address, {**asked, "rlhalt": {"threshold": threshold}}, path)
            if threshold < 0.1:
                assert raw == (upstream.stream_bytes(chat, True) if stream else upstream.whole_bytes(chat, True))
                continue
            bodies = [json.loads(one.data) for one in Reader().feed(raw) if one.data and one.data != b"[DONE]"]
            choices = [one["choices"][0] for one in (bodies if stream else [json.loads(raw)])]
            found = [one["logprobs"] for one in choices if one["logprobs"]]
            tokens = [row["token"] for one in found for row in one["content"]] if chat else [
                token for one in found for token in one["tokens"]
            ]  # fmt: skip
            assert "".join(tokens) == "Oslo is big. It is old."


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"n": 2}, "several choices"),
        ({"response_format": {"type": "json_object"}}, "JSON mode"),
        ({"structured_outputs": {"regex": "a+"}}, "guided decoding"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "images"),
        ({"model": "other"}, "another model"),
        ({"temperature": 1}, "temperature 1 is not calibrated (0)"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "another chat template"),
        ({"messages": []}, "no messages"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_is_not_to_be_scored_passes_untouched_and_says_so(upstream, fields, says, stream):
    upstream.said = TEXTS["all doubtful"]
    asked = {**ASKED, **fields, "stream": stream}
    with serving(upstream) as address:
        _, headers, raw = post(address, {**asked, "rlhalt": {"threshold": 0.9}})
    assert raw == (upstream.stream_bytes() if stream else upstream.whole_bytes())
    assert headers["x-rlhalt"] == "passed"
    assert says in headers["x-rlhalt-reason"]
    assert upstream.requests[-1][1] == asked


def test_several_prompts_pass(upstream):
    with serving(upstream) as address:
        for prompt in (["a", "b"], [[1, 2], [3]]):
            _, headers, _ = post(address, {**PROMPTED, "prompt": prompt}, "/completions")
            assert (headers["x-rlhalt"], headers["x-rlhalt-reason"]) == ("passed", "several prompts")
        _, headers, _ = post(address, {**PROMPTED, "prompt": [1, 2, 3]}, "/completions")
        assert headers["x-rlhalt"] == "cut"


UNSCORED = {
    "no log-probabilities": "no log-probabilities",
    "wrong order": "spell the text",
    "not numbers": "expected a number",
    "gzip": "compressed",
}


@pytest.mark.parametrize("fault", UNSCORED)
def test_what_cannot_be_scored_passes_and_says_so(upstream, fault):
    """Failed is not wrong: at τ = 0.99 nothing would be said."""
    upstream.fault = fault
    with serving(upstream) as address:
        _, headers, raw = post(address, {**ASKED, "rlhalt": {"threshold": 0.99}})
    assert headers["x-rlhalt"] == "unscored"
    assert UNSCORED[fault] in headers["x-rlhalt-reason"]
    if fault != "gzip":
        assert raw == upstream.whole_bytes()


@pytest.mark.parametrize("fault", [one for one in FAULTS if one not in ("429", "500", "silence", "gzip")])
def test_near_0_a_broken_stream_is_as_broken_as_the_upstream(upstream, fault):
    upstream.fault = fault
    with serving(upstream) as address:
        _, headers, raw = post(address, {**ASKED, "stream": True, "rlhalt": NEAR_0})
        whole = upstream.stream_bytes()
        if fault in ("reset", "close"):
            assert raw == b"".join(upstream.events(True, False)[:5])
        else:
            assert raw == whole
        # A failure behind the first text is in the headers where it came in time.
        expected = {"no log-probabilities": {"unscored"}, "error event": {"cut"}, "reset": {"cut"}, "close": {"cut"}}
        assert headers["x-rlhalt"] in expected.get(fault, {"cut", "unscored"})


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        # What came before the failure was scored; what came after is said as it is.
        ("log-probabilities end", "It lies in Asia. It is old."),
        ("wrong order", "Oslo is big. It lies in Asia. It is old."),
        ("late log-probabilities", "Oslo is big. It lies in Asia. It is old."),
        ("broken event", "Oslo is big. It lies in Asia. It is old."),
        ("error event", "It is old."),
    ],
)
def test_a_failure_in_the_middle_of_a_stream(upstream, fault, said):
    upstream.said = pieces(("Oslo is big.", 0.3), ("It lies in Asia.", 0.3), ("It is old.", 0.9))
    upstream.fault = fault
    with serving(upstream) as address:
        _, _, raw = post(address, {**ASKED, "stream": True})
        events = [one for one in Reader().feed(raw) if one.data not in (None, b'{"half": ')]
        assert text(b"".join(one.raw for one in events), True) == said


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["429", "500"])
def test_errors_of_the_upstream_are_passed_on(upstream, fault, stream):
    upstream.fault = fault
    with serving(upstream) as address:
        status, headers, raw = post(address, {**ASKED, "stream": stream})
    assert (status, headers["retry-after"], headers["x-request-id"]) == (int(fault), "7", "r1")
    assert raw == b'{"error":  {"message": "not now", "type": "busy"}}'
    assert headers["x-rlhalt"] == "passed"


@pytest.mark.parametrize("fault", ["silence", "reset"])
def test_an_upstream_that_gives_no_whole_response(upstream, fault):
    upstream.fault = fault
    with serving(upstream, timeout=0.5) as address:
        status, _, raw = post(address, ASKED)
    assert status == (504 if fault == "silence" else 502)
    assert "upstream" in json.loads(raw)["error"]["message"]


def test_an_upstream_that_has_gone(upstream):
    with serving(upstream) as address:
        upstream.__exit__()
        status, _, raw = post(address, ASKED)
        assert (status, json.loads(raw)["error"]["message"]) == (502, "the upstream cannot be reached")
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        connection.request("GET", "/health")
        assert connection.getresponse().status == 503
    upstream.__enter__()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_goes_away_ends_the_upstreams_call(upstream, stream):
    upstream.said = pieces(*[("Oslo is big.", 0.9)] * 400)
    upstream.pause = 0.02
    upstream.fault = "" if stream else "silence"
    with serving(upstream) as address:
        where = urlsplit(address)
        sock = socket.create_connection((where.hostname, where.port))
        raw = json.dumps({**ASKED, "stream": stream}).encode()
        head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        sock.sendall(f"{head}content-length: {len(raw)}\r\n\r\n".encode() + raw)
        if stream:
            assert sock.recv(100).startswith(b"HTTP/1.1 200")
        else:
            assert soon(lambda: bool(upstream.requests))
        sock.close()
        assert soon(lambda: upstream.ended == 1)
        assert soon(lambda: '{outcome="gone"} 1.0' in metrics(address))
        assert "rlhalt_requests_under_way 0.0" in metrics(address)


def metrics(address: str) -> str:
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode()


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"rlhalt": {"threshold": 0}}, "rlhalt.threshold", "above 0 and below 1, found 0"),
        ({"rlhalt": {"threshold": 1}}, "rlhalt.threshold", "found 1"),
        ({"rlhalt": {"threshold": True}}, "rlhalt.threshold", "found true"),
        ({"rlhalt": {"threshold": "0.5"}}, "rlhalt.threshold", 'found "0.5"'),
        ({"rlhalt": {"threshold": float("nan")}}, "rlhalt.threshold", "found NaN"),
        ({"rlhalt": {"threshold": None}}, "rlhalt.threshold", "found null"),
        ({"rlhalt": {"tau": 0.5}}, "rlhalt.tau", "threshold or fragments"),
        ({"rlhalt": {"fragments": 1}}, "rlhalt.fragments", "true or false"),
        ({"rlhalt": 0.5}, "rlhalt", "an object"),
        ({"rlhalt": None}, "rlhalt", "an object"),
        (b"{", None, "JSON"),
        (b"[]", None, "JSON object"),
        (b"\xff", None, "JSON"),
        (b"[" * 100_000, None, "JSON"),
        (b'{"model": "m", "model": "n"}', None, "twice"),
        (b'{"pad": "' + b"x" * (2 << 20) + b'"}', None, "at most 1048576 bytes"),
    ],
    ids=str,
)  # fmt: skip
def test_a_bad_request_is_refused_with_its_field_and_nothing_is_sent(upstream, body, field, says):
    with serving(upstream, max_body=1 << 20) as address:
        status, headers, raw = post(address, body if isinstance(body, bytes) else {**ASKED, **body})
    error = json.loads(raw)["error"]
    assert (status, error["param"], error["type"]) == (400, field, "invalid_request_error")
    assert says in error["message"]
    assert "\n" not in error["message"]
    assert (field or "") in error["message"]
    assert headers["x-rlhalt"] == "refused"
    assert upstream.requests == []


def test_another_content_type_is_refused(upstream):
    """A page of another host can send text without asking, JSON not."""
    with serving(upstream) as address:
        status, _, raw = post(address, ASKED, **{"content-type": "text/plain"})
    assert (status, json.loads(raw)["error"]["param"]) == (400, "content-type")


def test_requests_beyond_the_limit_are_refused(upstream):
    upstream.fault = "silence"
    with serving(upstream, concurrency=1) as address:
        where = urlsplit(address)
        first = http.client.HTTPConnection(where.hostname or "", where.port)
        first.request("POST", "/v1/chat/completions", json.dumps(ASKED), {"content-type": "application/json"})
        assert soon(lambda: bool(upstream.requests))
        status, headers, _ = post(address, ASKED)
        assert (status, headers["retry-after"]) == (429, "1")
        first.close()
        assert soon(lambda: "rlhalt_requests_under_way 0.0" in metrics(address))
        upstream.fault = ""
        assert post(address, ASKED)[0] == 200


def test_the_key_is_passed_through_or_held_and_nowhere_written(upstream, tmp_path):
    log = tmp_path / "log.jsonl"
    with serving(upstream, log=log) as address:
        post(address, ASKED, authorization="Bearer client-secret")
        assert upstream.requests[-1][0]["authorization"] == "Bearer client-secret"
    with serving(upstream, key="held-secret", log=log) as address:
        post(address, {**ASKED, "stream": True}, authorization="Bearer client-secret")
        assert upstream.requests[-1][0]["authorization"] == "Bearer held-secret"
        assert "secret" not in metrics(address)
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    assert [json.loads(one["request"])["messages"] for one in rows] == [ASKED["messages"]] * 2
    assert "secret" not in log.read_text()


def test_requests_without_a_temperature_are_asked_as_the_calibration_was(upstream):
    asked = {name: value for name, value in ASKED.items() if name != "temperature"}
    with serving(upstream) as address:
        assert post(address, asked)[1]["x-rlhalt"] == "cut"
    assert upstream.requests[-1][1]["temperature"] == 0


def test_the_openai_client(upstream):
    with serving(upstream) as address, openai.OpenAI(base_url=address, api_key="k", max_retries=0) as client:
        assert [one.id for one in client.models.list()] == ["m", "other"]
        more = {"rlhalt": {"threshold": 0.5, "fragments": True}}
        whole = client.chat.completions.with_raw_response.create(**ASKED, extra_body=more)
        assert whole.headers["x-rlhalt-left-out"] == "1"
        parsed = whole.parse()
        assert parsed.choices[0].message.content == "Oslo is big. It is old."
        assert parsed.model_extra["rlhalt"]["fragments"][1]["said"] is False
        events = client.chat.completions.create(**ASKED, stream=True, extra_body={"rlhalt": {"threshold": 0.95}})
        assert "".join(one.choices[0].delta.content or "" for one in events if one.choices) == HALT_PHRASE
        assert client.completions.create(**PROMPTED).choices[0].text == "Oslo is big. It is old."
        with pytest.raises(openai.BadRequestError, match=r"rlhalt\.threshold"):
            client.chat.completions.create(**ASKED, extra_body={"rlhalt": {"threshold": 2}})
        upstream.fault = "429"
        with pytest.raises(openai.RateLimitError, match="not now"):
            client.chat.completions.create(**ASKED)
        upstream.fault = "close"
        with pytest.raises((openai.APIError, Exception)):
            list(client.chat.completions.create(**ASKED, stream=True))


def test_a_langchain_client(upstream):
    langchain = pytest.importorskip("langchain_openai", reason="langchain-openai is not installed")
    with serving(upstream) as address:
        model = langchain.ChatOpenAI(
            base_url=address, api_key="k", model="m", temperature=0, extra_body={"rlhalt": {"threshold": 0.5}}
        )
        assert model.invoke("State five facts about Norway.").content == "Oslo is big. It is old."
        assert "".join(one.content for one in model.stream("State five facts.")) == "Oslo is big. It is old."


def test_curl(upstream):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    with serving(upstream) as address:
        argv = ["curl", "--silent", "--show-error", "--include", "--no-buffer", f"{address}/chat/completions"]
        argv += ["--header", "content-type: application/json", "--data", json.dumps({**ASKED, "stream": True})]
        done = subprocess.run(argv, capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    assert b"x-rlhalt: cut" in head
    assert text(body, True) == "Oslo is big. It is old."


def test_other_paths_say_what_there_is(upstream):
    with serving(upstream) as address:
        status, _, raw = post(address, {}, "/embeddings")
        assert status == 404
        assert "/v1/chat/completions" in json.loads(raw)["error"]["message"]
        where = urlsplit(address)
        connection = http.client.HTTPConnection(where.hostname or "", where.port)
        connection.request("GET", "/health")
        assert json.loads(connection.getresponse().read()) == {"status": "ok", "under_way": 0}

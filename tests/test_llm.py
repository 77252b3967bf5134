from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import email.utils
import json
import sqlite3
import sys
import time

import pytest

from judge_server import QUICK, WIRE_FAULTS, JudgeServer
from rlhalt.errors import InputError
from rlhalt.llm import (
    Budget,
    BudgetExceeded,
    CallFailure,
    Client,
    Limits,
    Request,
    Server,
    Usage,
    cache_parts,
    read_answer,
    read_completion,
    read_json,
    retry_after,
)

PRICES = (1.0, 10.0)


def request(text: str = "hello", nonce: str = "") -> Request:
    return Request(({"role": "user", "content": text},), "prompt/1", 50, {"type": "object"}, nonce)


def read(text: str) -> tuple[str, bool]:
    return text, True


def ask(client: Client, one: Request | None = None) -> concurrent.futures.Future[str]:
    return client.submit(client.ask(one or request(), read))


@pytest.fixture
def server():
    with JudgeServer() as running:
        running.answer = "{}"
        yield running


@pytest.mark.parametrize(("fault", "reason"), WIRE_FAULTS.items())
def test_each_fault_of_the_wire_is_a_failure_with_its_reason(server, fault, reason):
    server.faults = {fault: 1.0}
    with Client(Server(server.address, "m"), QUICK) as client, pytest.raises(CallFailure) as caught:
        ask(client).result()
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)
    assert server.struck == {fault: 1}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "broken JSON"),
        (b"\xff", "broken JSON"),
        (b'{"choices": [{"message": {"content": "x"}}], "choices": []}', "broken JSON"),
        (b"[" * 100_000, "broken JSON"),
        (b"{}", "wrong schema"),
        (b"[]", "wrong schema"),
        (b'{"choices": []}', "wrong schema"),
        (b'{"choices": [{"message": {"content": {"a": 1}}}]}', "wrong schema"),
        (b'{"choices": [{"message": {"content": null}}]}', "empty reply"),
        (b'{"choices": [{"message": {"content": " \\n"}}]}', "empty reply"),
        (b'{"choices": [{"message": {"content": "{"}, "finish_reason": "length"}]}', "cut off"),
        (b'{"choices": [{"message": {"content": "no"}, "finish_reason": "content_filter"}]}', "refused"),
    ],
)
def test_a_body_that_is_no_completion_is_a_failure(body, reason):
    said, _ = read_completion(body)
    with pytest.raises(CallFailure) as caught:
        raise said if isinstance(said, CallFailure) else AssertionError(said.answer())
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["", "{", '{"a": NaN}', "{} {}", '{"a": 1, "a": 2}', "```json\n{}\n```", "1" * 5000])
def test_json_is_read_strictly(text):
    with pytest.raises(CallFailure, match="broken JSON"):
        read_json(text)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -5, "completion_tokens": 1}, {"prompt_tokens": True}])
def test_tokens_that_the_server_does_not_tell_are_unknown(usage):
    body = {"choices": [{"message": {"content": "x"}}], "usage": usage}
    said, tokens = read_completion(json.dumps(body).encode())
    assert (said.answer(), tokens) == ("x", None)


def test_a_failed_attempt_is_made_again(server):
    server.faults = {"500": 0.5}
    with Client(Server(server.address, "m"), Limits(attempts=20, backoff=0.001)) as client:
        assert {ask(client).result() for _ in range(20)} == {"{}"}
    assert len(server.requests) == 20 + server.struck["500"]
    assert server.struck["500"] > 0


def bad(text: str) -> tuple[str, bool]:
    raise CallFailure("wrong schema", f"expected verdicts, found {text}")


def test_a_reply_that_cannot_be_read_is_asked_for_once_more_otherwise_and_never_kept(server, tmp_path):
    with Client(Server(server.address, "m"), Limits(attempts=4, backoff=0.001), cache=tmp_path / "c") as client:
        for _ in range(2):
            with pytest.raises(CallFailure, match=r"wrong schema: expected verdicts, found \{\} \(2 attempts\)"):
                client.submit(client.ask(request(), bad)).result()
    first, second, *_ = (one["messages"][-1]["content"] for one in server.requests)
    assert second == f"{first}\nThe last reply could not be read (wrong schema). Reply in the form asked for."
    assert len(server.requests) == 4


@pytest.mark.parametrize("reply", ["", "  ", "{} and \ud83d"])
def test_no_question_is_asked_twice_at_temperature_0(server, reply):
    server.answer = reply
    with Client(Server(server.address, "m"), Limits(attempts=4, backoff=0.001)) as client, pytest.raises(CallFailure):
        ask(client).result()
    asked = [json.dumps(one) for one in server.requests]
    assert len(asked) == len(set(asked)) == 2


def test_a_server_that_draws_its_replies_is_asked_again(server):
    server.refuses = {"temperature": "Unsupported value: 'temperature' does not support 0 with this model."}
    with Client(Server(server.address, "m"), Limits(attempts=4, backoff=0.001)) as client:
        ask(client).result()
        with pytest.raises(CallFailure):
            client.submit(client.ask(request("b"), bad)).result()
    assert [one["messages"][-1]["content"] for one in server.requests] == ["hello", "hello", *["b"] * 4]


def test_what_is_refused_is_not_tried_again(server):
    server.takes_schema = False
    with Client(Server(server.address, "m"), Limits(attempts=3, longest_wait=5.0)) as client:
        server.faults, server.retry_after = {"429": 1.0}, "3600"
        with pytest.raises(CallFailure, match="asks to wait 3600 s"):
            ask(client).result()
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("status", "error", "says", "requests"),
    [
        (400, CallFailure, "refused: 400", 2),  # once more without the schema, which was not the reason
        (401, InputError, "JUDGE_KEY", 1),
        (403, CallFailure, "refused: 403", 1),
        (404, InputError, "the model 'm'", 1),
        (503, CallFailure, "server error: 503", 3),
    ],
)
def test_what_a_status_means(server, status, error, says, requests):
    server.status = status
    with Client(Server(server.address, "m", "JUDGE_KEY"), Limits(attempts=3, backoff=0.001)) as client:
        with pytest.raises(error, match=says):
            ask(client).result()
        assert len(server.requests) == client.usage.calls == requests
        server.status = None
        ask(client).result()
    assert "response_format" in server.requests[-1]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_waited_for(server, form):
    server.faults = {"429": 1.0}
    server.retry_after = "0.6" if form == "seconds" else email.utils.formatdate(time.time() + 3, usegmt=True)
    client = Client(Server(server.address, "m"), Limits(attempts=2, backoff=0.001))
    with client, pytest.raises(CallFailure, match="rate limit"):
        ask(client).result()
    assert server.starts[1] - server.starts[0] >= (0.6 if form == "seconds" else 0.9)


def test_retry_after_holds_back_other_calls_too(server):
    server.faults, server.retry_after = {"429": 1.0}, "0.6"
    with Client(Server(server.address, "m"), Limits(attempts=2, backoff=0.001)) as client:
        first = ask(client)
        while len(server.requests) < 1:
            time.sleep(0.01)
        time.sleep(0.1)
        server.faults = {}
        assert ask(client, request("another")).result() == first.result() == "{}"
    assert all(start - server.starts[0] >= 0.59 for start in server.starts[1:])


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "-2"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers, seconds):
    assert retry_after(headers) == seconds


def test_concurrency_is_used_and_never_exceeded(server):
    server.latency = 0.05
    with Client(Server(server.address, "m"), Limits(concurrency=5)) as client:
        concurrent.futures.wait([ask(client, request(str(one))) for one in range(40)])
    assert len(server.requests) == 40
    assert server.at_once == 5


def test_the_rate_limit_is_never_exceeded(server):
    with Client(Server(server.address, "m"), Limits(requests_per_minute=1200)) as client:
        concurrent.futures.wait([ask(client, request(str(one))) for one in range(20)])
    starts = sorted(server.starts)
    # 50 ms apart; what a busy machine delays on the way may come nearer to the next, but not to the one after a while.
    assert starts[-1] - starts[0] >= 19 * 0.05 - 0.1
    assert all(later - earlier >= 9 * 0.05 - 0.1 for earlier, later in zip(starts, starts[9:], strict=False))


def test_a_budget_in_calls_stops_before_it_is_passed(server):
    with Client(Server(server.address, "m"), Limits(concurrency=4), Budget(calls=7)) as client:
        calls = [ask(client, request(str(one))) for one in range(12)]
        failures = [one.exception() for one in calls]
    assert [isinstance(one, BudgetExceeded) for one in failures].count(True) == 5
    assert len(server.requests) == client.usage.calls == 7


@pytest.mark.parametrize("budget", [Budget(tokens=1000), Budget(money=0.003)])
def test_a_budget_in_tokens_or_money_is_used_but_never_passed(server, budget):
    server.usage = {"prompt_tokens": 20, "completion_tokens": 10}
    with Client(Server(server.address, "m", prices=PRICES), Limits(concurrency=8), budget) as client:
        calls = [ask(client, request(str(one))) for one in range(60)]
        stopped = [one for one in calls if one.exception()]
        most = request("60").most(client.server)
        spent = client.usage
    assert stopped
    assert all(isinstance(one.exception(), BudgetExceeded) for one in stopped)
    assert spent.calls == len(server.requests) == 60 - len(stopped)
    # Calls under way are waited for, so that no more is left over than the next call could have cost.
    if budget.tokens:
        assert 1000 - most.tokens_in - most.tokens_out < spent.tokens_in + spent.tokens_out <= 1000
    else:
        assert 0.003 - most.money < spent.money <= 0.003


def test_an_attempt_of_unknown_cost_counts_in_full(server):
    server.usage = None
    with Client(Server(server.address, "m", prices=PRICES)) as client:
        ask(client).result()
        assert client.usage == request().most(client.server)
        server.faults = {"500": 1.0}
        with pytest.raises(CallFailure):
            client.submit(client._send(request(), client._shape)).result()
        assert client.usage.calls == 2
        assert client.usage.tokens_out == 50


def test_a_budget_in_money_needs_prices(server):
    with pytest.raises(InputError, match="prices"):
        Client(Server(server.address, "m"), budget=Budget(money=1.0))


def test_a_kept_reply_makes_no_request(server, tmp_path):
    cache = tmp_path / "cache.sqlite"
    with Client(Server(server.address, "m"), cache=cache) as client:
        ask(client, request("a 0123456789abcdef b", "0123456789abcdef")).result()
    with Client(Server(server.address, "m"), cache=cache, budget=Budget(calls=0)) as client:
        assert ask(client, request("a fedcba9876543210 b", "fedcba9876543210")).result() == "{}"
        assert client.usage.calls == 0
        assert client.usage.cached == 1
        with pytest.raises(BudgetExceeded):
            ask(client, request("a fedcba9876543210 c", "fedcba9876543210")).result()
    assert len(server.requests) == 1


def test_equal_questions_under_way_together_are_paid_for_once(server, tmp_path):
    server.latency = 0.1
    with Client(Server(server.address, "m"), cache=tmp_path / "c") as client:
        assert [one.result() for one in [ask(client) for _ in range(8)]] == ["{}"] * 8
        assert (client.usage.calls, client.usage.cached) == (1, 7)
        server.faults = {"500": 0.5}
        failing = request("another")
        calls = [client.submit(client.ask(failing, read)) for _ in range(8)]
        assert {one.result() for one in calls} == {"{}"}
    assert len(server.requests) == 2 + server.struck["500"]


def test_a_cache_key_is_made_of_named_parts():
    parts = cache_parts(Server("http://a/v1/", "m"), request("x 12 y", "12"))
    assert parts == {
        "address": "http://a/v1",
        "model": "m",
        "parameters": {"temperature": 0, "max_tokens": 50, "schema": {"type": "object"}},
        "messages": [{"role": "user", "content": "x NONCE y"}],
        "version": "prompt/1",
    }


def test_a_file_that_is_no_cache_is_the_users_to_mend(tmp_path):
    (tmp_path / "cache").write_text("not a data base, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="expected a cache"):
        Client(Server("http://127.0.0.1:1/v1", "m"), cache=tmp_path / "cache")


def test_a_dry_run_tells_calls_and_cost_and_sends_nothing(server, tmp_path):
    with Client(Server(server.address, "m", prices=PRICES), cache=tmp_path / "c") as client:
        ask(client, request("kept")).result()
        usage = client.estimate([request("kept"), request("one"), request("two"), request("two")])
        assert (usage.calls, usage.cached) == (2, 2)
        assert usage.money == pytest.approx((usage.tokens_in * 1 + usage.tokens_out * 10) / 1e6)
        assert "2 calls, 2 cached" in str(usage)
    assert len(server.requests) == 1


def test_a_server_without_structured_output_is_remembered(server):
    server.takes_schema = False
    with Client(Server(server.address, "m")) as client:
        for one in range(3):
            assert ask(client, request(str(one))).result() == "{}"
    assert ["response_format" in one for one in server.requests] == [True, False, False, False]
    assert all(one["temperature"] == 0 for one in server.requests)


@pytest.mark.parametrize(("key", "kept"), [("sk-secret-123", "it says [key]"), ("none", "it says none")])
def test_a_key_that_a_good_reply_repeats_is_kept_nowhere_and_a_word_is_no_key(server, tmp_path, monkeypatch, key, kept):
    monkeypatch.setenv("JUDGE_KEY", key)
    server.answer = lambda body: f"it says {key}"
    with Client(Server(server.address, "m", "JUDGE_KEY"), QUICK, cache=tmp_path / "c") as client:
        assert ask(client).result() == kept
    assert not any(b"sk-secret-123" in file.read_bytes() for file in tmp_path.iterdir())


def test_the_key_comes_from_the_environment_and_stands_nowhere(server, tmp_path, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "sk-secret-123")
    server.faults = {"500": 1.0}
    with Client(Server(server.address, "m", "JUDGE_KEY"), QUICK, cache=tmp_path / "c") as client:
        with pytest.raises(CallFailure):
            ask(client).result()
        server.faults = {}
        ask(client).result()
        assert client.server.clean("Incorrect key: sk-secret-123") == "Incorrect key: [key]"
    assert {one["authorization"] for one in server.headers} == {"Bearer sk-secret-123"}
    assert all(b"sk-secret" not in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "ftp://a/v1", "http://me:secret@a/v1", "http://a/v1?key=secret"])
def test_an_address_is_checked(address):
    with pytest.raises(InputError, match="expected"):
        Server(address, "m")


@pytest.mark.parametrize("field", ["concurrency", "timeout", "attempts", "requests_per_minute"])
def test_limits_are_checked(field):
    with pytest.raises(InputError, match=field):
        Limits(**{field: 0})


def test_without_openai_the_install_is_named(server, monkeypatch):
    monkeypatch.delitem(sys.modules, "rlhalt.llm.wire", raising=False)
    monkeypatch.setitem(sys.modules, "openai", None)
    with (
        Client(Server(server.address, "m")) as client,
        pytest.raises(InputError, match=r"pip install 'rlhalt\[judge\]'"),
    ):
        ask(client).result()


def test_it_serves_threads_and_other_loops_alike(server):
    with Client(Server(server.address, "m")) as client:

        async def elsewhere() -> list[str]:
            return await asyncio.gather(*(asyncio.wrap_future(ask(client, request(str(one)))) for one in range(5)))

        assert asyncio.run(elsewhere()) == ["{}"] * 5
        with concurrent.futures.ThreadPoolExecutor(5) as pool:
            assert list(pool.map(lambda one: ask(client, request(one)).result(), "abcde")) == ["{}"] * 5


def test_closing_ends_what_is_under_way(server):
    server.faults = {"time-out": 1.0}
    with Client(Server(server.address, "m")) as client:
        call = ask(client)
        while not server.requests:
            time.sleep(0.01)
    assert call.cancelled()
    client.close()


REFUSALS = {
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is.",
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
    "response_format": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
}


@pytest.mark.parametrize("names", [[one] for one in REFUSALS] + [list(REFUSALS)], ids="+".join)
def test_a_field_that_a_server_refuses_is_tried_once_and_remembered_for_that_server(server, names):
    server.refuses = {name: REFUSALS[name] for name in names}
    with Client(Server(server.address, "m")) as client, JudgeServer() as other:
        other.answer = "{}"
        for one in range(3):
            assert ask(client, request(str(one))).result() == "{}"
        with Client(Server(other.address, "m")) as elsewhere:
            ask(elsewhere).result()
        assert set(REFUSALS) < set(other.requests[0])
    assert len(server.requests) == 3 + len(names)
    for body in server.requests[-3:]:
        assert [name for name in REFUSALS if name not in body] == [name for name in REFUSALS if name in names]
        assert ("max_completion_tokens" in body) == ("max_tokens" in names)


def test_a_server_that_takes_no_list_sizes_keeps_the_rest_of_the_schema(server):
    """OpenAI's strict schemas did not permit minItems at first."""
    sized = {"type": "object", "properties": {"minItems": {"type": "array", "minItems": 2, "maxItems": 2}}}
    plain = {"type": "object", "properties": {"minItems": {"type": "array"}}}
    server.refuses = {'"minItems": 2': "Invalid schema for response_format 'reply': 'minItems' is not permitted."}
    with Client(Server(server.address, "m")) as client:
        for one in range(2):
            assert ask(client, dataclasses.replace(request(str(one)), schema=sized)).result() == "{}"
    schemas = [one["response_format"]["json_schema"]["schema"] for one in server.requests]
    assert schemas == [sized, plain, plain]


@pytest.mark.parametrize(
    "said",
    [
        "This model's maximum context length is 4096 tokens: reduce max_tokens or the messages",
        "max_tokens is too large: 50. This model takes at most 40 max_completion_tokens",
        "the messages are refused",
        "temperature",
    ],
)
def test_a_refusal_that_stays_is_no_field_s_fault(server, said):
    server.refuses = {"messages": said}
    with Client(Server(server.address, "m")) as client:
        with pytest.raises(CallFailure, match="refused: 400"):
            ask(client).result()
        assert len(server.requests) <= 4
        server.refuses = {}
        ask(client).result()
    assert set(REFUSALS) < set(server.requests[-1])


def test_body_and_limit_are_settings_and_the_users_fields_stay(server, tmp_path):
    body = {"reasoning_effort": "low", "temperature": 1, "response_format": None}
    chosen = Server(server.address, "m", max_tokens=9000, body=body)
    with Client(chosen, cache=tmp_path / "c") as client:
        ask(client).result()
        server.refuses = {"temperature": "no 'temperature'"}
        with pytest.raises(CallFailure, match="no 'temperature'"):
            ask(client, request("other")).result()
    first = server.requests[0]
    assert first.items() >= {"reasoning_effort": "low", "temperature": 1, "max_tokens": 9000}.items()
    assert "response_format" not in first
    assert len(server.requests) == 2
    assert request().most(chosen).tokens_out == 9000

    server.refuses = {}
    for model, calls in (
        (dataclasses.replace(chosen, max_tokens=99_000), 2),
        (dataclasses.replace(chosen, body={}), 3),
    ):
        with Client(model, cache=tmp_path / "c") as client:
            ask(client).result()
        # A larger limit changes no reply that has ended by itself; another body may.
        assert len(server.requests) == calls


@pytest.mark.parametrize("body", [{"model": "x"}, {"messages": []}, {"n": 2}, {"stream": True}, {"max_tokens": 5}])
def test_settings_do_not_change_what_rlhalt_sets_itself(body):
    with pytest.raises(InputError, match=next(iter(body))):
        Server("http://a/v1", "m", body=body)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('<think>Is {"a": 2} right?</think>{"a": 1}', {"a": 1}),
        ('It is {"a": 2}.\n</think>\n\n{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('<think>\n</think>\n```\n{"a": [1, 2,],}\n```\n', {"a": [1, 2]}),
        ('{"a": "x,}",}', {"a": "x,}"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('{"a": "</think>{}"}', {"a": "</think>{}"}),
    ],
)
def test_reasoning_fences_and_a_last_comma_are_read(text, value):
    assert read_answer(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "Here: {}",
        "{} ok",
        "{}{}",
        "{},",
        "[1,,]",
        "[,]",
        "[,1]",
        "{,}",
        '{"a": 1,,}',
        '{"a": 1, "a": 2,}',
        "[NaN,]",
        "<think>{}",
        "<think>a</think>b</think>{}",
        "```json\n{}",
        "```json\n{}\n```\nok",
        "```json\n{}\n```\n```json\n{}\n```",
        '{"a": "\\ud83d"}',
        '{"\\udc00": 1}',
    ],
)
def test_everything_else_is_no_answer(text):
    with pytest.raises(CallFailure, match="broken JSON"):
        read_answer(text)


@pytest.mark.parametrize("reply", ['{"a": "\ud83d"}', '{"a": "\\ud83d"}'], ids=["in the text", "in its JSON"])
def test_half_a_character_fails_and_is_never_kept(server, tmp_path, reply):
    server.answer = reply
    with Client(Server(server.address, "m"), QUICK, cache=tmp_path / "c") as client:
        for calls in (1, 2):
            with pytest.raises(CallFailure, match="half of a character"):
                client.submit(client.ask(request(), lambda text: (read_answer(text), True))).result()
            assert len(server.requests) == calls


BAD_ENTRIES = {
    "parts that are no JSON": ("parts", "{"),
    "parts of another question": ("parts", "{}"),
    "no parts": ("parts", None),
    "a blob": ("reply", b"\xff"),
    "no reply": ("reply", None),
    "a reply that cannot be read": ("reply", "what?"),
}


@pytest.mark.parametrize("entry", BAD_ENTRIES.values(), ids=BAD_ENTRIES)
def test_a_bad_entry_of_the_cache_is_a_miss(server, tmp_path, entry):
    def value(text: str) -> tuple[object, bool]:
        return read_answer(text), True

    for calls in (1, 2):
        with Client(Server(server.address, "m"), cache=tmp_path / "c") as client:
            for _ in range(2):
                assert client.submit(client.ask(request(), value)).result() == {}
            assert client.usage.cached == 1
        assert len(server.requests) == calls
        with contextlib.closing(sqlite3.connect(tmp_path / "c", isolation_level=None)) as base:
            base.execute(f"UPDATE replies SET {entry[0]} = ?", [entry[1]])


def test_a_cache_that_is_broken_while_it_is_used_costs_nothing_that_was_paid_for(server, tmp_path, capsys):
    with Client(Server(server.address, "m"), cache=tmp_path / "c") as client:
        ask(client).result()
        with contextlib.closing(sqlite3.connect(tmp_path / "c", isolation_level=None)) as base:
            base.execute("DROP TABLE replies")
        assert [ask(client, request(str(one))).result() for one in range(6)] == ["{}"] * 6
    assert capsys.readouterr().err.count("replies count, but not all are kept") == 1


def test_a_cache_that_another_process_has_locked_is_not_waited_for_again_and_again(server, tmp_path):
    with (
        Client(Server(server.address, "m"), cache=tmp_path / "c") as client,
        contextlib.closing(sqlite3.connect(tmp_path / "c", isolation_level=None)) as base,
    ):
        base.execute("BEGIN IMMEDIATE")
        assert [ask(client, request(str(one))).result() for one in range(8)] == ["{}"] * 8
        base.execute("ROLLBACK")


@pytest.mark.parametrize("kind", ["a folder", "below a file"])
def test_a_path_that_can_be_no_cache_is_told(tmp_path, kind):
    (tmp_path / "file").write_text("")
    path = tmp_path if kind == "a folder" else tmp_path / "file" / "cache"
    with pytest.raises(InputError, match="expected a cache"):
        Client(Server("http://127.0.0.1:1/v1", "m"), cache=path)


def test_refused_connections_spend_no_budget():
    with Client(Server("http://127.0.0.1:1/v1", "m"), Limits(attempts=3, backoff=0.001), Budget(calls=1)) as client:
        with pytest.raises(CallFailure, match="connection"):
            ask(client).result()
        assert client.usage == Usage()


@pytest.mark.parametrize("fault", ["reset", "closed", "half a body", "no HTTP", "302"])
def test_a_request_that_was_sent_counts_whatever_comes_back(server, fault):
    server.faults = {fault: 1.0}
    with Client(Server(server.address, "m"), QUICK) as client:
        with pytest.raises(CallFailure):
            ask(client).result()
        assert client.usage.calls == len(server.requests) == 1


def never_ends(client: Client) -> InputError:
    """Ask again and again until the run is stopped."""
    for one in range(1000):
        error = ask(client, request(str(one))).exception()
        if not isinstance(error, CallFailure):
            return error
    raise AssertionError("1000 calls have failed")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("rlhalt.llm.health.SECONDS", 0.3)


@pytest.mark.parametrize("how", ["refused", 401, 404])
def test_a_dead_server_stops_the_run(server, impatient, how):
    with Client(Server(server.address, "m", "JUDGE_KEY"), Limits(attempts=2, backoff=0.02)) as client:
        ask(client).result()
        if how == "refused":
            server.close()
        else:
            server.status = how
        error = never_ends(client)
        assert isinstance(error, InputError)
        assert "nothing but" in str(error)
        assert server.address in str(error)


def test_a_server_that_was_never_there_stops_the_run(impatient):
    with Client(Server("http://127.0.0.1:1/v1", "m"), Limits(attempts=2, backoff=0.02)) as client:
        assert "127.0.0.1:1" in str(never_ends(client))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_not_dead(server, impatient, status):
    server.status = status
    with Client(Server(server.address, "m"), Limits(attempts=2, backoff=0.02)) as client:
        errors = [ask(client, request(str(one))).exception() for one in range(30)]
    assert {type(one) for one in errors} == {CallFailure}


def test_a_server_that_is_working_or_answers_now_and_then_is_not_dead(server, impatient):
    limits = Limits(attempts=1, backoff=0.001)
    with Client(Server(server.address, "m"), limits) as client:
        ask(client).result()
        server.latency = 30
        slow = ask(client, request("slow"))
        while len(server.requests) < 2:
            time.sleep(0.01)
        time.sleep(0.2)
        server.latency = 0
        server.status = 404
        for one in range(12):
            assert isinstance(ask(client, request(str(one))).exception(), CallFailure)
            time.sleep(0.05)
        assert not slow.done()

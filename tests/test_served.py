"""Sampling from a served model, over HTTP."""

from __future__ import annotations

import functools
import json
import sys
import types
from typing import Any

import pytest

from judge_faults import BODIES, CONNECTION, STATUSES
from judge_server import JudgeServer
from rlhalt.cli import main
from rlhalt.errors import InputError, TooManyFailures
from rlhalt.fragments import thinking
from rlhalt.llm import Limits
from rlhalt.records import Prompt, Response, content_key, dumps, read
from rlhalt.sampling import Settings, load_engine, sample

PROMPTS = [
    Prompt(content_key(n), [{"role": "user", "content": f"State {n}."}], {"subject": str(n)}, "countries", "train")
    for n in range(6)
]
SETTINGS = Settings("big", "openai", responses=2, temperature=0.7, max_tokens=40, batch_size=1)


def echo(body: dict[str, Any]) -> str:
    return f"{body['messages'][-1]['content']} {body.get('seed')}"


def choice(content: str | None, finish: object = "stop", **more: object) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": content, **more}, "finish_reason": finish}


@pytest.fixture
def server():
    with JudgeServer() as running:
        running.answer = echo
        yield running


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    limits = functools.partial(Limits, attempts=3, backoff=0.001)
    monkeypatch.setattr("rlhalt.sampling.openai.Limits", lambda **given: limits(**given))


def load(server: JudgeServer, **more: Any):
    return functools.partial(load_engine, address=server.address, **more)


def one(server: JudgeServer, temperature: float = 0.7, **more: Any):
    engine = load(server, **more)("big", "openai")
    try:
        return engine.complete([PROMPTS[0].prompt], temperature=temperature, max_tokens=40, seed=5)[0]
    finally:
        engine.close()


def test_responses_come_from_the_server_with_its_models_name(server, tmp_path):
    server.latency = 0.05
    rows = sample(PROMPTS, SETTINGS, tmp_path / "r.jsonl", load(server, concurrency=4))
    assert [(row.reference["subject"], row.index) for row in rows] == [(str(n), i) for i in (0, 1) for n in range(6)]
    assert {row.sampler["served"] for row in rows} == {"served"}
    assert {(row.sampler["model"], row.sampler["engine"], row.n_tokens) for row in rows} == {("big", "openai", 10)}
    assert all(row.response.startswith(row.prompt[-1]["content"]) for row in rows)
    assert len({one["seed"] for one in server.requests}) == 12
    first = server.requests[0]
    assert {"model": "big", "temperature": 0.7, "max_tokens": 40, "top_p": 1}.items() <= first.items()
    assert "response_format" not in first
    assert 1 < server.at_once <= 4
    # Nothing is asked again.
    sample(PROMPTS, SETTINGS, tmp_path / "r.jsonl", lambda *_, **__: pytest.fail("loaded"))


def test_the_failed_ones_alone_are_asked_for_again_and_the_rows_are_the_same(server, tmp_path):
    straight = sample(PROMPTS, SETTINGS, tmp_path / "straight.jsonl", load(server))
    before = len(server.requests)
    server.answer = lambda body: choice("x", "content_filter") if "State 3" in str(body["messages"]) else echo(body)
    with pytest.raises(TooManyFailures, match=r"2 requests gave no response.*content filter.*run the same command"):
        sample(PROMPTS, SETTINGS, tmp_path / "r.jsonl", load(server))
    assert len(server.requests) == before + 12
    server.answer = echo
    assert sample(PROMPTS, SETTINGS, tmp_path / "r.jsonl", load(server)) == straight
    assert [one["messages"][-1]["content"] for one in server.requests[before + 12 :]] == ["State 3."] * 2


def test_chaos_loses_and_invents_nothing(server, tmp_path):
    prompts = [
        Prompt(content_key(n), [{"role": "user", "content": f"State {n}."}], {"subject": str(n)}, "c", "train")
        for n in range(120)
    ]
    settings = Settings("big", "openai", temperature=0.7, batch_size=1)
    sample(prompts[:1], settings, tmp_path / "first.jsonl", load(server))
    server.kinds = tuple({*CONNECTION, *STATUSES, *BODIES} - {"time-out", "drip", "endless", "endless 500", "gzip"})
    server.kinds = tuple(sorted({*server.kinds} - {"cut off", "content null"}))
    server.chaos = 0.4
    for _ in range(20):
        try:
            rows = sample(prompts, settings, tmp_path / "r.jsonl", load(server, timeout=5))
            break
        except TooManyFailures:
            continue
    assert [row.reference["subject"] for row in rows] == [str(n) for n in range(120)]
    assert all(row.response.startswith(row.prompt[-1]["content"]) for row in rows)
    assert len(server.struck) > 20


@pytest.mark.parametrize(
    ("said", "text", "finish"),
    [
        (choice("It is."), "It is.", "stop"),
        (choice("It is", "length"), "It is", "length"),
        (choice(" \nIt is. "), " \nIt is. ", "stop"),
        (choice("It is.", reasoning_content="Is it?"), "<think>\nIs it?\n</think>\n\nIt is.", "stop"),
        (choice("It is.", reasoning="Is it?\n"), "<think>\nIs it?\n</think>\n\nIt is.", "stop"),
        (choice(None, "length", reasoning_content="Is"), "<think>\nIs", "length"),
        (choice("It", "length", reasoning="Is it?"), "<think>\nIs it?\n</think>\n\nIt", "length"),
    ],
)
def test_what_a_server_says_becomes_a_completion(server, said, text, finish):
    server.answer = lambda body: said
    found = one(server)
    assert (found.text, found.finish_reason, found.n_tokens, found.model) == (text, finish, 10, "served")
    assert thinking.unclosed(found.text) == (text == "<think>\nIs")


def test_a_model_may_say_nothing(server):
    server.answer, server.usage = "", {"prompt_tokens": 9, "completion_tokens": 1}
    assert one(server).text == ""


@pytest.mark.parametrize(
    "said",
    [choice(""), choice(None), choice("x", None), choice("x", "tool_calls"), choice("x", "error"), choice("\ud83d")],
)
@pytest.mark.parametrize("temperature", [0, 0.7])
def test_what_is_no_response_is_asked_for_again_unchanged_and_then_fails(server, said, temperature):
    server.answer = lambda body: said
    with pytest.raises(Exception, match=r"3 attempts"):
        one(server, temperature)
    assert len({json.dumps(request) for request in server.requests}) == 1
    assert len(server.requests) == 3


def test_tokens_that_the_server_does_not_tell_are_not_made_up(server):
    server.usage = None
    with pytest.raises(Exception, match=r"usage\.completion_tokens"):
        one(server)


def test_fields_that_a_reasoning_model_refuses_are_left_out(server):
    server.refuses = {
        "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "temperature": "Unsupported value: 'temperature' does not support 0.7 with this model.",
        "top_p": "Unsupported parameter: 'top_p' is not supported with this model.",
        "seed": "Unknown field: seed",
    }
    assert one(server).text == "State 0. None"
    assert server.requests[-1].keys() == {"model", "messages", "max_completion_tokens"}


def test_arguments_of_the_template_are_sent(server):
    engine = load(server)("big", "openai", {"enable_thinking": False})
    engine.complete([PROMPTS[0].prompt], temperature=0, max_tokens=40, seed=5)
    engine.close()
    assert server.requests[0]["chat_template_kwargs"] == {"enable_thinking": False}
    assert "seed" not in server.requests[0]


def test_an_answer_that_another_model_began_is_refused(server):
    engine = load(server)("big", "openai")
    with pytest.raises(InputError, match="end with a user's message"):
        engine.complete(
            [[*PROMPTS[0].prompt, {"role": "assistant", "content": "It"}]], temperature=0, max_tokens=4, seed=0
        )
    engine.close()


def sampled(server: JudgeServer, tmp_path, *more: str) -> int:
    (tmp_path / "prompts.jsonl").write_text("".join(dumps(row) + "\n" for row in PROMPTS))
    flags = ["--model", "big", "--prompts", f"{tmp_path}/prompts.jsonl", "--output", f"{tmp_path}/r.jsonl"]
    return main(["sample", *flags, *more])


def test_the_command_samples_with_the_key_of_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("BIG_KEY", "sk-secret-9")
    assert sampled(server, tmp_path, "--engine", "openai", "--address", server.address, "--key", "BIG_KEY") == 0
    assert len(list(read(tmp_path / "r.jsonl", Response))) == 24
    assert {one["authorization"] for one in server.headers} == {"Bearer sk-secret-9"}
    assert all(b"sk-secret" not in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--engine", "openai"], "--address"),
        (["--engine", "transformers", "--address", "http://a/v1"], "only used with --engine openai"),
        (["--engine", "transformers", "--dtype", "float16"], "only used with --engine vllm"),
        (["--engine", "openai", "--address", "http://a/v1", "--tensor-parallel", "2"], "only used with --engine vllm"),
        (["--engine", "openai", "--address", "a:80"], "http://"),
        (["--engine", "openai", "--address", "http://127.0.0.1:1/v1", "--temperature", "0"], "at temperature 0"),
    ],
)
def test_flags_that_do_not_fit_are_refused(server, tmp_path, capsys, flags, says):
    assert sampled(server, tmp_path, *flags) == 2
    assert says in capsys.readouterr().err


def test_a_server_that_knows_no_such_model_stops_at_once(server, tmp_path, capsys):
    server.status = 404
    assert sampled(server, tmp_path, "--engine", "openai", "--address", server.address) == 2
    assert "the model 'big'" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["evaluate", "general"])
def test_what_needs_probabilities_says_why_it_takes_no_served_model(verb, capsys):
    assert main([verb, "--engine", "openai"]) == 2
    assert "probabilities" in capsys.readouterr().err


def test_vllm_takes_its_options_and_a_seed_for_each_request(tiny_model, monkeypatch):
    made: dict[str, Any] = {}
    seeds: list[int] = []

    class Llm:
        def __init__(self, **options: Any) -> None:
            made.update(options)

        def get_tokenizer(self) -> Any:
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(tiny_model)

        def generate(self, prompts: list[Any], params: list[Any], use_tqdm: bool) -> list[Any]:
            seeds.extend(one.seed for one in params)
            return [types.SimpleNamespace(outputs=[types.SimpleNamespace(token_ids=[5, 6])]) for _ in prompts]

    fake = types.ModuleType("vllm")
    fake.LLM, fake.SamplingParams = Llm, lambda **given: types.SimpleNamespace(**given)
    monkeypatch.setitem(sys.modules, "vllm", fake)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    from rlhalt.sampling.vllm import VllmEngine

    options = {"tensor_parallel": 2, "longest": 512, "dtype": "float16"}
    engine = VllmEngine(str(tiny_model), **options)
    assert (made["tensor_parallel_size"], made["max_model_len"], made["dtype"]) == (2, 512, "float16")
    # Equal prompts in one batch must not get equal responses.
    engine.complete([PROMPTS[0].prompt] * 3, temperature=1, max_tokens=2, seed=7)
    assert len(set(seeds)) == 3
    with pytest.raises(InputError, match="1,024"):
        VllmEngine(str(tiny_model), longest=99_999)
    described = Settings("m", "vllm", engine_args=options).described()
    assert json.loads(described["engine_args"]) == options
    assert "engine_args" not in Settings("m", "vllm").described()

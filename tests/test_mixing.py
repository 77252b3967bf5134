"""General instructions mixed into supervised training: counted, drawn evenly, and none that `rlhalt general` asks."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from rlhalt.cli import main
from rlhalt.contamination import trained_on
from rlhalt.errors import InputError
from rlhalt.evaluation.general import instructions
from rlhalt.records import Response, Target, content_key, read, user, write
from rlhalt.training import general_instructions, mixing, training_run
from rlhalt.training.mixing import drawn, own_answers, read_instructions, refuse_evaluated
from tiny_training import TRAINING


def target(question: str, answer: str) -> Target:
    return Target(content_key(question, answer), user(question), [{"role": "assistant", "content": answer}], "own", "s")


def rows(*pairs: tuple[str, str]) -> list[Target]:
    return [target(question, answer) for question, answer in pairs]


def write_lines(path: Path, *lines: object) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


@pytest.mark.parametrize(
    "line",
    [
        {"prompt": "Say hello.", "response": "Hello!"},
        {"prompt": "Say hello.", "completion": "Hello!"},
        {"prompt": user("Say hello."), "response": "Hello!", "n_tokens": 3},
        {"messages": [*user("Say hello."), {"role": "assistant", "content": "Hello!"}], "source": "somebody"},
    ],
)
def test_rows_as_people_and_data_sets_have_them(tmp_path, line):
    [found] = read_instructions(write_lines(tmp_path / "mix.jsonl", line))
    assert (found.prompt, found.completion[0]["content"]) == (user("Say hello."), "Hello!")


def test_a_conversation_is_learnt_at_its_last_turn(tmp_path):
    before = [*user("Hi."), {"role": "assistant", "content": "Hello."}, *user("And now?")]
    line = {"messages": [*before, {"role": "assistant", "content": "Bye."}]}
    [found] = read_instructions(write_lines(tmp_path / "mix.jsonl", line))
    assert (found.prompt, found.completion[0]["content"]) == (before, "Bye.")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "at least one"),
        ([{"prompt": "Say hello."}], "completion"),
        ([{"response": "Hello!"}], "prompt"),
        ([{"prompt": "Say hello.", "response": " "}], "completion"),
        ([{"prompt": "Say hello.", "response": 3}], "completion"),
        ([{"messages": [{"role": "user"}, {"role": "assistant", "content": "Hello!"}]}], "prompt"),
    ],
)
def test_rows_that_are_none(tmp_path, lines, told):
    with pytest.raises(InputError, match=told) as caught:
        read_instructions(write_lines(tmp_path / "mix.jsonl", *lines))
    assert "mix.jsonl" in str(caught.value)


@pytest.mark.parametrize("one", instructions(), ids=lambda one: one.instruction[:20])
def test_no_instruction_of_the_evaluation_is_trained_on(tmp_path, one):
    said = (one.instruction, one.instruction.upper(), f"Please do this.  {one.instruction.rstrip('.')} !")
    for asked in said:
        with pytest.raises(InputError, match=r"jsonl:2.*rlhalt general"):
            refuse_evaluated(rows(("Say hello.", "Hello!"), (asked, one.answer)), tmp_path / "mix.jsonl")
    talk = [*user(one.instruction), {"role": "assistant", "content": one.answer}, *user("Thank you.")]
    earlier = Target("k", talk, [{"role": "assistant", "content": "You are welcome."}], "own", "s")
    with pytest.raises(InputError, match="jsonl:1"):
        refuse_evaluated([earlier], tmp_path / "mix.jsonl")


def test_the_instructions_for_own_answers_are_others_and_each_stands_once(tmp_path):
    asked = general_instructions()
    assert len(asked) > 150
    assert len({one.casefold() for one in asked}) == len(asked)
    refuse_evaluated(rows(*((one, "x") for one in asked)), tmp_path / "mix.jsonl")


@pytest.mark.parametrize(("targets", "share", "expected"), [(30, 0.25, 10), (30, 0.5, 30), (1, 0.01, 1), (10, 0.9, 90)])
def test_as_many_as_the_share_says_each_as_often_as_the_others(targets, share, expected):
    found = drawn(rows(*((str(n), "a") for n in range(7))), targets, share, seed=0)
    assert len(found) == expected
    counts = Counter(one.key for one in found)
    assert max(counts.values()) - min(counts.values(), default=0) <= 1


def test_draws_are_the_same_for_a_seed():
    some = rows(*((str(n), "a") for n in range(50)))
    assert drawn(some, 30, 0.25, 1) == drawn(some, 30, 0.25, 1) != drawn(some, 30, 0.25, 2)


@pytest.fixture
def training(tiny_model, tmp_path):
    """A configuration, targets and a way to train on them."""
    write(tmp_path / "targets.jsonl", rows(*((f"State five facts about {n}.", "It is in Asia.") for n in range(6))))
    keys = {**TRAINING, "max_steps": 2, "per_device_train_batch_size": 4, "model_name_or_path": str(tiny_model)}
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(keys))

    def train(*argv: str, config: dict[str, object] | None = None) -> int:
        (tmp_path / "sft.yaml").write_text(yaml.safe_dump({**keys, **(config or {})}))
        files = ["--train_file", str(tmp_path / "targets.jsonl"), "--output_dir", str(tmp_path / "sft")]
        return main(["train", "sft", "--config", str(tmp_path / "sft.yaml"), *files, *argv])

    return train


def record(folder: Path) -> dict[str, object]:
    return json.loads((folder / "sft" / "run.json").read_text())


def test_a_file_is_mixed_in_and_counted_and_its_prompts_are_noted(training, tmp_path):
    file = write_lines(tmp_path / "mix.jsonl", *({"prompt": f"Say {n}.", "response": str(n)} for n in range(5)))
    assert training(config={"mix_file": str(file), "mix_share": 0.25}) == 0
    found = record(tmp_path)
    assert found["mixed"] == {"file": str(file), "share": 0.25, "rows": 2, "of": 5}
    assert len(found["prompts"]) == 6 + 2
    assert trained_on(tmp_path / "sft") == set(found["prompts"])


def test_nothing_is_mixed_in_where_nothing_is_named(training, tmp_path):
    assert training() == 0
    assert "mixed" not in record(tmp_path)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (["--mix_share", "0.5"], "mix_file"),
        (["--mix_file", "FILE", "--mix_share", "1"], "below 1"),
        (["--mix_file", "FILE", "--mix_share", "0"], "above 0"),
        (["--mix_file", "no.jsonl"], "own for the model's own answers"),
        (["--mix_file", "LEAK"], "rlhalt general"),
    ],
)
def test_what_cannot_be_mixed_is_one_line(training, tmp_path, capsys, keys, told):
    files = {
        "FILE": write_lines(tmp_path / "mix.jsonl", {"prompt": "Say hello.", "response": "Hello!"}),
        "LEAK": write_lines(tmp_path / "leak.jsonl", {"prompt": "Say only this: OK", "response": "OK"}),
    }
    assert training(*(str(files.get(one, one)) for one in keys)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert told in error
    assert not (tmp_path / "sft" / "model.safetensors").exists()


def test_another_mix_is_another_training_wherever_it_lies(tmp_path, tiny_model):
    (tmp_path / "config.yaml").write_text("learning_rate: 0.1\n")
    (tmp_path / "data.jsonl").write_text("{}\n")

    def fingerprint(text: str, name: str, *argv: str) -> str:
        (tmp_path / name).write_text(text)
        keys = ["--config", str(tmp_path / "config.yaml"), *(one.replace("MIX", str(tmp_path / name)) for one in argv)]
        run = training_run("sft", keys, tmp_path / "data.jsonl", tmp_path / "out", str(tiny_model))
        return str(run._record["fingerprint"])

    plain = fingerprint("a", "mix.jsonl")
    one = fingerprint("a", "mix.jsonl", "--mix_file", "MIX")
    assert len({plain, one, fingerprint("b", "mix.jsonl", "--mix_file", "MIX")}) == 3
    assert one == fingerprint("a", "mix.jsonl", "--mix_file=MIX") == fingerprint("a", "mix.jsonl", "--mix-file", "MIX")
    assert fingerprint("a", "mix.jsonl", "--mix_file", "own") not in (plain, one)
    (tmp_path / "config.yaml").write_text(f"learning_rate: 0.1\nmix_file: {tmp_path / 'mix.jsonl'}\n")
    assert fingerprint("a", "mix.jsonl") != fingerprint("b", "mix.jsonl")


def test_own_answers_are_generated_once_and_those_that_were_cut_off_are_left_out(tiny_model, tmp_path, monkeypatch):
    from rlhalt.sampling import Completion
    from rlhalt.sampling.local import TransformersEngine

    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path))
    asked = []

    def complete(self, chats, *, temperature, max_tokens, seed):
        asked.extend(chats)
        assert temperature == 0.0
        ends = ["length" if "number" in chat[-1]["content"] else "stop" for chat in chats]
        return [Completion(f"Answer {len(asked)}", 3, end) for end in ends]

    monkeypatch.setattr(TransformersEngine, "complete", complete)
    first = own_answers(str(tiny_model))
    found = list(read(first, Target))
    assert [chat[-1]["content"] for chat in asked] == general_instructions()
    assert [one.prompt[-1]["content"] for one in found] == [
        one for one in general_instructions() if "number" not in one
    ]
    monkeypatch.setattr(TransformersEngine, "complete", lambda *_, **__: pytest.fail("asked again"))
    assert own_answers(str(tiny_model)) == first


def test_a_model_that_ends_no_answer_says_so(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path))
    monkeypatch.setattr(mixing, "ANSWER_TOKENS", 1)
    monkeypatch.setattr(mixing, "general_instructions", lambda: ["Say hello."])
    with pytest.raises(InputError, match="within 1 tokens, found none"):
        own_answers(str(tiny_model))
    assert not list(tmp_path.rglob("*.jsonl"))


def test_what_sample_writes_can_be_mixed_in(tmp_path):
    row = Response("k", "p", 0, user("Say hello."), "Hello!", {}, "", "train", "stop", {}, 3)
    write(tmp_path / "responses.jsonl", [row])
    assert [one.completion[0]["content"] for one in read_instructions(tmp_path / "responses.jsonl")] == ["Hello!"]

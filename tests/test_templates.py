"""Every stage under templates of every kind: what is asked, what was said, and where a turn ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from chat_templates import ANSWERS, ASKED, CHATML, FAMILIES, LLAMA, QUESTION, RIGHT, SYSTEM, WRONG, speaking, tokenizer
from rlhalt.chat.templates import DATE, Template, prepare, turn_ends
from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.records import Confidence, Pair, Prompt, Response, Scored, read, write
from rlhalt.training.token_alignment import Prompts
from tiny_training import ONLINE, TRAINING

pytestmark = pytest.mark.filterwarnings("ignore")


class Generation:
    """A generation configuration, as far as it is read."""

    def __init__(self, eos_token_id: int | list[int] | None = None) -> None:
        self.eos_token_id = eos_token_id
        self.pad_token_id: int | None = None


@pytest.fixture(params=list(FAMILIES))
def family(request):
    return FAMILIES[request.param]


def test_a_model_is_asked_as_its_template_asks(family):
    template = Template(tokenizer(family), family.arguments)
    assert template.asked(ASKED) == family.asked
    assert template.asked([SYSTEM, *ASKED]) == family.told
    assert template.end == family.end


def test_a_row_is_the_prompt_and_the_answer_as_it_was_written(family):
    made = tokenizer(family)
    template = Template(made, family.arguments)
    answer = f"{family.reasoning}{RIGHT}"
    text = family.asked + answer.removeprefix(family.opening) + family.end
    assert template.said(ASKED, answer) == text
    assert template.before(ASKED, answer) == family.asked.removesuffix(family.opening)
    # What trainers are given says the same.
    chat = [*ASKED, {"role": "assistant", "content": answer}]
    assert made.apply_chat_template(chat, chat_template=template.source, tokenize=False) == text
    ids = template.encode(ASKED)
    assert made(text, add_special_tokens=False)["input_ids"][: len(ids)] == ids
    # Going on where an answer was left.
    assert template.asked(chat) == text.removesuffix(family.end)


def test_an_answer_without_reasoning_closes_what_the_template_opened():
    family = FAMILIES["deepseek"]
    template = Template(tokenizer(family))
    assert template.said(ASKED, RIGHT) == f"{family.asked}\n</think>\n\n{RIGHT}{family.end}"
    assert template.before(ASKED, RIGHT) == f"{family.asked}\n</think>\n\n"
    # A response that begins inside the reasoning is put there.
    inside = f"Europe?\n</think>\n\n{RIGHT}"
    assert template.said(ASKED, inside) == f"{family.asked}{inside}{family.end}"


def test_earlier_turns_are_the_templates_business(family):
    made = tokenizer(family)
    chat = [*ASKED, {"role": "assistant", "content": f"{family.reasoning}{RIGHT}"}, *ASKED]
    asked = Template(made, family.arguments).asked(chat)
    assert asked.count(QUESTION) == 2
    if "Today" not in asked:
        assert asked == made.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, **family.arguments)


def test_the_date_of_a_prompt_is_always_the_same():
    asked = Template(tokenizer(FAMILIES["llama"])).asked(ASKED)
    assert DATE.strftime("%d %b %Y") == "26 Jul 2024"
    assert "Today Date: 26 Jul 2024" in asked
    given = Template(tokenizer(FAMILIES["llama"]), {"date_string": "1 Jan 2000"}).asked(ASKED)
    assert "Today Date: 1 Jan 2000" in given
    assert LLAMA.count("strftime_now") == 1


def test_a_template_that_drops_a_system_message_without_a_word():
    made = tokenizer(FAMILIES["chatml"])
    made.chat_template = CHATML.replace("{{ '<|im_start|>'", "{% if message['role'] != 'system' %}{{ '<|im_start|>'")
    made.chat_template = made.chat_template.replace("'<|im_end|>\\n' }}", "'<|im_end|>\\n' }}{% endif %}")
    assert f"user\n{SYSTEM['content']}\n\n{QUESTION}" in Template(made).asked([SYSTEM, *ASKED])


@pytest.mark.parametrize(
    ("name", "says"), [("enable_thinkin", "did you mean 'enable_thinking'"), ("x y", "found 'x y'")]
)
def test_an_argument_that_the_template_does_not_know(name, says):
    with pytest.raises(InputError, match=says):
        Template(tokenizer(FAMILIES["qwen"]), {name: True})


def test_no_template_is_told_in_one_line():
    made = tokenizer(FAMILIES["chatml"])
    made.chat_template = None
    with pytest.raises(InputError, match="expected a tokenizer with a chat template, found none"):
        Template(made)
    # What ends its text is known all the same.
    assert turn_ends(made) == [made.eos_token_id]


def test_a_template_that_shows_no_text_is_refused():
    made = tokenizer(FAMILIES["chatml"])
    made.chat_template = "{% for m in messages %}{% for c in m.content %}{{ c['text'] }}{% endfor %}{% endfor %}"
    with pytest.raises(InputError, match="shows a user's text"):
        Template(made)


def test_everything_that_ends_a_turn_is_known(family):
    made = tokenizer(family)
    declared = [made.convert_tokens_to_ids(one) for one in family.declared]
    for generation in (Generation(declared or None), Generation(declared[0] if len(declared) == 1 else declared)):
        assert set(made.convert_ids_to_tokens(turn_ends(made, generation))) == family.ends


def test_no_end_of_a_turn_is_an_error():
    made = tokenizer(FAMILIES["chatml"])
    made.chat_template, made.eos_token = None, None
    with pytest.raises(InputError, match="a token that ends a turn"):
        turn_ends(made, Generation())


def test_padding_is_a_token_that_is_there(family):
    made = tokenizer(family)
    size, generation = len(made), Generation()
    ends = prepare(made, generation)
    assert len(made) == size
    assert made.pad_token_id == generation.pad_token_id
    assert made.pad_token == (family.pad or ("<|endoftext|>" if "<|endoftext|>" in family.special else made.eos_token))
    assert generation.eos_token_id in (ends, ends[0])


def test_llama_has_a_padding_token_that_it_does_not_name():
    import dataclasses

    family = FAMILIES["llama"]
    made = tokenizer(dataclasses.replace(family, special=(*family.special, "<|finetune_right_pad_id|>")))
    prepare(made, Generation())
    assert made.pad_token == "<|finetune_right_pad_id|>"


def test_text_keeps_marks_of_reasoning_and_loses_ends_of_turn():
    import dataclasses

    from tokenizers import AddedToken

    family = FAMILIES["chatml"]
    made = tokenizer(dataclasses.replace(family, special=(*family.special, "[THINK]", "[/THINK]")))
    made.add_tokens([AddedToken("<|stop|>", special=False)])
    made.chat_template = CHATML.replace("<|im_end|>", "<|stop|>")
    ids = made("[THINK]a[/THINK]b<|stop|>", add_special_tokens=False)["input_ids"]
    assert made.decode(ids, skip_special_tokens=True) == "ab<|stop|>"
    prepare(made, Generation())
    assert made.decode(ids, skip_special_tokens=True) == "[THINK]a[/THINK]b"


@pytest.fixture(scope="module")
def templates_of_trl():
    import trl

    return sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))


def test_wellknown_templates_ask_as_they_did_before(templates_of_trl):
    """The templates that come with TRL; some take content in parts alone, and are refused."""
    made = tokenizer(FAMILIES["gemma"])
    refused = []
    for path in templates_of_trl:
        made.chat_template = path.read_text(encoding="utf-8")
        try:
            template = Template(made)
        except InputError as error:
            refused.append(str(error))
            continue
        for chat in (ASKED, [*ASKED, {"role": "assistant", "content": RIGHT}, *ASKED]):
            plain = made.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
            if "strftime_now" not in made.chat_template:
                assert template.asked(chat) == plain, path
            said = template.said(chat, f"<think>\nEurope?\n</think>\n\n{WRONG}")
            assert said.startswith(template.asked(chat)), path
            assert said.endswith(f"Europe?\n</think>\n\n{WRONG}{template.end}"), path
        assert SYSTEM["content"] in template.asked([SYSTEM, *ASKED]), path
        assert template.end.strip(), path
    assert all("shows a user's text" in one for one in refused)
    assert len(refused) < len(templates_of_trl) / 5


class TestChain:
    """From sampling to evaluation with a tiny model of each family."""

    @pytest.fixture(scope="class", params=list(FAMILIES))
    def chain(self, request, tmp_path_factory):
        folder = tmp_path_factory.mktemp("chain")
        family = FAMILIES[request.param]
        model = speaking(request.param, folder / "model")
        prompts = [Prompt(key, ASKED, {"subject": "Kenya"}, "countries", "train") for key in ("kenya", "again")]
        write(folder / "prompts.jsonl", prompts)
        arguments = [f"--template-arg={name}={json.dumps(value)}" for name, value in family.arguments.items()]
        argv = ["sample", "--model", str(model), "--prompts", str(folder / "prompts.jsonl"), "--responses", "8"]
        argv += ["--temperature", "0.7", "--engine", "transformers", "--output", str(folder / "responses.jsonl")]
        assert main([*argv, *arguments]) == 0
        argv = ["score", "--responses", str(folder / "responses.jsonl"), "--output", str(folder / "scored.jsonl")]
        assert main(argv) == 0
        argv = ["pairs", "--scored", str(folder / "scored.jsonl"), "--output", str(folder / "pairs.jsonl")]
        assert main([*argv, "--targets", str(folder / "targets.jsonl")]) == 0
        return folder, family, arguments

    def test_sampling_stops_and_answers_are_as_taught(self, chain):
        folder, family, _ = chain
        rows = list(read(folder / "responses.jsonl", Response))
        assert {row.finish_reason for row in rows} == {"stop"}
        taught = {family.reasoning + answer for answer in ANSWERS}
        assert sum(row.response in taught for row in rows) >= len(rows) // 2
        assert all(row.response.startswith(family.reasoning) for row in rows)
        told = json.dumps(family.arguments) if family.arguments else None
        assert {row.sampler.get("template_args") for row in rows} == {told}
        assert json.loads((folder / "responses.run.json").read_text())["cut_off"] == 0

    def test_answers_are_judged_and_reasoning_is_not(self, chain):
        folder, family, _ = chain
        rows = list(read(folder / "scored.jsonl", Scored))
        assert {one.label for row in rows for one in row.fragments} >= {"correct", "incorrect"}
        assert all(one.start >= len(family.reasoning) for row in rows for one in row.fragments)
        for pair in read(folder / "pairs.jsonl", Pair):
            sides = [side[0]["content"] for side in (pair.chosen, pair.rejected)]
            assert all(one.startswith(family.reasoning) and one != family.reasoning for one in sides)

    def train(self, chain, kind, monkeypatch, **keys):
        """Train a step; the trainer, and what run.json says."""
        import importlib

        from rlhalt.training import setup

        folder, family, _ = chain
        trainers = []
        fit = setup.fit
        monkeypatch.setattr(setup, "fit", lambda trainer, *rest: (trainers.append(trainer), fit(trainer, *rest)))
        config = {**TRAINING, "max_steps": 1, "model_name_or_path": str(folder / "model"), **keys}
        if family.arguments:
            config["chat_template_kwargs"] = family.arguments
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(config))
        argv = ["--config", str(folder / f"{kind}.yaml"), "--output_dir", str(folder / kind)]
        importlib.import_module(f"rlhalt.training.{kind}").main(argv)
        return trainers[0], json.loads((folder / kind / "run.json").read_text())

    def test_pairs_and_targets_are_trained_on_as_they_were_sampled(self, chain, monkeypatch):
        folder, family, _ = chain
        files = {"dpo": folder / "pairs.jsonl", "sft": folder / "targets.jsonl"}
        trainer, record = self.train(chain, "dpo", monkeypatch, train_file=str(files["dpo"]), draws=8)
        assert record["not_aligned"] == []
        if family.arguments:
            assert record["parameters"]["chat_template_kwargs"] == family.arguments
        made = trainer.processing_class
        sides = {side[0]["content"] for one in read(files["dpo"], Pair) for side in (one.chosen, one.rejected)}
        texts = {family.asked + one.removeprefix(family.opening) + family.end for one in sides}
        for row in trainer.train_dataset:
            assert made.decode(row["prompt_ids"]) == family.asked
            assert made.decode(row["prompt_ids"] + row["chosen_ids"]) in texts
            assert made.decode(row["prompt_ids"] + row["rejected_ids"]) in texts
        trainer, _ = self.train(chain, "sft", monkeypatch, train_file=str(files["sft"]))
        for row in trainer.train_dataset:
            text = made.decode(row["input_ids"])
            assert text.startswith(family.asked)
            assert text.endswith(family.end)
            learnt = [one for one in row["labels"] if one != -100]
            assert made.decode(learnt) == text.removeprefix(family.asked)
        # The template beside the model is the model's own.
        assert made.chat_template == family.template
        assert (folder / "sft" / "chat_template.jinja").read_text() == family.template

    def test_online_training_sees_every_end_and_credits_no_reasoning(self, chain, monkeypatch):
        from rlhalt.training.fragment_grpo import trainer as online

        folder, family, _ = chain
        seen = []
        spread = online.spread

        def watching(starts, fragments, values, opened, begin, **prices):
            found = spread(starts, fragments, values, opened, begin, **prices)
            seen.append((starts, fragments, begin, found))
            return found

        monkeypatch.setattr(online, "spread", watching)
        keys = {key: value for key, value in TRAINING.items() if key != "max_length"}
        monkeypatch.setitem(globals(), "TRAINING", {**keys, **ONLINE})
        trainer, record = self.train(
            chain, "grpo", monkeypatch, train_file=str(folder / "prompts.jsonl"), domain="countries",
            per_device_train_batch_size=8, max_completion_length=60,
        )  # fmt: skip
        assert set(trainer.processing_class.convert_ids_to_tokens(trainer.eos_token_ids)) == family.ends
        assert record["log"][0]["completions/clipped_ratio"] == 0
        assert len(seen) == 8
        assert any(fragments for _, fragments, _, _ in seen)
        for starts, fragments, begin, found in seen:
            assert begin == len(family.reasoning.removeprefix(family.opening))
            assert all(one.start >= begin for one in fragments)
            credited = [
                value for start, value in zip(starts, found, strict=True) if start is not None and start < begin
            ]
            assert not any(credited)

    def test_an_evaluation_asks_and_reads_as_the_sampling_did(self, chain, monkeypatch):
        folder, family, arguments = chain
        write(folder / "heldout.jsonl", [Prompt("kenya2", ASKED, {"subject": "Kenya"}, "countries", "heldout")])
        argv = ["evaluate", "--model", str(folder / "model"), "--prompts", str(folder / "heldout.jsonl")]
        argv += ["--name", "base", "--engine", "transformers", "--samples", "3", "--temperature", "0.7"]
        assert main([*argv, "--output", str(folder / "evaluation"), "--max-tokens", "60", *arguments]) == 0
        record = json.loads((folder / "evaluation" / "run.json").read_text())
        assert record["cut_off"] == {"greedy": 0, "sampled": 0}
        assert record["config"]["max_tokens"] == 60
        assert record["config"]["template_args"] == family.arguments
        rows = list(read(folder / "evaluation" / "scored.jsonl", Scored))
        sure = list(read(folder / "evaluation" / "confidence.jsonl", Confidence))
        for row, one in zip(rows, sure, strict=True):
            assert row.response.startswith(family.reasoning)
            # The model was taught these words: read at other places or after another prompt they would be unlikely.
            assert len(one.token_minimum or []) == len(row.fragments)
            assert all(value > 0.01 for value in one.token_minimum or [])


def test_decisions_have_the_tokens_that_the_model_sampled(family):
    made = tokenizer(family)
    prepare(made, Generation())
    prompts = Prompts(made, family.arguments)
    answers = [family.reasoning + answer for answer in ANSWERS]
    for ids, answer in zip(prompts.sides(ASKED, answers, 0).ids, answers, strict=True):
        assert made.decode(ids) == family.asked + answer.removeprefix(family.opening) + family.end

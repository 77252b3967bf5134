"""Base models: no chat template, so examples, a completion, and an end where the next example begins."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from rlhalt.chat.plain import COMPLETION, PLAIN, answer, completes, give_template, named_template
from rlhalt.cli import main
from rlhalt.cli.flags import examples as few_shot
from rlhalt.domains import countries
from rlhalt.errors import InputError
from rlhalt.models.names import load_policy
from rlhalt.records import Message, Prompt, Scored, Target, content_key, read, write
from rlhalt.sampling import Settings, load_engine, sample
from tiny_training import TRAINING

NORWAY = "Norway is in Europe. The capital of Norway is Oslo."


def asked(name: str) -> list[Message]:
    return [{"role": "user", "content": f"State five facts about {name}."}]


def prompt(name: str, domain: str = "countries", split: str = "heldout") -> Prompt:
    return Prompt(content_key(asked(name), domain), asked(name), {"subject": name}, domain, split)


@pytest.fixture(scope="module")
def base_model(tiny_model, tmp_path_factory) -> Path:
    """A tiny model without a chat template that knows one text by heart: examples, an answer, and the next question."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    tokenizer.chat_template = COMPLETION
    chat = [*countries.few_shot(), *asked("Norway"), {"role": "assistant", "content": NORWAY}, *asked("Spain")]
    ids = torch.tensor([tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]])
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(tiny_model, dtype=torch.float32)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(150):
        model(ids, labels=ids).loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    tokenizer.chat_template = None
    folder = tmp_path_factory.mktemp("base")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class TestTemplate:
    @pytest.fixture
    def tokenizer(self, base_model) -> Any:
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(base_model)

    def test_examples_stand_as_text(self, tokenizer):
        assert completes(give_template(tokenizer))
        chat = [{"role": "system", "content": "Be brief."}, *asked("A"), {"role": "assistant", "content": "A."}]
        text = tokenizer.apply_chat_template([*chat, *asked("B")], add_generation_prompt=True, tokenize=False)
        assert text == (
            "<|im_start|>Be brief.\n\nQuestion:\nState five facts about A.\nAnswer:\nA.\n\n"
            "Question:\nState five facts about B.\nAnswer:\n"
        )

    def test_an_answer_that_is_trained_on_ends(self, tokenizer):
        tokenizer.chat_template = PLAIN
        said = [*asked("A"), {"role": "assistant", "content": "A."}]
        text = tokenizer.apply_chat_template(said, tokenize=False)
        assert text == "<|im_start|>Question:\nState five facts about A.\nAnswer:\nA.<|im_end|>\n\n"
        assert text.startswith(tokenizer.apply_chat_template(said[:1], add_generation_prompt=True, tokenize=False))

    def test_a_tokenizer_without_special_tokens(self):
        from tokenizers import Tokenizer, models
        from transformers import PreTrainedTokenizerFast

        bare = give_template(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE())))
        assert bare.apply_chat_template(asked("A"), tokenize=False) == "Question:\nState five facts about A.\n"

    def test_a_models_own_template_stays(self, tiny_model):
        _, tokenizer = load_policy(str(tiny_model))
        assert "im_start" in tokenizer.chat_template
        assert not completes(tokenizer)

    @pytest.mark.parametrize(
        ("written", "said"),
        [
            ("A is big.\n\nQuestion:\nState", "A is big."),
            ("A is big.\nQuestion: and so on", "A is big."),
            ("Two\n\nparagraphs.\n\nQuestion:", "Two\n\nparagraphs."),
            # Nothing is said: the next question follows the prompt's own line break.
            ("Question:\nState", ""),
            # Not the next example.
            ("The Question: is open.", None),
            ("A is big.\n\nQuest", None),
            ("", None),
        ],
    )
    def test_an_answer_ends_where_the_next_example_begins(self, tokenizer, written, said):
        ids = tokenizer(written, add_special_tokens=False)["input_ids"]
        found = answer(tokenizer, ids)
        assert (None if found is None else found[0]) == said
        if found:
            # As many tokens as it takes to say it, and none to spare.
            text, count = found
            assert len(tokenizer.decode(ids[:count])) >= len(text)
            assert count == 0 or len(tokenizer.decode(ids[: count - 1])) < len(text)

    def test_templates_by_name(self, tmp_path):
        (tmp_path / "own.jinja").write_text("{{ messages }}")
        assert named_template("plain") == PLAIN
        assert named_template(str(tmp_path / "own.jinja")) == "{{ messages }}"
        for wrong in ("plane", str(tmp_path / "none.jinja"), str(tmp_path)):
            with pytest.raises(InputError, match=r"expected 'plain' or a \.jinja file"):
                named_template(wrong)


def test_a_base_model_answers_and_is_stopped_at_the_next_question(base_model, tmp_path):
    settings = Settings(str(base_model), temperature=0.0, few_shot=tuple(countries.few_shot()), max_tokens=200)
    (row,) = sample([prompt("Norway")], settings, tmp_path / "responses.jsonl")
    assert row.response == NORWAY
    assert row.finish_reason == "stop"
    assert row.n_tokens < 40


def test_it_does_not_run_on_to_the_limit(base_model):
    engine = load_engine(str(base_model), "transformers")
    generate, lengths = engine.model.generate, []

    def watched(**kwargs: Any) -> Any:
        found = generate(**kwargs)
        lengths.append(found.shape[1] - kwargs["input_ids"].shape[1])
        return found

    engine.model.generate = watched
    chat = [*countries.few_shot(), *asked("Norway")]
    engine.complete([chat], temperature=0.0, max_tokens=200, seed=0)
    assert lengths[0] < 60


def test_evaluate_asks_a_base_model_with_examples_too(base_model, tmp_path):
    write(tmp_path / "prompts.jsonl", [prompt("Norway")])
    argv = ["evaluate", "--model", str(base_model), "--prompts", str(tmp_path / "prompts.jsonl"), "--few-shot"]
    argv += ["--name", "base", "--engine", "transformers", "--samples", "1", "--output", str(tmp_path / "base")]
    assert main(argv) == 0
    (greedy, _) = read(tmp_path / "base" / "scored.jsonl", Scored)
    assert greedy.response == NORWAY
    assert [one.label for one in greedy.fragments] == ["correct", "correct"]


class TestTraining:
    @pytest.fixture
    def targets(self, tmp_path) -> Path:
        path = tmp_path / "targets.jsonl"
        write(path, [Target("k", asked("Norway"), [{"role": "assistant", "content": NORWAY}], "remove", "s")])
        return path

    def train(self, model: Path, targets: Path, output: Path, **keys: Any) -> None:
        from rlhalt.training.sft import main as train

        argv = ["--model_name_or_path", str(model), "--train_file", str(targets), "--output_dir", str(output)]
        chosen = {**TRAINING, "max_steps": 30, "learning_rate": 5e-3, "lr_scheduler_type": "constant", **keys}
        train([*argv, *(str(part) for name, value in chosen.items() for part in (f"--{name}", value))])

    def test_a_template_must_be_named(self, base_model, targets, tmp_path):
        with pytest.raises(InputError, match=r"name one to train it with, as base_template: plain"):
            self.train(base_model, targets, tmp_path / "sft")

    def test_the_trained_model_carries_it_and_needs_no_examples(self, base_model, targets, tmp_path):
        self.train(base_model, targets, tmp_path / "sft", base_template="plain")
        settings = Settings(str(tmp_path / "sft"), temperature=0.0, max_tokens=60)
        (row,) = sample([prompt("Norway")], settings, tmp_path / "responses.jsonl")
        # It ends by itself: nothing stops a model that has a template.
        assert not completes(load_policy(str(tmp_path / "sft"))[1])
        assert (row.response, row.finish_reason) == (NORWAY, "stop")

    def test_a_models_own_template_is_kept(self, tiny_model, targets, tmp_path):
        from transformers import AutoTokenizer

        self.train(tiny_model, targets, tmp_path / "sft", base_template="plain", max_steps=1)
        kept = [AutoTokenizer.from_pretrained(folder).chat_template for folder in (tiny_model, tmp_path / "sft")]
        assert kept[0] == kept[1]


class TestExamplesOfADomain:
    @pytest.fixture
    def domain(self, tmp_path, monkeypatch) -> Path:
        folder = tmp_path / "rivers"
        shutil.copytree(Path("reward/maths"), folder)
        return folder

    def test_countries_have_theirs(self):
        assert few_shot([prompt("Norway"), prompt("Peru")]) == tuple(countries.few_shot())

    def test_a_domain_has_its_own(self, domain):
        (domain / "examples.jsonl").write_text('{"prompt": "Where is the Nile?", "response": "In Africa."}\n')
        assert few_shot([prompt("Norway", str(domain))]) == (
            {"role": "user", "content": "Where is the Nile?"},
            {"role": "assistant", "content": "In Africa."},
        )

    @pytest.mark.parametrize(
        ("file", "says"),
        [
            (None, "expected examples of the domain"),
            ("", "expected at least one example"),
            ('{"prompt": "Where?"}', "expected this field"),
            ('{"prompt": "Where?", "response": " "}', "expected text"),
            ('{"prompt": "State five facts about Norway.", "response": "Cold."}', "in both: its answer would be shown"),
        ],
    )
    def test_what_is_refused(self, domain, file, says):
        if file is not None:
            (domain / "examples.jsonl").write_text(file and f"{file}\n")
        with pytest.raises(InputError, match=says):
            few_shot([prompt("Norway", str(domain))])

    def test_prompts_of_two_domains(self):
        with pytest.raises(InputError, match="prompts of one domain, found biography, countries"):
            few_shot([prompt("Norway"), prompt("Peru", "biography")])

    @pytest.mark.parametrize("verb", ["sample", "evaluate"])
    def test_no_countries_are_put_before_the_prompts_of_another_domain(self, tiny_model, tmp_path, capsys, verb):
        write(tmp_path / "prompts.jsonl", [prompt("Norway", "medicine")])
        argv = [verb, "--model", str(tiny_model), "--prompts", str(tmp_path / "prompts.jsonl"), "--few-shot"]
        argv += ["--output", str(tmp_path / "out"), *(["--name", "x"] if verb == "evaluate" else [])]
        assert main(argv) == 2
        assert "expected examples of the domain 'medicine', found none" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_the_base_model_of_another_domain_is_asked_without_them(self, tiny_model, tmp_path, monkeypatch):
        told: list[Any] = []
        monkeypatch.setattr("rlhalt.evaluation.run.evaluate", lambda *_, base, **__: told.append(base))
        write(tmp_path / "prompts.jsonl", [prompt("Norway", "maths")])
        argv = ["evaluate", "--model", "m", "--base", "b", "--prompts", str(tmp_path / "prompts.jsonl")]
        assert main([*argv, "--name", "x", "--domain", "maths", "--output", str(tmp_path / "out")]) == 0
        assert told[0].few_shot == ()

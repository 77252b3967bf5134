from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

import pytest

from rlhalt.errors import InputError
from rlhalt.models.names import identity, resolve_model
from rlhalt.records import Message, Prompt, Response, content_key, dumps, read
from rlhalt.sampling import Completion, Sampler, Settings, sample

PROMPTS = [
    Prompt(content_key(name), [{"role": "user", "content": f"State {name}."}], {"subject": name}, "countries", "train")
    for name in "ABCDE"
]


class Echo:
    """An engine that answers with the question and the seed, and dies after so many batches."""

    def __init__(self, dies_after: int = 99) -> None:
        self.left = dies_after
        self.batches: list[list[str]] = []

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        self.batches.append([chat[-1]["content"] for chat in chats])
        return [Completion(f"{chat[-1]['content']} {seed}", 2, "stop") for chat in chats]


def test_every_prompt_gets_its_responses_in_order(tmp_path):
    settings = Settings("m", responses=2, batch_size=3)
    rows = sample(PROMPTS, settings, tmp_path / "responses.jsonl", lambda *_: Echo())
    assert [(row.reference["subject"], row.index) for row in rows] == [(n, i) for i in (0, 1) for n in "ABCDE"]
    assert list(read(tmp_path / "responses.jsonl", Response)) == rows
    assert len({row.key for row in rows}) == 10


@pytest.mark.parametrize("died_after", [0, 1, 2, 3])
def test_a_killed_run_goes_on_and_gives_the_same_rows(tmp_path, died_after):
    settings = Settings("m", responses=2, batch_size=3)
    straight = sample(PROMPTS, settings, tmp_path / "straight.jsonl", lambda *_: Echo())
    with pytest.raises(KeyboardInterrupt):
        sample(PROMPTS, settings, tmp_path / "killed.jsonl", lambda *_: Echo(died_after))
    second = Echo()
    assert sample(PROMPTS, settings, tmp_path / "killed.jsonl", lambda *_: second) == straight
    assert len(second.batches) == 4 - died_after


def test_a_row_lost_from_a_batch_is_drawn_again_as_it_was(tmp_path):
    settings = Settings("m", responses=2, batch_size=3)
    path = tmp_path / "responses.jsonl"
    rows = sample(PROMPTS, settings, path, lambda *_: Echo())
    path.rename(f"{path}.part")
    (tmp_path / "responses.jsonl.part").write_text("".join(dumps(row) + "\n" for row in rows[:4] + rows[5:]))
    again = Echo()
    assert sample(PROMPTS, settings, path, lambda *_: again) == rows
    assert again.batches == [["State D.", "State E.", "State A."]]


def test_finished_output_needs_no_engine(tmp_path):
    settings = Settings("m", responses=2)
    rows = sample(PROMPTS, settings, tmp_path / "responses.jsonl", lambda *_: Echo())
    assert sample(PROMPTS, settings, tmp_path / "responses.jsonl", lambda *_: pytest.fail("loaded")) == rows


def test_other_settings_are_other_responses_and_do_not_replace_those_that_are_there(tmp_path):
    one = sample(PROMPTS, Settings("m"), tmp_path / "responses.jsonl", lambda *_: Echo())
    before = (tmp_path / "responses.jsonl").read_bytes()
    with pytest.raises(InputError, match=r"seed 0 and not 1.*choose another --output"):
        sample(PROMPTS, Settings("m", seed=1), tmp_path / "responses.jsonl", lambda *_: Echo())
    assert (tmp_path / "responses.jsonl").read_bytes() == before
    two = sample(PROMPTS, Settings("m", seed=1), tmp_path / "others.jsonl", lambda *_: Echo())
    assert not {row.key for row in one} & {row.key for row in two}


def test_a_changed_reference_reaches_the_responses_without_drawing_them_again(tmp_path):
    path = tmp_path / "responses.jsonl"
    before = sample(PROMPTS, Settings("m", responses=2), path, lambda *_: Echo())
    changed = [dataclasses.replace(PROMPTS[0], reference={"subject": "Z"}, split="heldout"), *PROMPTS[1:]]
    after = sample(changed, Settings("m", responses=2), path, lambda *_: pytest.fail("loaded"))
    assert [row.response for row in after] == [row.response for row in before]
    assert [(row.reference, row.split) for row in after] == [(one.reference, one.split) for one in changed * 2]
    assert list(read(path, Response)) == after


def test_two_prompts_with_one_key_are_refused_naming_both(tmp_path):
    with pytest.raises(InputError, match="row 1 and again in row 6"):
        sample([*PROMPTS, PROMPTS[0]], Settings("m"), tmp_path / "responses.jsonl", lambda *_: Echo())


def test_responses_to_other_prompts_are_not_dropped(tmp_path):
    sample(PROMPTS, Settings("m"), tmp_path / "responses.jsonl", lambda *_: Echo())
    with pytest.raises(InputError, match="found 2 of another that would be lost"):
        sample(PROMPTS[:3], Settings("m"), tmp_path / "responses.jsonl", lambda *_: Echo())


@pytest.mark.parametrize(
    "wrong",
    [{"responses": 0}, {"temperature": -1.0}, {"temperature": 0.0, "responses": 2}, {"max_tokens": 0}],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError):
        Settings("m", **wrong)


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/folder", "", "a/b/c"])
def test_a_model_that_is_none_is_refused(name):
    with pytest.raises(InputError):
        resolve_model(name)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"neither config\.json nor adapter_config\.json"):
        resolve_model(str(tmp_path))


@pytest.mark.parametrize(("every", "warned"), [(1, True), (5, True), (20, False)])
def test_many_responses_that_are_cut_off_are_told(tmp_path, capsys, every, warned):
    class Long(Echo):
        def complete(self, chats, **how):
            return [
                Completion(one.text, 2, "stop" if (number + 1) % every else "length")
                for number, one in enumerate(super().complete(chats, **how))
            ]

    output = tmp_path / "responses.jsonl"
    sample(PROMPTS, Settings("m", responses=4, max_tokens=2), output, lambda *_: Long())
    said = capsys.readouterr().err
    assert ("were cut off at 2 tokens" in said) == warned
    assert json.loads((tmp_path / "responses.run.json").read_text())["cut_off"] == pytest.approx(1 / every)


def test_arguments_of_the_template_are_part_of_the_settings(tmp_path):
    loaded = []

    def load(*given):
        loaded.append(given)
        return Echo()

    plain = sample(PROMPTS, Settings("m"), tmp_path / "plain.jsonl", load)
    told = sample(PROMPTS, Settings("m", template_args={"enable_thinking": False}), tmp_path / "told.jsonl", load)
    assert [given[2] for given in loaded] == [{}, {"enable_thinking": False}]
    assert not {row.key for row in plain} & {row.key for row in told}
    assert told[0].sampler["template_args"] == '{"enable_thinking": false}'
    # Responses that were drawn before there were arguments are still those of the same settings.
    assert "template_args" not in plain[0].sampler


@pytest.mark.parametrize("given", ["enable_thinking", "=false", "enable thinking=false"])
def test_an_argument_of_the_template_without_name_or_value_is_refused(given, capsys):
    from rlhalt.cli import main

    assert main(["sample", "--model", "m", "--prompts", "p", "--output", "o", "--template-arg", given]) == 2
    assert "expected NAME=VALUE" in capsys.readouterr().err


class TestTransformers:
    """A real engine on the tiny model."""

    @pytest.fixture(scope="class")
    def engine(self, tiny_model):
        import torch

        from rlhalt.sampling.local import TransformersEngine

        engine = TransformersEngine(str(tiny_model))
        engine.model.float()
        # As it is built the model says a newline whatever it reads; with larger weights it looks at its context.
        with torch.no_grad():
            for name, weight in engine.model.named_parameters():
                if "proj" in name:
                    weight.mul_(4)
        return engine

    def chats(self) -> list[list[Message]]:
        shot = [
            {"role": "user", "content": "State five facts about France."},
            {"role": "assistant", "content": "France is in Europe. The capital of France is Paris."},
        ]
        return [[*shot, {"role": "user", "content": f"State {'many ' * n}facts."}] for n in (0, 3, 1)]

    def test_a_shared_prefix_and_padding_change_nothing(self, engine):
        together = engine.complete(self.chats(), temperature=0, max_tokens=12, seed=0)
        alone = [engine.complete([chat], temperature=0, max_tokens=12, seed=0)[0] for chat in self.chats()]
        engine._shared = None
        assert together == alone
        assert all(one.finish_reason == "length" and one.n_tokens == 12 for one in together)

    def test_padding_is_not_seen(self, engine, monkeypatch):
        """Rows of very different lengths: as alone, and otherwise than if the padding were seen."""
        chats = [[{"role": "user", "content": "many " * n + "facts?"}] for n in (1, 60, 20)]
        alone = [engine.complete([chat], temperature=0, max_tokens=12, seed=0)[0].text for chat in chats]
        together = engine.complete(chats, temperature=0, max_tokens=12, seed=0)
        assert [one.text for one in together] == alone
        padded = engine._padded

        def seen(*args):
            inputs = padded(*args)
            return {**inputs, "attention_mask": inputs["attention_mask"].new_ones(inputs["attention_mask"].shape)}

        monkeypatch.setattr(engine, "_padded", seen)
        with_padding = engine.complete(chats, temperature=0, max_tokens=12, seed=0)
        assert with_padding[1].text == alone[1]
        assert all(with_padding[row].text != alone[row] for row in (0, 2))

    def test_equal_arguments_give_equal_completions(self, engine):
        draw = lambda seed: engine.complete(self.chats(), temperature=1.0, max_tokens=12, seed=seed)  # noqa: E731
        assert draw(1) == draw(1)
        assert draw(1) != draw(2)

    def test_an_assistant_message_is_gone_on_with(self, engine):
        chat = [{"role": "user", "content": "State facts."}]
        whole = engine.complete([chat], temperature=0, max_tokens=8, seed=0)[0]
        begun = engine.tokenizer.decode(engine.tokenizer(whole.text)["input_ids"][:4])
        rest = engine.complete([[*chat, {"role": "assistant", "content": begun}]], temperature=0, max_tokens=4, seed=0)
        assert begun + rest[0].text == whole.text

    def test_draws_follow_the_models_probabilities(self, engine):
        import torch

        from rlhalt.sampling.local import _draw

        logits = torch.tensor([[0.0, 1.0, -torch.inf, 2.0]]).repeat(4000, 1)
        drawn = _draw(0.5, 0)(torch.zeros(4000, 1), logits).argmax(-1)
        shares = torch.bincount(drawn, minlength=4) / 4000
        assert shares.tolist() == pytest.approx((logits[0] / 0.5).softmax(-1).tolist(), abs=0.03)


def test_a_model_is_known_by_its_weights_not_by_its_place(tiny_model, tmp_path):
    import shutil

    copy = tmp_path / tiny_model.name
    shutil.copytree(tiny_model, copy)
    assert identity(str(copy)) == identity(str(tiny_model))
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert identity(str(copy)) != identity(str(tiny_model))
    assert identity("smollm2-135m-instruct") == "smollm2-135m-instruct"


def test_other_weights_under_the_same_name_draw_nothing(tiny_model):
    settings = Settings(str(tiny_model))
    Sampler(settings, settings.described(), lambda *_: Echo())
    with pytest.raises(InputError, match="expected the weights of tiny@0 here too, found tiny"):
        Sampler(settings, {**settings.described(), "model": "tiny@0"}, lambda *_: pytest.fail("loaded"))

"""Decodings of `rlhalt evaluate --decode`: each against its paper's equations, written out on a tiny model."""

from __future__ import annotations

import dataclasses
import json
import math
import random
import shutil

import numpy as np
import pytest

from evaluation_folders import build
from rlhalt.cli import main
from rlhalt.decoding import (
    best_of_n,
    consistent,
    dola,
    head_probes,
    icd,
    integrative,
    iti,
    qalign,
    quest,
    steps,
)
from rlhalt.decoding.candidates import Chosen
from rlhalt.decoding.heads import activations, joining, shifted
from rlhalt.decoding.reward import expected_utility
from rlhalt.decoding.setup import Decoding, Setup
from rlhalt.decoding.strength import strongest
from rlhalt.domains import load_domain
from rlhalt.errors import InputError, VerifierFailure
from rlhalt.evaluation import compare, load
from rlhalt.records import Fragment, Message, Prompt, Response, Scored, read, user, write
from rlhalt.reward_model.labels import Reading
from rlhalt.sampling import Completion

CHATS: list[list[Message]] = [
    [{"role": "user", "content": f"State {'many ' * n}facts about Norway."}] for n in (0, 9, 3)
]
DRAW = {"temperature": 0.0, "max_tokens": 10, "seed": 0}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    import torch

    monkeypatch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)


def loaded(folder, times: float = 4.0, shift: float = 0.0):
    """An engine whose model looks at its context, as a trained one does."""
    import torch

    from rlhalt.sampling.local import TransformersEngine

    engine = TransformersEngine(str(folder))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in engine.model.named_parameters():
            if "proj" in name:
                weight.mul_(times).add_(torch.randn(weight.shape, generator=generator), alpha=shift)
    return engine


@pytest.fixture
def engine(tiny_model):
    return loaded(tiny_model)


def setup(name: str, **keys: object) -> Setup:
    return Setup(Decoding(name, **keys), load_domain("countries").splitter())  # type: ignore[arg-type]


def greedy(engine, chat, choose) -> str:
    """Ten tokens, each from one pass over all that is before it: `choose` reads ids of 1 × T and says the next one."""
    import torch

    ids = engine._template.encode(chat)
    said: list[int] = []
    with torch.no_grad():
        while len(said) < 10 and (token := choose(torch.tensor([ids + said]))) not in engine._ends:
            said.append(token)
    return engine.tokenizer.decode(said)


class TestDola:
    def test_each_token_has_the_greatest_contrast_to_the_layer_that_differs_most(self, engine):
        import torch

        head = engine.model.get_output_embeddings()

        def choose(ids):
            out = engine.model(ids, output_hidden_states=True)
            p = out.logits[0, -1].softmax(-1)
            best = None
            for layer in dola.candidates(2):
                q = head(out.hidden_states[layer][0, -1]).softmax(-1)
                m = (p + q) / 2
                apart = ((p * (p / m).log()).sum() + (q * (q / m).log()).sum()) / 2
                if best is None or apart > best[0]:
                    best = apart, q
            contrast = torch.where(p >= 0.1 * p.max(), p.log() - best[1].log(), -torch.inf)
            return int(contrast.argmax())

        expected = [greedy(engine, chat, choose) for chat in CHATS]
        plain = [one.text for one in engine.complete(CHATS, **DRAW)]
        found = [one.text for one in dola.engine(engine, setup("dola")).complete(CHATS, **DRAW)]
        assert found == expected
        assert found != plain

    def test_every_row_has_its_own_layer(self):
        import torch

        p = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]).log()
        near, far = p, p.roll(1, -1)
        layers = torch.stack([torch.stack([near[0], far[1]]), torch.stack([far[0], near[1]])])
        assert dola.divergence(p, layers).argmax(0).tolist() == [1, 0]
        assert dola.divergence(p, p[None]).abs().max() < 1e-6
        # At most log 2, between distributions that share nothing.
        apart = dola.divergence(torch.tensor([[0.0, -80.0]]), torch.tensor([[[-80.0, 0.0]]]))
        assert apart.item() == pytest.approx(math.log(2))

    def test_candidates_are_the_upper_half(self):
        assert dola.candidates(30) == list(range(15, 30, 2))
        assert dola.candidates(2) == [1]
        with pytest.raises(InputError, match="at least 2 layers"):
            dola.candidates(1)


def test_what_is_implausible_never_wins():
    import torch

    p = torch.tensor([[0.60, 0.35, 0.05]]).log()
    q = torch.tensor([[0.60, 0.39, 0.01]]).log()
    # The third token gains most, and has less than a tenth of the first one's probability.
    assert steps.contrast(p, q).argmax(-1).item() == 0
    assert steps.contrast(p, q)[0, 2] == -torch.inf
    assert steps.contrast(p, q)[0, 1] == pytest.approx(math.log(0.35 / 0.39))


class TestIcd:
    @pytest.fixture
    def against(self, tiny_model, tmp_path):
        other = loaded(tiny_model, shift=0.05)
        other.model.save_pretrained(tmp_path / "wrong")
        other.tokenizer.save_pretrained(tmp_path / "wrong")
        return tmp_path / "wrong"

    def test_each_token_is_what_the_wrong_model_would_say_least(self, engine, against):
        import torch

        from rlhalt.models.names import load_policy

        wrong, _ = load_policy(str(against))

        def choose(ids):
            p, q = (model(ids).logits[0, -1].log_softmax(-1) for model in (engine.model, wrong))
            return int(torch.where(p >= p.max() + math.log(0.1), p - q, -torch.inf).argmax())

        # Rows of unlike length: padding stands within them, and the second model must not see it.
        shot: list[Message] = [*CHATS[0], {"role": "assistant", "content": "Norway is in Europe. " * 4}]
        chats = [[*shot, *chat] for chat in CHATS]
        found = icd.engine(engine, setup("icd", against=str(against))).complete(chats, **DRAW)
        assert [one.text for one in found] == [greedy(engine, chat, choose) for chat in chats]
        assert found != engine.complete(chats, **DRAW)

    def test_another_vocabulary_is_refused(self, engine, against):
        told = json.loads((against / "tokenizer.json").read_text(encoding="utf-8"))
        told["added_tokens"].append({**told["added_tokens"][0], "id": len(engine.tokenizer), "content": "<|new|>"})
        (against / "tokenizer.json").write_text(json.dumps(told), encoding="utf-8")
        with pytest.raises(InputError, match="expected a model with the vocabulary of the first one"):
            icd.engine(engine, setup("icd", against=str(against)))


class TestIntegrative:
    def test_each_token_has_the_greatest_sum_over_the_contexts(self, engine):
        drawn = []
        complete = engine.complete

        def watched(chats, **keys):
            found = complete(chats, **keys)
            if "begin" not in keys:
                drawn.append([one.text for one in found])
            return found

        engine.complete = watched
        found = integrative.engine(engine, setup("integrative", samples=3)).complete(CHATS, **DRAW)
        engine.complete = complete
        for row, (chat, one) in enumerate(zip(CHATS, found, strict=True)):
            contexts = [[*chat, {"role": "assistant", "content": its[row]}, *chat] for its in drawn]
            encoded = [engine._template.encode(each) for each in contexts]

            def choose(ids, encoded=encoded, chat=chat):
                import torch

                begun = len(engine._template.encode(chat))
                said = ids[0, begun:].tolist()
                logits = [engine.model(torch.tensor([[*each, *said]])).logits[0, -1] for each in encoded]
                return int(sum(each.log_softmax(-1) for each in logits).argmax())

            assert one.text == greedy(engine, chat, choose)
        assert len(drawn) == 3
        assert found[0].n_tokens > 10

    def test_contexts_of_one_response_share_their_draws(self, engine):
        two = [CHATS[0], CHATS[0]]
        said = engine.complete(two, temperature=1.0, max_tokens=10, seed=3, alike=2)
        assert said[0] == said[1]
        said = engine.complete(two, temperature=1.0, max_tokens=10, seed=3)
        assert said[0] != said[1]
        found = integrative.engine(engine, setup("integrative", samples=2)).complete(
            CHATS, temperature=0.7, max_tokens=10, seed=0
        )
        assert len(found) == 3


class Says:
    """An engine that says what it is given, a text for each round."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.asked = list(texts), []

    def complete(self, chats, *, temperature, max_tokens, seed):
        self.asked.append((temperature, seed, chats))
        text = self.texts.pop(0)
        return [Completion(text, 3, "stop") for _ in chats]


OSLO, BERGEN = "The capital of Norway is Oslo. Norway is in Europe.", "The capital of Norway is Bergen."


class TestConsistent:
    def test_the_sample_that_the_others_support_most(self):
        says = Says(BERGEN, OSLO, "Norway is in Europe.", OSLO)
        chosen = consistent.engine(says, setup("consistent", samples=4))
        (found,) = chosen.complete(CHATS[:1], **DRAW)
        # Europe is said by two of three others; Oslo by one, and Oslo with Europe by (1 + 2) / 2.
        assert found.text == "Norway is in Europe."
        # It cost all that was drawn, and greedy samples would all be the same.
        assert found.n_tokens == 12
        assert [one[0] for one in says.asked] == [0.7] * 4
        assert len({one[1] for one in says.asked}) == 4

    def test_the_first_of_equals_and_silence_scores_nothing(self):
        silent = "Unsure from here."
        says = Says(silent, BERGEN, "It is big.")
        assert consistent.engine(says, setup("consistent", samples=3)).complete(CHATS[:1], **DRAW)[0].text == silent


class TestReward:
    def parts(self, *texts: str) -> list[Fragment]:
        return [Fragment(0, len(one), "halt" if one == "halt" else "step", one) for one in texts]

    def test_a_fragment_is_worth_its_probability_less_tau(self):
        fragments = self.parts("a", "b", "c")
        assert expected_utility(fragments, [0.9, math.nan, 0.2], 0.5, "independent") == pytest.approx(0.1)
        # What is said again earns nothing where it is right, and costs where it is wrong.
        assert expected_utility(self.parts("a", "a"), [0.9, 0.9], 0.5, "independent") == pytest.approx(0.4 - 0.05)
        assert expected_utility(self.parts("a", "halt", "b"), [0.9, math.nan, 1.0], 0.5, "independent") == 0.4

    def test_in_a_chain_it_is_the_expectation_over_verdicts(self):
        """Against the mean of `fragment_rewards` over simulated verdicts."""
        from rlhalt.rewards import fragment_rewards

        p, rng = [0.9, 0.6, 0.7], np.random.default_rng(0)
        fragments = self.parts("a", "b", "c")
        total = 0.0
        for draw in rng.random((20000, 3)) < p:
            said = [
                dataclasses.replace(one, label="correct" if right else "incorrect")
                for one, right in zip(fragments, draw, strict=True)
            ]
            total += sum(one or 0.0 for one in fragment_rewards(said, 0.4, "causal"))
        assert expected_utility(fragments, p, 0.4, "causal") == pytest.approx(total / 20000, abs=0.02)

    def test_best_of_n_gives_the_greatest_reward(self, monkeypatch):
        worth = lambda rows: [float("Oslo" in row.response) for row in rows]  # noqa: E731
        monkeypatch.setattr(best_of_n, "reward", lambda _: worth)
        chosen = best_of_n.engine(Says(BERGEN, OSLO, BERGEN), setup("best-of-n", samples=3))
        assert isinstance(chosen, Chosen)
        assert chosen.complete(CHATS[:1], **DRAW)[0].text == OSLO


class TestQalign:
    def test_the_chain_has_the_distribution_of_the_aligned_policy(self):
        """Two words, a model that draws each alike, and a reward: all responses as often as p(y) exp(r(y) / β)."""
        rng = random.Random(0)

        class Words:
            tokenizer = staticmethod(lambda text, **_: {"input_ids": text.split()})

            def complete(self, chats, *, temperature, max_tokens, seed):
                said = []
                for chat in chats:
                    begun = chat[-1]["content"].split() if chat[-1]["role"] == "assistant" else []
                    rest: list[str] = []
                    # The model ends with probability ½, so that lengths differ; two words at most.
                    while not begun + rest or (len(begun + rest) < 2 and rng.random() < 0.5):
                        rest.append(rng.choice("ab"))
                    said.append(Completion("".join(f" {one}" for one in rest), len(rest), "stop"))
                return [dataclasses.replace(one, text=one.text if chat[-1]["role"] == "assistant" else one.text[1:])
                        for one, chat in zip(said, chats, strict=True)]  # fmt: skip

        def worth(rows):
            return [0.25 * row.response.split().count("a") for row in rows]

        chain = qalign.QAlign(Words(), setup("qalign", samples=12), worth)
        found = [one.text for one in chain.complete([CHATS[0]] * 4000, temperature=0.7, max_tokens=9, seed=0)]
        # A response of one word has the probability ½ · ½, one of two words ½ · ½ · ½.
        prior = dict.fromkeys("ab", 0.25) | dict.fromkeys(("a a", "a b", "b a", "b b"), 0.125)
        weights = {text: its * math.e ** text.count("a") for text, its in prior.items()}
        for text, weight in weights.items():
            assert found.count(text) / len(found) == pytest.approx(weight / sum(weights.values()), abs=0.03), text

    def test_a_response_is_kept_up_to_a_word(self):
        ended = Completion("One two.  Three", 5, "stop")
        heads = {quest.kept(ended, random.Random(seed)) for seed in range(60)}
        assert heads == {"", "One", "One two.", "One two.  Three"}
        cut_off = dataclasses.replace(ended, finish_reason="length")
        assert ended.text not in {quest.kept(cut_off, random.Random(seed)) for seed in range(60)}
        assert quest.kept(Completion("", 0, "stop"), random.Random(0)) == ""

    def test_a_real_engine(self, engine, monkeypatch):
        monkeypatch.setattr(qalign, "reward", lambda _: lambda rows: [-float(len(row.response)) for row in rows])
        chain = qalign.engine(engine, setup("qalign", samples=6, reward_model="r"))
        found = chain.complete(CHATS, temperature=0.0, max_tokens=10, seed=0)
        assert found == chain.complete(CHATS, temperature=0.0, max_tokens=10, seed=0)
        first = engine.complete(CHATS, temperature=0.7, max_tokens=10, seed=0)
        assert sum(len(one.text) for one in found) < sum(len(one.text) for one in first)
        assert all(len(engine.tokenizer(one.text)["input_ids"]) <= 11 for one in found)


class TestIti:
    def test_activations_are_what_the_projection_reads(self, engine):
        import torch

        readings = [Reading([5, 6, 7, 8], [(0, 2), (2, 4)]), Reading([9, 4], [(0, 2), (0, 0)]), Reading([], [(0, 0)])]
        found = activations(engine.model, readings)
        seen = []
        hooks = [one.register_forward_pre_hook(lambda _, its: seen.append(its[0])) for one in joining(engine.model)]
        with torch.no_grad():
            engine.model(torch.tensor([[5, 6, 7, 8]]))
        for one in hooks:
            one.remove()
        expected = torch.stack(seen)[:, 0, [1, 3]].transpose(0, 1).reshape(2, 2, 2, 32)
        assert np.allclose(found[0], expected.numpy(), atol=1e-5)
        assert np.isfinite(found[1][0]).all()
        assert np.isnan(found[1][1]).all()
        assert np.isnan(found[2]).all()

    def test_the_heads_that_tell_right_from_wrong_are_shifted_towards_right(self):
        rng = np.random.default_rng(0)
        states = rng.normal(size=(400, 5, 4, 6))
        correct = (rng.random(400) < 0.5).astype(float)
        states[:, 3, 2, 1] += 4 * correct
        found = head_probes.shift(states, correct, np.arange(400) % 5 == 0).reshape(5, 4, 6)
        # 48 of 1,024 of 20 heads is one.
        assert [tuple(one) for one in np.argwhere(np.abs(found).sum(-1) > 0)] == [(3, 2)]
        direction = found[3, 2] / np.linalg.norm(found[3, 2])
        assert direction[1] > 0.95
        assert np.linalg.norm(found[3, 2]) == pytest.approx((states[:, 3, 2] @ direction).std())

    def test_from_the_last_token_of_the_prompt_on_and_not_before(self, engine):
        """Against passes without a cache whose last tokens are all shifted; with shared examples and without."""
        import torch

        shift = torch.zeros(2, 64)
        shift[1, :32] = torch.randn(32, generator=torch.Generator().manual_seed(0)) * 3

        def chosen(begun):
            def choose(ids):
                hooks = []
                for layer, its in zip(joining(engine.model), shift, strict=True):

                    def add(_, inputs, its=its):
                        moved = inputs[0].clone()
                        moved[:, begun - 1 :] += its
                        return (moved,)

                    hooks.append(layer.register_forward_pre_hook(add))
                token = int(engine.model(ids).logits[0, -1].argmax())
                for one in hooks:
                    one.remove()
                return token

            return choose

        shot: list[Message] = [*CHATS[0], {"role": "assistant", "content": "Norway is in Europe. " * 4}]
        for chats in (CHATS, [[*shot, *chat] for chat in CHATS]):
            plain = engine.complete(chats, **DRAW)
            found = iti.Shifted(engine, shift.numpy()).complete(chats, **DRAW)
            expected = [greedy(engine, chat, chosen(len(engine._template.encode(chat)))) for chat in chats]
            assert [one.text for one in found] == expected
            assert found != plain
            # Nothing is left behind.
            assert engine.complete(chats, **DRAW) == plain

    def test_the_strength_that_earns_most_on_training_prompts_is_taken(self, scored_row, capsys):
        said = {
            1.0: "Its capital is Lagos.",
            3.0: "Kenya is in Africa.",
            5.0: "Kenya is in Africa. Its capital is Lagos.",
            10.0: "Kenya is in Africa.",
            15.0: "Kenya is in Africa. Its capital is Nairobi.",
        }
        rows = [
            dataclasses.replace(scored_row(["A."], "+"), prompt_key=key, reference={"subject": "Kenya"})
            for key in ("a", "a", "b")
        ]
        example: list[Message] = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "A."}]
        domain = load_domain("countries")
        made = dataclasses.replace(setup("iti", scored="s"), scorer=domain.scorer(), few_shot=example)

        class At:
            def __init__(self, strength):
                self.strength = strength

            def complete(self, chats, **_):
                assert [chat[:2] for chat in chats] == [example, example]
                # The strongest one never ends.
                reason = "length" if self.strength == 15 else "stop"
                return [Completion(said[self.strength], 9, reason) for _ in chats]

        assert vars(strongest(At, rows, made)) == {"strength": 3.0}
        told = "-0.50 at 1, 0.50 at 3, 0.00 at 5, 0.50 at 10, 0.50 at 15"
        assert f"on 2 training prompts it earns {told}" in capsys.readouterr().err
        with pytest.raises(VerifierFailure, match="found none"):
            strongest(At, rows, dataclasses.replace(made, scorer=domain.splitter()))

    def test_a_shift_of_nothing_changes_nothing(self, engine):
        with shifted(engine.model, np.zeros((2, 64))):
            assert engine.complete(CHATS, **DRAW) == iti.Shifted(engine, np.zeros((2, 64))).complete(CHATS, **DRAW)


class TestEvaluate:
    """`rlhalt evaluate --decode`, as a user asks for it."""

    @pytest.fixture
    def argv(self, tiny_model, tmp_path):
        domain = load_domain("countries")
        write(tmp_path / "prompts.jsonl", domain.prompts(split="heldout")[:4])
        argv = ["evaluate", "--model", str(tiny_model), "--name", "base", "--role", "base", "--few-shot"]
        argv += ["--max-tokens", "6", "--samples", "1", "--engine", "transformers"]
        return [*argv, "--prompts", str(tmp_path / "prompts.jsonl"), "--output"]

    def test_a_decoded_model_has_a_row_of_its_own(self, argv, tmp_path):
        base, other = str(tmp_path / "base"), str(tmp_path / "dola")
        assert main([*argv, base]) == 0
        assert main([*argv, other, "--decode", "dola"]) == 0
        rows = list(read(tmp_path / "dola" / "greedy.jsonl", Response))
        assert all(json.loads(row.sampler["decoding"]) == {"decode": "dola"} for row in rows)
        assert "decoding" not in next(iter(read(tmp_path / "base" / "greedy.jsonl", Response))).sampler
        record = json.loads((tmp_path / "dola" / "run.json").read_text(encoding="utf-8"))
        assert record["config"]["decoding"] == {"decode": "dola"}
        assert (record["name"], record["role"]) == ("base dola", "trained")
        assert main(["compare", base, other, "--output", str(tmp_path / "report")]) == 0
        models = {one["model"] for one in json.loads((tmp_path / "report" / "metrics.json").read_text())}
        assert models == {"base", "base dola"}
        comparison = json.loads((tmp_path / "report" / "comparison.json").read_text(encoding="utf-8"))
        assert [one["versus"] for one in comparison["design"]["contrasts"]] == ["base"]
        assert comparison["design"]["notes"] == []

    @pytest.mark.parametrize(("first", "second"), [([], ["--decode", "dola"]), (["--decode", "dola"], [])])
    def test_resuming_with_another_decoding_is_refused(self, argv, tmp_path, capsys, first, second):
        assert main([*argv, str(tmp_path / "out"), *first]) == 0
        before = (tmp_path / "out" / "greedy.jsonl").read_bytes()
        assert main([*argv, str(tmp_path / "out"), *second]) == 2
        assert "greedy.jsonl" in capsys.readouterr().err
        assert (tmp_path / "out" / "greedy.jsonl").read_bytes() == before

    @pytest.mark.parametrize(
        ("more", "says"),
        [
            (["--decode", "dola", "--cut", "--threshold", "0.5"], "expected one of the two"),
            (["--decode", "icd"], "with --decode icd expected a model that was tuned to be wrong, found none"),
            (["--decode", "dola", "--decode-against", "m"], "with --decode dola expected none, found m"),
            (["--decode-samples", "4"], "expected one with 4, found none"),
            (["--decode", "dola", "--decode-samples", "4"], "expected none with --decode dola, which draws none"),
            (["--decode", "dola", "--engine", "vllm"], "expected the engine transformers"),
            (["--decode", "dula"], "did you mean 'dola'"),
        ],
    )
    def test_what_does_not_fit_is_one_line(self, argv, tmp_path, capsys, more, says):
        (tmp_path / "calibration.json").write_text("{}", encoding="utf-8")
        calibration = ["--calibration", str(tmp_path)] if "--cut" in more else []
        assert main([*argv, str(tmp_path / "out"), *more, *calibration]) == 2
        error = capsys.readouterr().err
        assert says in error
        assert error.strip().count("\n") == 0

    def test_iti_is_fitted_on_training_prompts_alone(self, argv, tmp_path, capsys, scored_row):
        rows = [
            dataclasses.replace(
                scored_row([f"{number} is in Asia.", f"Its area is {number} km²."], "+-" if number % 2 else "-+"),
                key=str(number), prompt_key=str(number), prompt=user(f"State five facts about {number}."),
            )
            for number in range(20)
        ]  # fmt: skip
        path = tmp_path / "scored.jsonl"
        write(path, [*rows, dataclasses.replace(rows[0], key="h", split="heldout")])
        asked = [*argv, str(tmp_path / "iti"), "--decode", "iti", "--decode-scored", str(path)]
        assert main(asked) == 2
        assert "found 1 of 21 to others" in capsys.readouterr().err
        heldout: Prompt = load_domain("countries").prompts(split="heldout")[0]
        write(path, [*rows, dataclasses.replace(rows[0], key="h", prompt=heldout.prompt)])
        assert main(asked) == 2
        assert "expected other prompts than those to be evaluated, found 1" in capsys.readouterr().err
        write(path, [*rows, dataclasses.replace(rows[0], key="e", domain="elements")])
        assert main(asked) == 2
        assert "expected responses of the domain 'countries', found some of elements" in capsys.readouterr().err
        write(path, rows)
        assert main(asked) == 0
        told = json.loads(next(iter(read(tmp_path / "iti" / "scored.jsonl", Scored))).sampler["decoding"])
        assert set(told) == {"decode", "scored"}
        write(path, rows[:5])
        assert main([*argv, str(tmp_path / "few"), *asked[-4:]]) == 2
        assert "expected at least 30 fragments" in capsys.readouterr().err


def test_a_decoded_model_is_compared_with_the_same_model_and_is_no_start_of_another(tmp_path):
    base, sft, dpo = build(tmp_path / "evaluation", n_prompts=6, samples=0, seeds=(0,), thresholds=(0.5,))
    dola = shutil.copytree(sft, tmp_path / "dola")

    def tell(folder, **keys):
        told = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        (folder / "run.json").write_text(json.dumps(told | keys), encoding="utf-8")

    tell(sft, config={"model": "sft@1"})
    tell(dpo, config={"model": "dpo@1"}, started_from=["sft@1"])
    tell(dola, name="SFT dola", config={"model": "sft@1", "decoding": {"decode": "dola"}}, started_from=["sft@1"])
    plan = compare([load(folder) for folder in (base, sft, dpo, dola)], resamples=5).design
    assert {one.label: one.ancestors for one in plan.models} == {
        "base": (), "SFT": (), "SFT dola": ("SFT",), "DPO τ=0.5": ("SFT",)
    }  # fmt: skip
    assert ("SFT dola", "SFT") in {(one.model, one.versus) for one in plan.contrasts}

"""A trained fragment reward model: which tokens have a label, what is learnt of them, and what is refused."""

from __future__ import annotations

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from transformers import AutoModelForCausalLM, AutoTokenizer

from reward_rows import SCORER, prompts, row, rows, trained
from rlhalt.chat.templates import Template
from rlhalt.cli import main
from rlhalt.errors import InputError
from rlhalt.evaluation.bootstrap import weights
from rlhalt.evaluation.confidence_arrays import judged
from rlhalt.evaluation.selective_prediction import auprc
from rlhalt.fragments.sentences import sentences
from rlhalt.records import Fragment, write
from rlhalt.reward_model.figures import first_error
from rlhalt.reward_model.folder import clear, read_description
from rlhalt.reward_model.hidden_states import cut_after, hidden_states
from rlhalt.reward_model.labels import IGNORED, Reading, fragment_labels, reading, up_to_last_label
from rlhalt.reward_model.parts import parts
from rlhalt.reward_model.probe import fit
from rlhalt.reward_model.reader import Reader, load, probabilities

LABELS = {"+": "correct", "-": "incorrect", "?": "unverifiable", ".": "halt", "!": None}


@pytest.fixture(autouse=True)
def float32(monkeypatch):
    """The hidden states of the tiny model differ by less than bfloat16 can tell."""
    import torch

    for module in ("models.names", "reward_model.classifier"):
        monkeypatch.setattr(f"rlhalt.{module}.inference_dtype", lambda: torch.float32)


@pytest.fixture(scope="module")
def read_with(tiny_model):
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    return tokenizer, Template(tokenizer)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    file = tmp_path_factory.mktemp("scored") / "scored.jsonl"
    write(file, rows())
    return file


@pytest.fixture(scope="module")
def probe(tiny_model, scored, tmp_path_factory):
    import torch

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rlhalt.models.names.inference_dtype", lambda: torch.float32)
        return trained(tiny_model, scored, tmp_path_factory.mktemp("reward") / "probe")


def refused(folder, file, model, says, **settings):
    with pytest.raises(InputError, match=says) as caught:
        trained(model, file, folder, **settings)
    assert "\n" not in str(caught.value)
    assert not (folder / "reward.json").exists()


def marked(marks):
    return [Fragment(at, at + 1, "step", "x", LABELS[one]) for at, one in enumerate(marks)]


@pytest.mark.parametrize(
    ("marks", "independent", "causal"),
    [
        ("++-+", [1, 1, 0, 1], [1, 1, 0, None]),
        ("+?-.", [1, None, 0, None], [1, None, 0, None]),
        ("+!+-", [1, None, 1, 0], [1, None, None, None]),
        ("-", [0], [0]),
        ("", [], []),
    ],
)
def test_a_causal_response_teaches_up_to_its_first_error(marks, independent, causal):
    """After a failed step nobody knows whether an error came before."""
    assert fragment_labels(marked(marks), "independent") == independent
    assert fragment_labels(marked(marks), "causal") == causal


def test_what_follows_the_last_label_is_not_read(tiny_model):
    """It takes a forward pass and teaches nothing."""
    told = dataclasses.replace(rows(1)[0], response="xxxxx", fragments=marked("+-+?."))
    reader = Reader.of(AutoModelForCausalLM.from_pretrained(tiny_model), AutoTokenizer.from_pretrained(tiny_model), {})
    short = {halting: up_to_last_label(told, halting) for halting in ("independent", "causal")}
    for halting, n in (("independent", 3), ("causal", 2)):
        assert short[halting].fragments == told.fragments[:n]
        (all_of_it,), (part,) = reader.rows([told]), reader.rows([short[halting]])
        assert part.ids == all_of_it.ids[: all_of_it.spans[n - 1][1]]
    assert up_to_last_label(dataclasses.replace(told, fragments=marked("?.")), "causal").fragments == []


@pytest.mark.parametrize(
    "text",
    [
        "It is in Africa. Its capital is Nairobi. Unsure from here.",
        "Größe: 3 m². 東京は首都です。 Ωμέγα is Greek. 🙂 is a smile.",
        "One fact only.",
    ],
)
def test_the_last_token_of_each_fragment_has_its_label_and_no_other(read_with, text):
    tokenizer, template = read_with
    fragments = sentences(text)
    found = reading(tokenizer, template, [{"role": "user", "content": "Say it."}], text, fragments)
    begin = template.before([{"role": "user", "content": "Say it."}], text)
    for fragment, place in zip(fragments, found.places, strict=True):
        assert tokenizer.decode(found.ids[: place + 1]) == begin + text[: fragment.end]
    labels = [at % 2 for at in range(len(fragments))]
    tokens = found.token_labels(labels)
    assert len(tokens) == len(found.ids)
    assert [one for one in tokens if one != IGNORED] == labels
    assert [at for at, one in enumerate(tokens) if one != IGNORED] == found.places
    none = found.token_labels([None] * len(fragments))
    assert set(none) == {IGNORED}


def test_what_lies_beyond_the_model_has_no_token(read_with):
    tokenizer, template = read_with
    text = "It is in Africa. Its capital is Nairobi."
    whole = reading(tokenizer, template, prompts(1)[0].prompt, text, sentences(text))
    short = reading(tokenizer, template, prompts(1)[0].prompt, text, sentences(text), longest=len(whole.ids) - 1)
    assert short.places == [whole.places[0], -1]
    assert len(short.ids) == whole.places[0] + 1
    assert short.token_labels([1, 0]).count(IGNORED) == len(short.ids) - 1


def test_hidden_states_are_those_of_the_model_whatever_is_read_beside(tiny_model, read_with):
    import torch

    tokenizer, template = read_with
    policy = AutoModelForCausalLM.from_pretrained(tiny_model).eval()
    texts = ["It is. It was.", "A much longer answer about the capital of Kenya. It is in Africa. Yes. No.", ""]
    read = [reading(tokenizer, template, prompts(1)[0].prompt, one, sentences(one)) for one in texts]
    found = hidden_states(policy, read, [1, 2])
    assert [one.shape for one in found] == [(2, 2, 64), (4, 2, 64), (0, 2, 64)]
    for its, one in zip(found, read, strict=True):
        if one.ids:
            with torch.no_grad():
                states = policy(torch.tensor([one.ids]), output_hidden_states=True).hidden_states
            for fragment, place in enumerate(one.places):
                assert its[fragment, 0] == pytest.approx(states[1][0, place].numpy(), abs=1e-5)
                assert its[fragment, 1] == pytest.approx(states[2][0, place].numpy(), abs=1e-5)


@pytest.mark.parametrize("layer", [1, 3, 4])
@pytest.mark.parametrize("family", ["llama", "gemma3_text", "gpt2"])
def test_what_lies_behind_the_layer_of_a_probe_is_not_computed(family, layer):
    import torch
    from transformers import AutoConfig

    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "vocab_size": 50}
    more = {} if family == "gpt2" else {"intermediate_size": 64, "num_key_value_heads": 1, "head_dim": 16}
    policy = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **size, **more)).eval()
    read = [Reading([5, 6, 7, 8, 9], [(1, 3), (3, 5)]), Reading([1, 2], [(0, 2)])]
    whole, n = hidden_states(policy, read, [layer]), sum(one.numel() for one in policy.parameters())
    part = hidden_states(cut_after(policy, layer), read, [layer])
    for its, one in zip(part, whole, strict=True):
        np.testing.assert_array_equal(its, one)
    # GPT-2 names its blocks otherwise, and stays whole.
    assert (sum(one.numel() for one in policy.parameters()) < n) == (layer == 1 and family != "gpt2")


def test_the_probe_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    states = rng.normal(3, [1, 2, 5, 0], (80, 4))
    correct = (states[:, 0] + rng.normal(size=80) > 3).astype(float)
    found = fit(states, correct, layer=1, penalty=0.05)
    standard = (states - states.mean(0)) / np.where(states.std(0) > 0, states.std(0), 1)
    theirs = LogisticRegression(C=1 / (80 * 0.05), tol=1e-10, max_iter=1000).fit(standard, correct)
    assert found.scores(states) == pytest.approx(theirs.decision_function(standard), abs=1e-4)


def test_average_precision_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    confidence = rng.integers(0, 9, 60) / 10
    correct = rng.random(60) < confidence
    found = auprc(judged(list(confidence), list(correct), list(range(60))), weights(60, 0, 2))
    assert found[0] == pytest.approx(average_precision_score(~correct, 1 - confidence))


def test_the_first_error():
    """Found in one of two responses with an error, none called in one of two without: F1 = ½."""
    asked = prompts(4)
    four = [row(asked[0], [True, False]), row(asked[1], [False, True]), row(asked[2], [True]), row(asked[3], [True])]
    sure = [[0.9, 0.2], [0.9, 0.2], [0.9], [0.1]]
    position = {one.prompt_key: place for place, one in enumerate(four)}
    assert first_error(four, sure, "independent", position, np.ones((1, 4)))[0] == 0.5
    # No error is found in its place, and an error is called in each correct response.
    assert first_error(four[1:], [[0.9, 0.9], [0.1], [0.1]], "independent", position, np.ones((1, 4)))[0] == 0
    assert np.isnan(first_error(four[:1], sure[:1], "independent", position, np.ones((1, 4)))[0])


def test_no_prompt_is_in_two_parts():
    many = [*rows(20), *rows(20, seed=1)]
    found = parts(many, seed=3)
    keys = [{one.prompt_key for one in its} for its in (found.train, found.validation, found.test)]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 20
    assert len(found.train) + len(found.validation) + len(found.test) == len(many)
    assert parts(many[::-1], seed=3).train[::-1] == found.train
    assert parts(many, seed=4).train != found.train


def test_what_can_be_learnt_is_learnt_and_written_down(probe, scored):
    told = read_description(probe)
    assert told.figures.auroc.value > 0.95
    assert told.figures.ece_after.value < 0.15
    assert (told.domain, told.fragmenter, told.verifier, told.kind) == ("ink", SCORER.fragmenter, "hand/1", "probe")
    assert [one.prompts for one in (told.figures.train, told.figures.validation, told.figures.test)] == [42, 9, 9]
    fresh = rows(10, seed=9, split="heldout")
    found = probabilities(probe, fresh)
    right = [one.label == "correct" for its in fresh for one in its.fragments]
    assert np.mean([(one > 0.5) == its for one, its in zip(itertools.chain(*found), right, strict=True)]) > 0.9
    run = json.loads((probe / "run.json").read_text(encoding="utf-8"))
    # Those of the test part are not among them.
    assert len(run["prompts"]) == 51
    assert "AUROC" in (probe / "README.md").read_text(encoding="utf-8")


def test_the_same_command_does_nothing_again_and_gives_the_same_elsewhere(tiny_model, scored, probe, tmp_path, capsys):
    before = (probe / "run.json").read_bytes()
    assert trained(tiny_model, scored, probe) == probe
    assert "already done" in capsys.readouterr().err
    assert (probe / "run.json").read_bytes() == before
    again = trained(tiny_model, scored, tmp_path / "again")
    for name in ("probe.safetensors", "reward.json", "README.md"):
        assert (again / name).read_bytes() == (probe / name).read_bytes()
    other = trained(tiny_model, scored, tmp_path / "other", seed=1)
    assert (other / "probe.safetensors").read_bytes() != (probe / "probe.safetensors").read_bytes()


def test_a_killed_training_is_no_reward_model_and_is_done_again(tiny_model, scored, probe, tmp_path, monkeypatch):
    from rlhalt.reward_model import train

    def broken(folder, told):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(train, "write_description", broken)
        with pytest.raises(KeyboardInterrupt):
            trained(tiny_model, scored, tmp_path / "reward")
    with pytest.raises(InputError, match=r"found no reward\.json, no run\.json"):
        read_description(tmp_path / "reward")
    again = trained(tiny_model, scored, tmp_path / "reward")
    assert (again / "reward.json").read_bytes() == (probe / "reward.json").read_bytes()


def test_a_folder_holds_one_reward_model(tiny_model, scored, tmp_path):
    """What is killed while it replaces another one leaves none."""
    folder = trained(tiny_model, scored, tmp_path / "reward")
    (folder / "adapter_model.safetensors").write_bytes(b"of another kind")
    clear(folder)
    assert [one.name for one in folder.iterdir() if one.suffix in (".json", ".safetensors")] == []


def test_a_model_that_computes_no_finite_number_is_refused(tiny_model, scored, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    weights = load_file(model / "model.safetensors")
    save_file({name: one * np.nan for name, one in weights.items()}, model / "model.safetensors", {"format": "pt"})
    refused(tmp_path / "reward", scored, model, "fragments that the model can read, found 0")


def test_a_classifier_learns_the_same(tiny_model, scored, tmp_path):
    folder = trained(tiny_model, scored, tmp_path / "reward", "classifier")
    told = read_description(folder)
    assert told.layer is None
    assert told.figures.auroc.value > 0.9
    fresh = rows(5, seed=9, split="heldout")
    found = probabilities(folder, fresh)
    assert [len(one) for one in found] == [len(one.fragments) for one in fresh]
    again = trained(tiny_model, scored, tmp_path / "again", "classifier")
    assert probabilities(again, fresh) == found
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["log"]


def test_unverifiable_fragments_have_no_label_or_count_as_incorrect(tiny_model, tmp_path, capsys):
    file = tmp_path / "scored.jsonl"
    unsure = [
        dataclasses.replace(
            row,
            fragments=[
                dataclasses.replace(one, label="unverifiable" if one.label == "incorrect" and at else one.label)
                for at, one in enumerate(row.fragments)
            ],
        )
        for row in rows(120)
    ]
    write(file, unsure)
    command = ["train", "reward", "--scored", str(file), "--domain", ink(tmp_path), "--model", str(tiny_model)]
    for name, flag in (("without", []), ("as-incorrect", ["--unverifiable", "incorrect"])):
        assert main([*command, "--output", str(tmp_path / name), *flag]) == 0
        assert ("unverifiable fragments count as incorrect" in capsys.readouterr().out) == bool(flag)
    without, counted = (read_description(tmp_path / name) for name in ("without", "as-incorrect"))
    assert (without.unverifiable, counted.unverifiable) == ("unlabelled", "incorrect")
    marks = [one.label for row in unsure for one in row.fragments]
    incorrect = [
        its.figures.train.incorrect + its.figures.validation.incorrect + its.figures.test.incorrect
        for its in (without, counted)
    ]
    assert incorrect == [marks.count("incorrect"), marks.count("incorrect") + marks.count("unverifiable")]
    assert "count as incorrect" in (tmp_path / "as-incorrect" / "README.md").read_text(encoding="utf-8")


def test_too_few_fragments_and_one_class_are_refused(tiny_model, tmp_path):
    few, one = tmp_path / "few.jsonl", tmp_path / "one.jsonl"
    write(few, rows(20))
    refused(tmp_path / "a", few, tiny_model, r"at least 30 .* found \d+ in train, \d+ in validation, \d+ in test")
    write(one, [row(prompt, [True] * 4) for prompt in prompts(60)])
    refused(tmp_path / "b", one, tiny_model, r"only correct ones in train \(168\)")


def test_held_out_prompts_and_prompts_the_model_has_seen_are_refused(tiny_model, scored, tmp_path):
    held = tmp_path / "held.jsonl"
    write(held, rows(split="heldout"))
    refused(tmp_path / "a", held, tiny_model, "split train, found all 60 to held-out prompts")
    from rlhalt.contamination import prompts_seen

    seen = shutil.copytree(tiny_model, tmp_path / "seen")
    (seen / "run.json").write_text(json.dumps({"prompts": prompts_seen(prompts(3))}), encoding="utf-8")
    # Prompts are counted, not responses.
    write(tmp_path / "twice.jsonl", [*rows(), *rows(seed=1)])
    refused(tmp_path / "b", tmp_path / "twice.jsonl", seen, "was not trained on, found 3 that it was")


def test_a_folder_that_is_no_reward_model_says_all_that_is_missing(probe, tmp_path):
    with pytest.raises(InputError, match=r"no reward\.json, no run\.json, no probe\.safetensors or adapter_model"):
        load(tmp_path)
    copy = shutil.copytree(probe, tmp_path / "copy")
    for name in ("run.json", "probe.safetensors"):
        (copy / name).unlink()
    with pytest.raises(InputError, match=r"found no run\.json, no probe\.safetensors"):
        load(copy)
    shutil.copy(probe / "run.json", copy)
    (copy / "probe.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="expected a safetensors file"):
        load(copy)
    tensors = load_file(probe / "probe.safetensors")
    save_file({"mean": tensors["mean"], "bias": tensors["bias"]}, copy / "probe.safetensors")
    with pytest.raises(InputError, match="found no scale, no weight"):
        load(copy)
    save_file({**tensors, "weight": tensors["weight"][:9]}, copy / "probe.safetensors")
    with pytest.raises(InputError, match="expected a probe of 64 numbers"):
        load(copy)


def test_other_weights_and_another_tokenizer_are_refused(tiny_model, scored, tmp_path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    folder = trained(model, scored, tmp_path / "reward")
    template = model / "chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("<|im_start|>", "<|im_end|>"), encoding="utf-8")
    with pytest.raises(InputError, match="expected the tokenizer that it was trained with, found another one"):
        load(folder)
    weights = load_file(model / "model.safetensors")
    save_file({name: one + 1 for name, one in weights.items()}, model / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"expected the model model@.*, which it was trained with, found model@"):
        load(folder)


def test_another_domain_and_another_fragmenter_are_refused(probe):
    told = read_description(probe)
    told.refuse_others(SCORER, probe)
    with pytest.raises(InputError, match=r"for the domain 'countries' .* found one for domain 'ink'"):
        told.refuse_others(dataclasses.replace(SCORER, domain="countries"), probe)


def ink(folder):
    (folder / "ink").mkdir()
    (folder / "ink" / "domain.yaml").write_text(
        "domain: ink\nhalting: independent\nthreshold: 0.5\nfragmenter: sentences\nverifier: rlhalt.scoring:NoVerifier",
        encoding="utf-8",
    )
    return str(folder / "ink")


def test_the_command(tiny_model, tmp_path, capsys):
    write(tmp_path / "a.jsonl", rows(30))
    write(tmp_path / "b.jsonl", rows(60)[30:])
    argv = ["train", "reward", "--scored", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl")]
    argv += ["--model", str(tiny_model), "--domain", ink(tmp_path), "--output", str(tmp_path / "reward")]
    assert main(argv) == 0
    said = capsys.readouterr().out
    for part in ("prompts  correct  incorrect", "validation", "AUROC", "AUPRC", "ECE before", "ECE after"):
        assert part in said
    assert main([*argv, "--epochs", "2"]) == 2
    assert "only used with --kind classifier" in capsys.readouterr().err
    assert main([*argv, "--sead", "2"]) == 2
    assert "did you mean '--seed'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["train", "reward", "--help"])
    assert "--scored" in capsys.readouterr().out

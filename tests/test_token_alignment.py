"""Pairs whose sides have the same tokens up to the cut, under tokenizers of several kinds built on the spot."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlhalt.errors import InputError
from rlhalt.records import HALT_PHRASE, Fragment, Pair, Scored, content_key
from rlhalt.training.token_alignment import Prompts, align, reasons
from rlhalt.training_data import pairs

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ASKED = [{"role": "user", "content": "State five facts about Norway."}]
CORPUS = [
    "Norway is in Europe. The capital of Norway is Oslo. The currency of Norway is the krone. Unsure from here.",
    "1. São Tomé lies at 0.3° N.\n2. Its capital is São Tomé.\nUnsure from here.\n\n- Ναι, 東京 is a city.",
    "### Reflection\nOf this I am not sure:\n1. 🇳🇴 is a flag.\n2. It is large. Its name is short.",
    "Iran borders Iraq. Italy borders Austria. <|im_start|>user assistant",
] * 3
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
OTHER_TOKENS = "the text before the cut has other tokens on the two sides"


def build(kind: str):
    """A tokenizer like that of a known model.

    `gpt2`: byte-level BPE. `llama3`: the same, but ".\\n" may be one token. `llama2`: BPE with Metaspace, and bytes for
    what is unknown. `t5`: Unigram with Metaspace. `unigram`: the same without words, where any text may change the
    tokens of what stands before it.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw = Tokenizer(models.Unigram() if kind in ("t5", "unigram") else models.BPE(byte_fallback=kind == "llama2"))
    if kind == "gpt2":
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        raw.decoder = decoders.ByteLevel()
    elif kind == "llama3":
        split = pre_tokenizers.Split(Regex(LLAMA_3), "isolated")
        raw.pre_tokenizer = pre_tokenizers.Sequence(
            [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
        raw.decoder = decoders.ByteLevel()
    else:
        raw.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="never")])
        if kind != "unigram":
            raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    trainer: trainers.Trainer
    if kind in ("t5", "unigram"):
        trainer = trainers.UnigramTrainer(
            vocab_size=200, special_tokens=[*SPECIAL, "<unk>"], unk_token="<unk>", show_progress=False
        )
    else:
        spare = [f"<0x{n:02X}>" for n in range(256)] if kind == "llama2" else []
        trainer = trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=[*SPECIAL, *spare],
            initial_alphabet=alphabet if kind in ("gpt2", "llama3") else [],
            show_progress=False,
        )
    # SentencePiece is trained on lines, so that no piece has a line end in it.
    lines = CORPUS if kind in ("gpt2", "llama3") else [line for text in CORPUS for line in text.split("\n")]
    raw.train_from_iterator(lines, trainer)
    return finished(raw)


def finished(raw):
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


GPT2, LLAMA3 = build("gpt2"), build("llama3")


@pytest.fixture(scope="module", params=["gpt2", "llama3", "llama2", "t5", "unigram"])
def tokenizer(request):
    return build(request.param)


def made(chosen: str, rejected: str, cut: int) -> Pair:
    def said(text: str) -> list[dict[str, str]]:
        return [{"role": "assistant", "content": text}]

    return Pair(content_key(chosen, rejected), ASKED, said(chosen), said(rejected), 0.5, "unsure", 0.5, cut, "s")


def row(parts: list[tuple[str, str]], between: str) -> Scored:
    text, fragments = "", []
    for piece, label in parts:
        text += between if fragments else ""
        fragments.append(Fragment(len(text), len(text) + len(piece), "s", piece, label, verifier="h"))
        text += piece
    return Scored("k", "p", 0, ASKED, text, {}, "d", "train", "stop", {}, 1, fragments)


SENTENCES = [("Norway is in Europe.", "correct"), ("Iran borders Iraq.", "correct"), ("It is large.", "incorrect")]
UNICODE = [("🇳🇴 is a flag.", "correct"), ("São Tomé lies at 0.3° N.", "correct"), ("東京は都市です。", "incorrect")]


@pytest.mark.parametrize("style", ["remove", "unsure", "truncate", "reflect", "flip"])
@pytest.mark.parametrize("between", [" ", "\n", "\n\n- ", ""], ids=["space", "newline", "list", "nothing"])
@pytest.mark.parametrize("parts", [SENTENCES, UNICODE], ids=["ascii", "unicode"])
def test_pairs_are_aligned_under_every_kind_of_tokenizer(tokenizer, style, between, parts):
    whole = list(pairs([row(parts, between)], 0.5, style))
    assert align(tokenizer, whole) == (whole, [])


def shares(tokenizer, pair: Pair) -> bool:
    """The definition by decoding more and more tokens, without offsets."""
    sides = [
        tokenizer.apply_chat_template([*pair.prompt, *answer])["input_ids"] for answer in (pair.chosen, pair.rejected)
    ]
    same = next(n for n, (a, b) in enumerate(zip(*sides, strict=False)) if a != b)
    cut = len(tokenizer.apply_chat_template(pair.prompt, add_generation_prompt=True, tokenize=False)) + pair.cut
    # A token may hold a part of a character's bytes; it has reached that character.
    return all(len(tokenizer.decode(ids[: same + 1])) >= cut for ids in sides)


words = st.sampled_from(
    ["Norway", "Iran", "Iraq", "It", "Its", "東京", "São", "🇳🇴", "0.3", "...", "is", "large", "é", "_"]
)
gaps = st.sampled_from(["", " ", "\n", ".", ". ", ".\n\n"])
texts = st.lists(st.tuples(words, gaps), min_size=1, max_size=6).map(
    lambda parts: "".join(a + b for a, b in parts).strip()
)


@settings(max_examples=150)
@given(shared=texts, one=texts, other=texts, gap=gaps)
def test_what_is_aligned_is_so_by_decoding_too(shared, one, other, gap):
    """For any shared beginning, cut in words or between them."""
    chosen, rejected = shared + gap + one, shared + gap + other
    if chosen == rejected:
        return
    for tokenizer in (GPT2, LLAMA3):
        pair = made(chosen, rejected, len(shared))
        aligned, _ = align(tokenizer, [pair])
        assert bool(aligned) == shares(tokenizer, pair)


def test_words_that_begin_alike_part_after_the_cut():
    text = "Norway is in Europe."
    pair = made(f"{text} Iran borders Iraq.", f"{text} Iraq borders Iran.", len(text))
    assert align(GPT2, [pair]) == ([pair], [])


def test_a_full_stop_may_belong_to_the_token_that_decides():
    """Where ".\\n" is one token, halting after a full stop and going on in a new line part at that token."""
    text = "2. Its capital is São Tomé."
    ids = LLAMA3(f"{text}\n")["input_ids"]
    assert LLAMA3.decode(ids[-1:]) == ".\n"
    pair = made(text, f"{text}\nIt is large.", len(text))
    assert align(LLAMA3, [pair]) == ([pair], [])


@pytest.fixture
def greedy():
    """A tokenizer of few pieces, where what follows "ab" decides how it is cut: ab|x, a|bc."""
    from tokenizers import Tokenizer, models

    pieces = [(one, -1.0) for one in ("ab", "bc", "x")] + [(one, -5.0) for one in "abc"]
    return finished(Tokenizer(models.Unigram([(one, 0.0) for one in SPECIAL] + [("<unk>", -50.0), *pieces], unk_id=3)))


def test_a_pair_whose_shared_text_has_other_tokens_is_reported(greedy):
    assert [greedy.tokenize(one) for one in ("xabx", "xabc")] == [["x", "ab", "x"], ["x", "a", "bc"]]
    good, bad = made("xabx", "xabab", 3), made("xabx", "xabc", 3)
    aligned, refused = align(greedy, [good, bad])
    assert aligned == [good]
    assert [one.key for one in refused] == [bad.key]
    assert reasons(refused) == {OTHER_TOKENS: 1}


def test_a_token_across_the_end_of_the_prompt_is_reported(greedy):
    greedy.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    asked = [{"role": "user", "content": "xa"}]
    good = dataclasses.replace(made("xab", "xx", 1), prompt=asked)
    bad = dataclasses.replace(made("bx", "x", 0), prompt=asked)
    aligned, refused = align(greedy, [good, bad])
    assert aligned == [good]
    assert reasons(refused) == {"a token stands across the end of the prompt": 1}


def test_a_template_that_changes_the_answer_does_not_change_what_is_trained_on():
    tokenizer = build("gpt2")
    tokenizer.chat_template = CHAT_TEMPLATE.replace("message['content']", "message['content'] | upper")
    pair = made("Norway.", "Iran.", 0)
    assert align(tokenizer, [pair]) == ([pair], [])
    ids = Prompts(tokenizer).sides(ASKED, ["Norway."], 0).ids[0]
    assert tokenizer.decode(ids).endswith("assistant\nNorway.<|im_end|>\n")


def test_a_template_that_puts_something_before_the_answer_is_taken_as_it_is():
    tokenizer = build("gpt2")
    thought = "('<think>\n\n</think>\n\n' if message['role'] == 'assistant' else '')"
    tokenizer.chat_template = CHAT_TEMPLATE.replace("+ message['content']", f"+ {thought} + message['content']")
    text = "Norway is in Europe."
    pair = made(f"{text} {HALT_PHRASE}", f"{text} It is large.", len(text))
    assert align(tokenizer, [pair]) == ([pair], [])


def test_a_side_that_would_be_cut_off_is_reported():
    text = "Norway is in Europe."
    pair = made(f"{text} {HALT_PHRASE}", f"{text} It is large.", len(text))
    longest = max(len(GPT2.apply_chat_template([*ASKED, *one])["input_ids"]) for one in (pair.chosen, pair.rejected))
    assert align(GPT2, [pair], longest) == ([pair], [])
    assert reasons(align(GPT2, [pair], longest - 1)[1]) == {f"longer than {longest - 1} tokens": 1}


def test_a_slow_tokenizer_is_refused():
    with pytest.raises(InputError, match="fast tokenizer"):
        align(object(), [])


def test_trl_makes_the_tokens_that_were_looked_at(tiny_model, tmp_path):
    """The contract: prompt_ids + chosen_ids are the ids of the whole chat, parted where the prompt ends."""
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import DPOConfig, DPOTrainer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    whole = list(pairs([row(SENTENCES, " "), row(UNICODE, "\n")], 0.5, "unsure"))
    assert align(tokenizer, whole) == (whole, [])
    data = [{"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected} for one in whole]
    args = DPOConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none", max_length=1024)
    trainer = DPOTrainer(
        model=str(tiny_model), args=args, train_dataset=Dataset.from_list(data), processing_class=tokenizer
    )
    prompt_ids = tokenizer.apply_chat_template(ASKED, add_generation_prompt=True)["input_ids"]
    for pair, ids in zip(whole, trainer.train_dataset, strict=True):
        assert ids["prompt_ids"] == prompt_ids
        for side, answer in (("chosen_ids", pair.chosen), ("rejected_ids", pair.rejected)):
            assert ids["prompt_ids"] + ids[side] == tokenizer.apply_chat_template([*ASKED, *answer])["input_ids"]

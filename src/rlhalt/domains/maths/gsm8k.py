"""GSM8K (Cobbe et al., arXiv 2110.14168): grade-school word problems with worked solutions, for the maths verifier.

A file is JSON lines of {question, answer}; the answer is worked step by step, with its calculations in annotations
(<<48/2=24>>) and the result after "####".
"""

from __future__ import annotations

from pathlib import Path

from rlhalt.domains.files import distinct, named_split, text_field
from rlhalt.domains.task import AnySplit, user
from rlhalt.errors import InputError
from rlhalt.records import Prompt, content_key, iter_json

DOMAIN = "maths"


def prompts(path: str | Path, split: AnySplit) -> list[Prompt]:
    """One prompt per problem, in file order; `reference` is `{"answer": worked solution, "question": text}`.

    Args:
        split: of all of them: GSM8K's train.jsonl is for training, its test.jsonl is held out.

    Raises:
        InputError: no such file, no rows, a row without question or answer, an answer without a result, or a question
            twice.
    """
    path, side = Path(path), named_split(split)
    rows = []
    for row, data in iter_json(path):
        question = text_field(data, "question", path, row)
        messages = user(question)
        answer = text_field(data, "answer", path, row)
        if "####" not in answer:
            raise InputError("expected a result after ####", path=path, row=row, field="answer")
        reference = {"answer": answer, "question": question}
        rows.append((row, Prompt(content_key(messages, DOMAIN), messages, reference, DOMAIN, side)))
    return distinct(rows, path)

"""What judging costs in tokens: a whole response in one call, beside one call a fragment. Asks no model; prints JSON.

    python benchmarks/judge_cost.py ../shared/data/factscore/ChatGPT.jsonl ../shared/data/factscore/InstructGPT.jsonl

The responses and their fragments are FActScore's, as sentences and as facts. Their articles are not in the data: what
stands for one is the other model's answer about the same person (short), and that with answers about other people after
it (long, 30,000 characters, of which the judge sees the passages nearest to the fragments). The ways to ask:

    whole       one call a response, all its fragments asked for
    in context  one call a fragment, the others shown
    alone       one call a fragment, which stands alone, as FActScore asks

Tokens read are counted by a tokenizer; servers that show the JSON schema to the model read more. Tokens written are
those of verdicts with evidence of twelve words. `estimate` is what `JudgeVerifier.estimate`, and so a dry run, says of
asking whole.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rlhalt.domains.biography import factscore
from rlhalt.embedded import SMOLLM2
from rlhalt.llm import Client, Request, Server
from rlhalt.models.names import resolve_model
from rlhalt.records import Fragment, Scored
from rlhalt.verifiers.judge import JudgeVerifier

PROMPT = Path(__file__).parents[1] / "reward" / "biography" / "judge.txt"
LONG = 30_000  # characters
EVIDENCE = "the article says that she was born in Oslo in March 1902"
WAYS = ("whole", "in context", "alone")
Json = dict[str, Any]


def references(rows: Sequence[Scored]) -> dict[str, dict[str, Json]]:
    """By the length of the article and the key of the response."""
    texts = [one.response for one in rows if one.response]
    others = {(one.prompt_key, 1 - one.index): one.response for one in rows}
    found: dict[str, dict[str, Json]] = {"short": {}, "long": {}}
    for number, row in enumerate(rows):
        about = others[row.prompt_key, row.index] or row.response
        rest = "\n".join([*texts[number:], *texts[:number]])
        for name, article in (("short", about), ("long", f"{about}\n{rest}"[:LONG])):
            found[name][row.key] = {**row.reference, "article": article}
    return found


def requests(verifier: JudgeVerifier, fragments: Sequence[Fragment], reference: Json, way: str) -> Iterator[Request]:
    """The calls that judge these fragments."""
    numbers = range(1, len(fragments) + 1)
    if way == "whole":
        yield verifier.request(fragments, numbers, reference)
    for number in numbers if way != "whole" else ():
        yield (
            verifier.request(fragments, [number], reference)
            if way == "in context"
            else verifier.request([fragments[number - 1]], [1], reference)
        )


def main() -> None:
    """Print what each way costs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=2, type=Path, help="FActScore's ChatGPT.jsonl and InstructGPT.jsonl")
    parser.add_argument("--tokenizer", default=SMOLLM2, help="a model folder or hub name")
    args = parser.parse_args()

    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(resolve_model(args.tokenizer))

    def read_by_model(request: Request) -> int:
        # Tokenized in two steps, because a template that returns ids returns other things around them too.
        text = tokenizer.apply_chat_template(list(request.messages), tokenize=False, add_generation_prompt=True)
        return len(tokenizer(text, add_special_tokens=False).input_ids)

    def written(count: int) -> int:
        verdicts = [{"id": one, "evidence": EVIDENCE, "label": "correct"} for one in range(1, count + 1)]
        return len(tokenizer(json.dumps({"verdicts": verdicts}), add_special_tokens=False).input_ids)

    results: list[Json] = []
    with Client(Server("http://127.0.0.1:1/v1", "nobody")) as client:
        verifier = JudgeVerifier(client, PROMPT, ["subject", "article"])
        for granularity in ("sentences", "facts"):
            rows = factscore.read(args.files, granularity).rows
            judged = {row.key: [one for one in row.fragments if one.kind != "halt"] for row in rows}
            for length, known in references(rows).items():
                cases = [(judged[key], reference) for key, reference in known.items() if judged[key]]
                result: Json = {
                    "fragments": granularity,
                    "article": length,
                    "responses": len(cases),
                    "judged": sum(len(fragments) for fragments, _ in cases),
                }
                for way in WAYS:
                    asked = [one for case in cases for one in requests(verifier, *case, way)]
                    each = (
                        written(1) * result["judged"] if way != "whole" else sum(written(len(one)) for one, _ in cases)
                    )
                    result[way] = {
                        "calls": len(asked),
                        "tokens_in": sum(map(read_by_model, asked)),
                        "tokens_out": each,
                    }
                usage = verifier.estimate(cases)
                result["estimate"] = {
                    "calls": usage.calls,
                    "tokens_in": usage.tokens_in,
                    "tokens_out": usage.tokens_out,
                }
                results.append(result)
    print(json.dumps({"tokenizer": args.tokenizer, "results": results}, indent=1))


if __name__ == "__main__":
    main()

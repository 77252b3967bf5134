"""How fast scoring is, as JSON: a judge behind a slow server, beside FActScore's loop, and a million rows of knowledge.

    python benchmarks/scoring.py judge --fragments 5000 --concurrency 64 [--factscore-python PYTHON]
    python benchmarks/scoring.py knowledge --rows 10000 100000 1000000
    python benchmarks/scoring.py batch learnt                # a folder with domain.yaml: verifier: model

`judge` scores made-up biographies by `score_file` against `scoring_server.py` (200 ms ± 50). Ideal is calls × latency /
concurrency. Beside it stands what a client of a few lines that does nothing but send and receive reaches on the same
server and machine: what is missing there is the server's, not ours.

`knowledge` scores made-up answers about countries in a process of its own each, and gives its largest resident set.

`batch` is what a step of online training waits for: the verdicts on its responses, by a trained reward model, by the
same one response after another, and by that judge, in turn in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

from rlhalt.domains import countries, load_domain
from rlhalt.domains.countries.table import facts
from rlhalt.fragments.sentences import sentences
from rlhalt.llm import Client, Limits, Server
from rlhalt.records import Response, Rows, Scored, content_key, write
from rlhalt.score_file import score_file
from rlhalt.verifiers.judge import JudgeVerifier

HERE = Path(__file__).parent
LATENCY, SPREAD = 0.2, 0.05  # seconds
# A biography of FActScore's data has 7.0 sentences and 785 characters on average.
SENTENCES = 7
PROMPT = HERE.parent / "reward" / "biography" / "judge.txt"
SPECIFICATION = f"""
domain: made-up
fragmenter: sentences
verifier: judge
prompt: {PROMPT}
fields: [subject, article]
halting: independent
threshold: 0.5
max_failure_rate: 0.0
"""
Json = dict[str, Any]

_TEXT = (
    "born in the north she studied law and music at a small college before moving to the capital where her first novel "
    "about two brothers won a national prize and was later filmed by an award winning director from Québec who had "
    "known the author since their time on the city council of 1987"
)


def _sentence(draw: random.Random, length: int) -> str:
    words = _TEXT.split()
    return " ".join(draw.choice(words) for _ in range(length)).capitalize() + "."


def biographies(fragments: int, each: int, seed: int) -> list[Response]:
    """Responses of `each` sentences, and an article of about 3,500 characters as the reference of each."""
    draw = random.Random(seed)
    rows = []
    for index in range(-(-fragments // each)):
        text = " ".join(_sentence(draw, 20) for _ in range(min(each, fragments - index * each)))
        reference = {"subject": f"Person {index}", "article": " ".join(_sentence(draw, 22) for _ in range(28))}
        rows.append(_response(f"Tell me about person {index}.", text, reference, "biography"))
    return rows


def _response(prompt: str, text: str, reference: Json, domain: str) -> Response:
    key = content_key(prompt, text)
    message = [{"role": "user", "content": prompt}]
    return Response(key, key, 0, message, text, reference, domain, "heldout", "stop", {"made": "up"}, len(text) // 4)


@contextlib.contextmanager
def judge_server(seed: int) -> Iterator[tuple[str, Json]]:
    """An address, and what the server has done, which is there after the end."""
    command = [sys.executable, str(HERE / "scoring_server.py"), "--latency", str(LATENCY), "--spread", str(SPREAD)]
    told: Json = {}
    with subprocess.Popen(
        [*command, "--seed", str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1", told
        process.stdin.close()
        told |= json.loads(process.stdout.read())


def scored(rows: list[Response], concurrency: int, seed: int) -> Json:
    """Seconds that `score_file` takes with a judge, cache and all."""
    with judge_server(seed) as (address, told), tempfile.TemporaryDirectory() as folder:
        limits = Limits(concurrency=concurrency)
        with Client(Server(address, "judge"), limits, cache=Path(folder) / "cache.sqlite") as client:
            Path(folder, "domain.yaml").write_text(SPECIFICATION)
            scorer = load_domain(folder).scorer(client)
            # Imports, and whatever else is done once a process.
            scorer.judge("One.", {"subject": "Nobody", "article": "Nothing."})
            before = client.usage
            start, cpu = time.perf_counter(), time.process_time()
            score_file(rows, scorer, Path(folder) / "scored.jsonl")
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            calls = (client.usage - before).calls
    fragments = sum(len(sentences(one.response)) for one in rows)
    return {"fragments": fragments, **_figures(calls, seconds, cpu, concurrency), "server": _server(told)}


def bare(rows: list[Response], concurrency: int, seed: int) -> Json:
    """The same requests by a client that does nothing but send and receive."""
    requests = [_wire(one) for one in rows]
    with judge_server(seed) as (address, told):
        start, cpu = time.perf_counter(), time.process_time()
        asyncio.run(_send_all(requests, address, concurrency))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {**_figures(len(requests), seconds, cpu, concurrency), "server": _server(told)}


def _figures(calls: int, seconds: float, cpu: float, concurrency: int) -> Json:
    ideal = calls * LATENCY / concurrency
    return {
        "calls": calls,
        "seconds": round(seconds, 3),
        "ideal_seconds": round(ideal, 3),
        "of_ideal": round(ideal / seconds, 3),
        "client_cpu_ms_a_call": round(1e3 * cpu / calls, 3),
    }


def _server(told: Json) -> Json:
    return {"at_once": told["at_once"], "cpu_ms_a_call": round(1e3 * told["cpu_seconds"] / told["calls"], 3)}


def _wire(row: Response) -> bytes:
    with Client(Server("http://127.0.0.1/v1", "judge")) as client:
        verifier = JudgeVerifier(client, PROMPT, ["subject", "article"])
        fragments = sentences(row.response)
        request = verifier.request(fragments, range(1, len(fragments) + 1), row.reference)
    body = json.dumps({"model": "judge", "messages": request.messages, "temperature": 0}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _send_all(requests: list[bytes], address: str, concurrency: int) -> None:
    waiting = iter(requests)

    async def work() -> None:
        reader, writer = await asyncio.open_connection(urlsplit(address).hostname, urlsplit(address).port)
        for one in waiting:
            writer.write(one)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.rsplit(b":", 1)[1]))
        writer.close()

    await asyncio.gather(*(work() for _ in range(concurrency)))


def factscore(rows: list[Response], python: str | None, seed: int) -> Json:
    """Seconds of FActScore's own loop for the same fragments, one after another."""
    if not python:
        return {"skipped": "no --factscore-python: a Python that has factscore 0.2 and openai 0.27"}
    bios = [
        {
            "topic": one.reference["subject"],
            "text": one.response,
            "article": one.reference["article"],
            "facts": [fragment.text for fragment in sentences(one.response)],
        }
        for one in rows
    ]
    with judge_server(seed) as (address, told):
        done = subprocess.run(
            [python, str(HERE / "scoring_factscore.py"), address],
            input=json.dumps(bios),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return {"skipped": f"{python}: {done.stderr.strip().splitlines()[-1]}"}
    out = json.loads(done.stdout.splitlines()[-1])
    return {**out, "calls": told["calls"], "seconds_a_fragment": round(out["seconds"] / out["fragments"], 5)}


def judge(args: argparse.Namespace) -> Json:
    """A response a call, a fragment a call, and FActScore's loop on a part of them."""
    several = biographies(args.fragments, SENTENCES, args.seed)
    single = biographies(args.fragments, 1, args.seed)
    out: Json = {"concurrency": args.concurrency, "latency": LATENCY, "spread": SPREAD, "load": os.getloadavg()[0]}
    for name, rows in (("response_a_call", several), ("fragment_a_call", single)):
        out[name] = scored(rows, args.concurrency, args.seed)
        out[name]["seconds_a_fragment"] = round(out[name]["seconds"] / out[name]["fragments"], 5)
        out[name]["bare_client"] = bare(rows, args.concurrency, args.seed)
    out["factscore"] = factscore(several[: args.factscore_responses], args.factscore_python, args.seed)
    return out


def answers(rows: int, seed: int) -> Iterator[Response]:
    """Five facts about a country each, as small models state them: about half of them right, no two answers alike."""
    draw = random.Random(seed)
    table = facts()
    asked = countries.prompts()
    others = {
        relation: [value for entry in table.entries.values() for value in entry.facts[relation].values()]
        for relation in ("region", "capital", "currency", "language", "neighbour")
    }
    for index in range(rows):
        prompt = asked[index % len(asked)]
        name = prompt.reference["subject"]
        known = table.entries[name].facts

        def value(relation: str, known: Mapping[str, Mapping[str, str]] = known) -> str:
            right = list(known[relation].values())
            return draw.choice(right if right and draw.random() < 0.5 else others[relation])

        text = (
            f"{name} is a country in {value('region').title()}. The capital of {name} is {value('capital')}. "
            f"The currency of {name} is the {value('currency')}. "
            f"The official language of {name} is {value('language')}. "
            f"{name} has a population of about {draw.randrange(1, 10**8):,}."
            if draw.random() < 0.5
            else f"{name} borders {value('neighbour')} and {value('neighbour')}. Its capital is {value('capital')}, "
            f"and its currency is the {value('currency')}. It has about {draw.randrange(1, 10**8):,} inhabitants. "
            f"People there speak {value('language')}. It is known for its wildlife."
        )
        yield dataclasses.replace(
            _response("", text, prompt.reference, "countries"),
            key=f"{index:016x}",
            prompt_key=prompt.key,
            prompt=prompt.prompt,
        )


def knowledge(args: argparse.Namespace) -> Json:
    """Throughput and largest resident set of each number of rows, a process each."""
    out = []
    with tempfile.TemporaryDirectory() as folder:
        for rows in args.rows:
            responses = Path(folder) / "responses.jsonl"
            write(responses, answers(rows, args.seed))
            command = [sys.executable, __file__, "knowledge-once", str(responses)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            out.append({"rows": rows, **json.loads(done.stdout)})
    return {"load": os.getloadavg()[0], "runs": out}


def knowledge_once(args: argparse.Namespace) -> Json:
    """Score one file, by the domain of the countries, beside it."""
    scorer = load_domain("countries").scorer()
    scorer.judge("Kenya is in Africa.", {"subject": "Kenya"})
    before = _resident()
    start, cpu = time.perf_counter(), time.process_time()
    output = Path(args.responses).with_name("scored.jsonl")
    score_file(Rows(Path(args.responses), Response), scorer, output)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    rows = sum(1 for _ in Rows(output, Scored))
    output.unlink()
    return {
        "seconds": round(seconds, 1),
        "rows_a_cpu_second": round(rows / cpu),
        "resident_mb_before": before,
        "resident_mb_at_most": _resident(),
    }


def batch(args: argparse.Namespace) -> Json:
    """Seconds until a batch is judged, by the clock and by this process's CPU, and medians of the rounds' ratios."""
    from rlhalt.training.fragment_grpo.advantages import Pay
    from rlhalt.training.fragment_grpo.reward import FragmentReward

    about = list(answers(args.responses, args.seed))
    told = biographies(args.responses * SENTENCES, SENTENCES, args.seed)
    taken: dict[str, list[tuple[float, float]]] = {"reward model": [], "one after another": [], "judge": []}
    with judge_server(args.seed) as (address, _), tempfile.TemporaryDirectory() as folder:
        Path(folder, "domain.yaml").write_text(SPECIFICATION)
        with Client(Server(address, "judge"), Limits(concurrency=args.concurrency)) as client:
            scorers = load_domain(args.domain).scorer(), load_domain(folder).scorer(client)
            learnt, asked = (FragmentReward(one, Pay(0.5, one.halting)) for one in scorers)

            def judge_all(reward: FragmentReward, rows: list[Response]) -> None:
                begun = [reward.judge(one.response, one.reference, one.prompt) for one in rows]
                for one in begun:
                    one.result()

            ways = {
                "reward model": lambda: judge_all(learnt, about),
                "one after another": lambda: [judge_all(learnt, [one]) for one in about],
                "judge": lambda: judge_all(asked, told),
            }
            # The first round warms up.
            for number in range(args.rounds + 1):
                for name, work in ways.items():
                    start, cpu = time.perf_counter(), time.process_time()
                    work()
                    if number:
                        taken[name].append((time.perf_counter() - start, time.process_time() - cpu))
    found: Json = {"responses": args.responses, "load": round(os.getloadavg()[0], 1)}
    for name, some in taken.items():
        pairs = list(zip(some, taken["reward model"], strict=True))
        found[name] = {
            "seconds": round(median(wall for wall, _ in some), 3),
            "CPU": round(median(c for _, c in some), 3),
        }
        if name != "reward model":
            found[name]["reward model, of its seconds"] = round(median(ours[0] / its[0] for its, ours in pairs), 3)
            found[name]["of its CPU"] = round(median(ours[1] / its[1] for its, ours in pairs), 3)
    return found


def _resident() -> float:
    """The largest resident set of this process so far, MiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("judge")
    one.add_argument("--fragments", type=int, default=5000)
    one.add_argument("--concurrency", type=int, default=64)
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--factscore-python")
    one.add_argument("--factscore-responses", type=int, default=30)
    one.set_defaults(run=judge)
    one = parts.add_parser("knowledge")
    one.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    one.add_argument("--seed", type=int, default=0)
    one.set_defaults(run=knowledge)
    one = parts.add_parser("batch")
    one.add_argument("domain", help="a folder with domain.yaml that names a reward model of the countries")
    one.add_argument("--responses", type=int, default=32)
    one.add_argument("--concurrency", type=int, default=64)
    one.add_argument("--rounds", type=int, default=5)
    one.add_argument("--seed", type=int, default=0)
    one.set_defaults(run=batch)
    one = parts.add_parser("knowledge-once")
    one.add_argument("responses")
    one.set_defaults(run=knowledge_once)
    args = parser.parse_args()
    print(json.dumps(args.run(args), indent=2))

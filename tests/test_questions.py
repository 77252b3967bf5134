"""Thirty questions and more that a newcomer asks: a search for a few words finds the page that answers each.

The search is a plain one, over the sections of the pages: a section counts for the words that it has, rare words for
more, words of its heading for more. The answer itself is a few words that the page must hold.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
FIRST = 3
# What a search leaves out, as that of the site does.
STOP = {
    "a",
    "an",
    "and",
    "are",
    "as",
    "at",
    "be",
    "by",
    "can",
    "do",
    "does",
    "for",
    "from",
    "how",
    "i",
    "if",
    "in",
    "is",
}
STOP |= {"it", "my", "of", "on", "or", "that", "the", "to", "use", "what"}


class Question(NamedTuple):
    """What somebody asks, what they type, the page that answers, and words of the answer."""

    asked: str
    words: str
    page: str
    answer: str


QUESTIONS = [
    Question("How do I install it?", "install", "docs/installing.md", 'pip install -e ".[recipes]"'),
    Question("Can I use it without a GPU?", "without a GPU", "docs/installing.md", "Linux without a GPU"),
    Question("Does it run on Windows or macOS?", "Windows macOS", "docs/installing.md", "Use WSL 2"),
    Question("Is there a container?", "docker container", "docs/installing.md", "docker build"),
    Question("Does it work without internet?", "without internet offline", "docs/installing.md", "RLHALT_CACHE"),
    Question("How long does the quickstart take?", "how long quickstart minutes", "docs/installing.md", "minutes"),
    Question("How much memory does it need?", "quickstart memory GB", "docs/installing.md", "3 GB of memory"),
    Question("Which versions of TRL and vLLM?", "tested versions trl vllm", "docs/compatibility.md", "| trl |"),
    Question("What is the idea?", "idea fragment verdict threshold", "docs/concepts.md", "correct fragment earns"),
    Question("Which τ do I choose?", "choose threshold", "docs/concepts.md", "choose it when"),
    Question("Which method do I run first?", "which method first", "docs/concepts.md", "Start with the [cut]"),
    Question("How do I use my own data?", "my own data", "docs/domains.md", "--file mine.jsonl"),
    Question("How do I write my own verifier?", "own verifier", "docs/domains.md", "def verify("),
    Question("How do I add a domain?", "add a new domain", "docs/domains.md", "rlhalt new domain"),
    Question("What if a verdict is wrong?", "wrong verdict", "docs/domains.md", "A verdict is wrong"),
    Question("How good are the verdicts?", "trust verdicts agreement", "docs/domains.md", "98 % agreement"),
    Question("Does it work in other languages?", "German language", "docs/domains.md", "language: de"),
    Question("Which published methods are there?", "published methods papers", "docs/methods.md", "R-Tuning"),
    Question("How do I add a method?", "add a method", "docs/methods.md", "One module with a function"),
    Question("Which GPU do I need?", "which GPU memory", "docs/training.md", "45 GB"),
    Question("What if I run out of memory?", "CUDA out of memory", "docs/training.md", "gradient_accumulation_steps"),
    Question("How do I train on several nodes?", "several nodes slurm", "docs/training.md", "sbatch --nodes"),
    Question("How do I resume?", "resume stopped training", "docs/training.md", "--resume"),
    Question(
        "Why does my model halt on everything?", "halts at once every question", "docs/training.md", "far below τ"
    ),
    Question("Does training forget other abilities?", "forget other abilities", "docs/training.md", "--mix_share"),
    Question("Can I use TRL's DPOTrainer?", "TRL DPOTrainer pairs", "docs/training.md", "--draws"),
    Question("Can I log to Weights & Biases?", "wandb tensorboard log", "docs/training.md", "report_to"),
    Question("How do I train online?", "online training GRPO", "docs/online.md", "train_grpo.py"),
    Question("What if the policy cheats the verifier?", "reward hacking", "docs/online.md", "exploit"),
    Question("What if the judge is down?", "judge down", "docs/served-models.md", "refused connection"),
    Question("What does a judge cost?", "judge cost budget", "docs/served-models.md", "--budget-money"),
    Question("Where do I put the API key?", "API key", "docs/served-models.md", "OPENAI_API_KEY"),
    Question("Can I train a base model?", "base model chat template", "docs/base-models.md", "base_template: plain"),
    Question("Do thinking models work?", "thinking reasoning model", "docs/thinking.md", "</think>"),
    Question("How do I serve a model?", "serve OpenAI-compatible server", "docs/serve.md", "rlhalt serve --upstream"),
    Question("How do I load the trained model?", "load trained model transformers", "docs/use.md", "pipeline("),
    Question("How do I share my model?", "upload model hub", "docs/use.md", "rlhalt push"),
    Question("Do I need references?", "score responses without a reference", "docs/reward-model.md", "needs none"),
    Question("How do I compare my models?", "evaluate compare models", "docs/commands.md", "rlhalt compare"),
    Question("What do the exit codes mean?", "exit code", "docs/commands.md", "too many fragments failed"),
    Question("When is a difference significant?", "significant difference interval", "docs/results.md", "Holm"),
    Question("Can I get the same figures again?", "reproduce figures seed", "docs/results.md", "rlhalt run four"),
    Question("Under which licence?", "licence", "README.md", "Apache-2.0"),
    Question("How do I cite it?", "cite citation", "README.md", "CITATION.cff"),
    Question("Is it safe to run generated code?", "safe generated code sandbox", "SECURITY.md", "bubblewrap"),
    Question("How do I run one test?", "run one test", "CONTRIBUTING.md", "one test, nothing before it"),
]


class Section(NamedTuple):
    """A heading with what stands below it."""

    page: str
    heading: Counter[str]
    words: Counter[str]


def stems(text: str) -> list[str]:
    """The words of a text, in one form for singular and plural and the like."""
    words = (one for one in re.findall(r"[^\W_]+", text.lower()) if one not in STOP)
    return [re.sub(r"(?<=\w{3})(?:ing|ed|es|s|e)$", "", one) for one in words]


@cache
def sections() -> list[Section]:
    found = []
    for path in PAGES:
        for part in re.split(r"^(?=#+ )", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
            heading, _, text = part.partition("\n")
            # The address of a link is not read by who reads the page.
            shown = re.sub(r"\]\([^)]*\)", "]", text)
            found.append(Section(str(path.relative_to(ROOT)), Counter(stems(heading)), Counter(stems(shown))))
    return found


def search(words: str) -> list[str]:
    """The pages, best first: BM25 over their sections, a word of a heading like five of the text."""
    query = stems(words)
    with_word = {word: sum(word in one.words or word in one.heading for one in sections()) for word in query}
    mean = sum(one.words.total() for one in sections()) / len(sections())
    best: dict[str, float] = {}
    for one in sections():
        score = 0.0
        for word in query:
            count = one.words[word] + 5 * one.heading[word]
            rare = math.log(1 + (len(sections()) - with_word[word] + 0.5) / (with_word[word] + 0.5))
            score += rare * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * one.words.total() / mean))
        best[one.page] = max(best.get(one.page, 0), score)
    return sorted(best, key=lambda page: -best[page])


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda one: one.asked)
def test_a_search_finds_the_page_and_the_page_has_the_answer(question):
    text = (ROOT / question.page).read_text(encoding="utf-8")
    assert " ".join(question.answer.split()) in " ".join(text.split())
    assert question.page in search(question.words)[:FIRST]


def test_there_are_thirty_questions_and_the_first_page_found_is_mostly_the_one():
    assert len(QUESTIONS) >= 30
    first = sum(search(one.words)[0] == one.page for one in QUESTIONS)
    assert first >= 0.8 * len(QUESTIONS), f"{first} of {len(QUESTIONS)}"


def test_a_word_of_a_heading_counts_for_more():
    assert search("several nodes")[0] == "docs/training.md"

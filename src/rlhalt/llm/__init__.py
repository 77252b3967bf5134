"""The one client for language models behind an OpenAI-compatible address: hosted, or a local vLLM.

    request ─ cache ─► slot ─ budget ─ rate limit ─► attempt ─ read ─► value
                         ▲                              │
                         └──── wait, with jitter ◄── CallFailure

A call gives a value or raises `CallFailure` with its reason: what a server does wrong never looks like an answer. Each
attempt is counted against the budget *before* it is sent, at the most it can cost. Only replies that could be read
whole are kept in the cache. The API key comes from the environment and is never written anywhere.

A reply at temperature 0 that cannot be read would be given again: the question is asked once more, with a line that
says what was wrong. Where nothing but refused connections, 401 and 404 has come for a few seconds the run stops.

The `openai` package sends. Its retries are off: the budget, the rate limit and the bound on what is under way must see
every attempt, and a server that asks for an hour's wait has refused, where `openai` would be back within seconds.

    calls    what is asked, of whom, what it costs, how it fails
    replies  what a server says, read strictly
    shapes   the fields of a request that a server may refuse
    limits   how a server is treated: concurrency, time-outs, rate
    health   whether a server is dead
    budget   what may be spent
    cache    replies kept on disk
    wire     one request over HTTP; the only module that imports `openai`
    loop     an event loop in a thread
    client   all of them together
"""

from rlhalt.errors import BudgetExceeded
from rlhalt.llm.budget import Budget
from rlhalt.llm.cache import Cache, cache_parts
from rlhalt.llm.calls import CallFailure, Reason, Request, Server, Usage
from rlhalt.llm.client import Client
from rlhalt.llm.limits import Limits
from rlhalt.llm.replies import Said, read_answer, read_completion, read_json, retry_after

__all__ = [
    "Budget",
    "BudgetExceeded",
    "Cache",
    "CallFailure",
    "Client",
    "Limits",
    "Reason",
    "Request",
    "Said",
    "Server",
    "Usage",
    "cache_parts",
    "read_answer",
    "read_completion",
    "read_json",
    "retry_after",
]

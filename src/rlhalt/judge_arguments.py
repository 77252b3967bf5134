"""How a judge is named: one set of settings for the verbs that judge and for online training."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rlhalt.errors import InputError
from rlhalt.key_variable import check_variable

if TYPE_CHECKING:
    from rlhalt.llm import Client


def _help(metavar: str | tuple[str, str], text: str) -> dict[str, object]:
    """The metadata of a field, as argparse and TRL's parser take it."""
    return {"help": text, "metavar": metavar}


@dataclasses.dataclass(kw_only=True)
class JudgeArguments:
    """A language model as the judge, for the domains that need one.

    Each field carries its help text. The command line and TRL's parser both read it there.

    Raises:
        InputError: `judge_key` looks like a key and not like the name of a variable.
    """

    judge_address: str | None = dataclasses.field(
        default=None, metadata=_help("URL", "an OpenAI-compatible server: http://host:8000/v1")
    )
    judge_model: str | None = dataclasses.field(default=None, metadata=_help("NAME", "the model's name at that server"))
    judge_key: str = dataclasses.field(
        default="OPENAI_API_KEY", metadata=_help("VARIABLE", "the environment variable that holds the API key")
    )
    judge_prices: list[float] | None = dataclasses.field(
        default=None, metadata=_help(("IN", "OUT"), "price per million input tokens and output tokens")
    )
    judge_concurrency: int = dataclasses.field(default=16, metadata=_help("N", "calls under way at once"))
    judge_rate: float | None = dataclasses.field(
        default=None, metadata=_help("N", "calls per minute (default: no limit)")
    )
    judge_max_tokens: int | None = dataclasses.field(
        default=None,
        metadata=_help("N", "the longest reply in tokens, its reasoning included (default: 128, and 96 per fragment)"),
    )
    judge_body: str | None = dataclasses.field(
        default=None,
        metadata=_help("JSON", 'more fields of each request, {"reasoning_effort": "low"}; null leaves a field out'),
    )
    judge_timeout: float = dataclasses.field(default=60.0, metadata=_help("S", "seconds that a call may take"))
    judge_cache: str | None = dataclasses.field(
        default=None, metadata=_help("FILE", "keeps replies; made where it is missing")
    )
    budget_calls: int | None = dataclasses.field(default=None, metadata=_help("N", "stop before more calls are made"))
    budget_tokens: int | None = dataclasses.field(
        default=None, metadata=_help("N", "stop before more tokens are read and written")
    )
    budget_money: float | None = dataclasses.field(
        default=None, metadata=_help("X", "stop before more is spent, in the unit of the prices")
    )

    def __post_init__(self) -> None:
        check_variable(self.judge_key, "judge_key")

    @contextlib.contextmanager
    def client(self) -> Iterator[Client | None]:
        """What asks the judge; None where no address is given. What was spent goes to standard error at the end.

        Raises:
            InputError: an address without a model, prices that are not two, a body that is no JSON object, or see
                `rlhalt.llm.Client`.
        """
        if not self.judge_address:
            yield None
            return
        if not self.judge_model:
            raise InputError("expected the judge's name with its address, found none", field="judge_model")
        if self.judge_prices is not None and len(self.judge_prices) != 2:
            raise InputError(f"expected two prices, found {len(self.judge_prices)}", field="judge_prices")
        from rlhalt.llm import Budget, Client, Limits, Server

        prices = (self.judge_prices[0], self.judge_prices[1]) if self.judge_prices else None
        with Client(
            Server(
                self.judge_address,
                self.judge_model,
                self.judge_key,
                prices,
                self.judge_max_tokens,
                _fields(self.judge_body),
            ),
            Limits(concurrency=self.judge_concurrency, requests_per_minute=self.judge_rate, timeout=self.judge_timeout),
            Budget(self.budget_calls, self.budget_tokens, self.budget_money),
            self.judge_cache,
            waits=False,
        ) as client:
            yield client
            if client.usage.calls or client.usage.cached:
                print(f"judge: {client.usage}", file=sys.stderr)


def _fields(body: str | None) -> dict[str, Any]:
    from rlhalt.files.strict_json import Wrong, parse

    try:
        fields = parse(body) if body else {}
    except Wrong:
        fields = None
    if not isinstance(fields, dict):
        raise InputError('expected a JSON object as {"reasoning_effort": "low"}, found none', field="judge_body")
    return fields

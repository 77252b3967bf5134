"""Sampling from a served model, behind any OpenAI-compatible address: hosted, or a vLLM server with a 70B model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rlhalt.errors import InputError, TooManyFailures, VerifierFailure
from rlhalt.llm import CallFailure, Client, Limits, Request, Said, Server
from rlhalt.records import Json, Message, Response
from rlhalt.running.threads import as_done
from rlhalt.sampling import Batch, Completion, Sampler

_LONGEST_REPLY = 1 << 24  # bytes


class OpenaiEngine:
    """An `Engine` that asks a server for chat completions.

    A seed is sent with each request; how far equal seeds give equal responses is the server's to say. Tokens are those
    that the server counts. Reasoning that the server keeps apart stands before the answer, between `<think>` and
    `</think>`, as with the other engines.

    Args:
        model: the name that the server knows it by.
        template_args: arguments of the model's chat template, sent as `chat_template_kwargs`.
        address: the base of the API, `http://127.0.0.1:8000/v1`.
        key_variable: the environment variable that holds the API key.
        concurrency: requests under way at once.
        timeout: seconds that a response may take.
    """

    def __init__(
        self,
        model: str,
        template_args: Json | None = None,
        *,
        address: str,
        key_variable: str = "OPENAI_API_KEY",
        concurrency: int = 16,
        timeout: float = 600.0,
    ) -> None:
        body = {"chat_template_kwargs": template_args} if template_args else {}
        self.concurrency = concurrency
        self._client = Client(
            Server(address, model, key_variable, body=body),
            Limits(concurrency=concurrency, timeout=timeout, max_bytes=_LONGEST_REPLY),
            waits=False,
        )

    def complete(
        self, chats: Sequence[Sequence[Message]], *, temperature: float, max_tokens: int, seed: int
    ) -> list[Completion]:
        """See `rlhalt.sampling.Engine`.

        Raises:
            CallFailure: a response that did not come, after all attempts.
            InputError: the server is dead, or does not take key or model; or a chat ends with an assistant's message.
        """
        if any(chat[-1]["role"] == "assistant" for chat in chats):
            raise InputError(
                "expected chats that end with a user's message: a served model begins its own", field="prompt"
            )
        calls = [
            self._client.submit(
                self._client.complete(_request(chat, temperature, max_tokens, seed + place), _completion)
            )
            for place, chat in enumerate(chats)
        ]
        return [one.result() for one in calls]

    def close(self) -> None:
        """End what is under way."""
        self._client.close()


def _request(chat: Sequence[Message], temperature: float, max_tokens: int, seed: int) -> Request:
    return Request(tuple(chat), "sample/1", max_tokens, temperature=temperature, seed=seed if temperature > 0 else None)


def _completion(said: Said, written: int | None) -> Completion:
    """What a model said as a completion.

    Raises:
        CallFailure: why it ended or how many tokens it took is not said; or nothing is said with several tokens.
    """
    if said.finish not in ("stop", "length"):
        raise CallFailure("wrong schema", f"expected a finish_reason of stop or length, found {said.finish[:20]!r}")
    if written is None:
        raise CallFailure("wrong schema", "expected the response's tokens in usage.completion_tokens, found none")
    text = said.text
    if said.reasoning.strip():
        inside = not text and said.finish == "length"
        text = f"<think>\n{said.reasoning.strip()}" + ("" if inside else f"\n</think>\n\n{text}")
    if not text and written > 1:  # one token may be the end of the turn
        raise CallFailure("empty reply", f"expected the text of {written} tokens, found none")
    return Completion(text, written, "length" if said.finish == "length" else "stop", said.model)


def drawn(draw: Sampler, batches: Iterable[Batch]) -> Iterator[Response]:
    """The responses of the batches as they come, as many batches under way as the engine takes requests.

    Raises:
        TooManyFailures: responses that did not come, after all others.
        InputError: see `OpenaiEngine.complete`.
    """
    engine = draw.engine
    assert isinstance(engine, OpenaiEngine)
    failures: list[str] = []

    def one(batch: Batch) -> list[Response]:
        try:
            return list(draw(batch))
        except VerifierFailure as failure:
            failures.append(f"{batch.wanted[0][0].key}: {failure}")
            return []

    for rows in as_done(one, batches, engine.concurrency, engine.close):
        yield from rows
    engine.close()
    if failures:
        raise TooManyFailures(
            f"{len(failures)} requests gave no response, the first for the prompt {failures[0]}; run the same command "
            "again to ask for these alone"
        )

"""What the server is started with."""

from __future__ import annotations

import dataclasses
from typing import Literal

from rlhalt.records import Json, Message

EndpointName = Literal["chat", "completions"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Addresses and limits of a server.

    Attributes:
        upstream: the base of the upstream's API, `http://127.0.0.1:8000/v1`.
        model: the name that the upstream knows the calibrated model by; requests for others pass through.
        key: the API key that the server holds; where it is empty, that of each client is passed through.
        concurrency: requests under way at once, at most.
        max_body: bytes of a request, and of a response that has to be read as a whole.
        timeout: seconds that the upstream may be silent.
    """

    upstream: str
    model: str
    key: str = dataclasses.field(default="", repr=False)
    concurrency: int = 256
    max_body: int = 32 << 20
    timeout: float = 600.0


@dataclasses.dataclass(frozen=True)
class Defaults:
    """How requests are cut and asked where they do not say it themselves.

    Attributes:
        model: the calibrated model's name at the upstream.
        threshold: τ.
        temperature: what requests without a temperature are sampled at.
        temperatures: all that were calibrated.
        few_shot: examples that stood before each prompt of the calibration.
        template_args: arguments of the chat template.
        unasked: how an endpoint's responses say that no log-probabilities were asked for: `null`, or empty where the
            field is missing; endpoints that give no log-probabilities are missing.
        log_probabilities: whether the upstream is asked for them; a reward model needs none.
    """

    model: str
    threshold: float
    temperature: float
    temperatures: tuple[float, ...]
    few_shot: tuple[Message, ...] = ()
    template_args: Json = dataclasses.field(default_factory=dict)
    unasked: dict[EndpointName, str] = dataclasses.field(default_factory=dict)
    log_probabilities: bool = True

"""Training rows as the model was asked and answered when it was sampled: by `rlhalt.chat.templates`, through TRL."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from rlhalt.chat.templates import Template
from rlhalt.errors import InputError
from rlhalt.training.checkpoints import Resumable


@dataclasses.dataclass(kw_only=True)
class Templated(Resumable):
    """What a training on rows of chats can be told; GRPO has the same key from TRL.

    Attributes:
        chat_template_kwargs: arguments of the model's chat template, those that the responses were sampled with.
    """

    chat_template_kwargs: dict[str, Any] | str | None = dataclasses.field(
        default=None, metadata={"help": "Arguments of the chat template, as JSON: those of the sampling."}
    )

    def __post_init__(self) -> None:
        if isinstance(self.chat_template_kwargs, str):
            try:
                self.chat_template_kwargs = json.loads(self.chat_template_kwargs)
            except json.JSONDecodeError as error:
                raise InputError(f"expected JSON, found {error.msg}", field="chat_template_kwargs") from None
        if not isinstance(self.chat_template_kwargs, dict | None):
            raise InputError("expected names and values", field="chat_template_kwargs")


@contextlib.contextmanager
def rows_as_sampled(tokenizer: Any, arguments: Any = None) -> Iterator[Template]:
    """Have a trainer that is made in this context render its rows by `rlhalt.chat.templates`.

    The tokenizer's own template is put back at the end: it is saved beside the model.

    Args:
        arguments: of the chat template.
    """
    own = tokenizer.chat_template
    template = Template(tokenizer, arguments)
    tokenizer.chat_template = template.source
    try:
        yield template
    finally:
        tokenizer.chat_template = own

"""Chat templates as every stage reads them: how a model is asked, what it has said, and where its turn ends.

A template is written for conversations. Four habits of well-known templates make a training row differ silently from
what the model saw and wrote when it was sampled:

- Reasoning is dropped from the last turn, or empty reasoning is added to it (Qwen3, DeepSeek-R1, GLM).
- The prompt alone ends otherwise than the same prompt before an answer.
- The current date stands in the prompt (Llama 3.2, Mistral, gpt-oss): the same row is another one tomorrow.
- A system message is refused, or dropped without a word (Gemma, some older templates).

`Template.source` wraps a tokenizer's template so that none of this happens. A chat that ends with an answer is the
prompt exactly as the model is asked it, then the answer as it was written, then what the template puts behind an
answer. The date is `DATE`. Where a template takes no system message, its text stands before the user's first message.
All else is the template's own.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from rlhalt.errors import InputError, near
from rlhalt.fragments import thinking
from rlhalt.records import Message

DATE = datetime.date(2024, 7, 26)
"""The date of every prompt. It is the one that Llama 3.1's template falls back to."""

# Stands for a text when a template is tried; private use, so that no template speaks of it.
_PROBE = "\ue000"
_NOW = re.compile(r"strftime_now\(\s*(?:'([^']*)'|\"([^\"]*)\")\s*\)")
# Padding tokens that a vocabulary may hold although its tokenizer names none; the first is Llama 3.1's.
_PADS = ("<|finetune_right_pad_id|>", "<|pad|>", "<pad>", "[PAD]", "<|endoftext|>")

# A template may stand in a macro: there it sees the variables of its chat, and takes messages of our choice.
_WRAPPED = """\
{%- macro rlhalt_original(messages, add_generation_prompt) %}{{ '' }}[ORIGINAL]{{ '' }}{% endmacro -%}
[FOLD]
{%- if messages|length > 1 and messages[-1].role == 'assistant' and not add_generation_prompt -%}
    {%- set head = rlhalt_original(messages[:-1], true) -%}
    {%- set answer = messages[-1].content -%}
    {%- set opening = [OPENING] -%}
    {%- set closing = [CLOSING] -%}
    {%- if not opening -%}
        {%- set head = head + ('' if answer[:1].isspace() else [LEAD]) -%}
    {%- elif answer.lstrip().startswith(opening.strip()) -%}
        {%- set head = head[:head|length - opening|length] -%}
    {%- elif closing not in answer -%}
        {%- set head = head + '\\n' + closing + '\\n\\n' -%}
    {%- endif -%}
    {{- head + answer + [END] -}}
{%- else -%}
    {{- rlhalt_original(messages, add_generation_prompt) -}}
{%- endif -%}"""
_FOLD = """\
{%- if messages|length > 1 and messages[0].role == 'system' -%}
    {%- set first = {'role': messages[1].role, 'content': messages[0].content + '\\n\\n' + messages[1].content} -%}
    {%- set messages = [first] + messages[2:] -%}
{%- endif -%}"""


class Template:
    """A tokenizer's chat template with its arguments.

    Args:
        tokenizer: a tokenizer with a chat template.
        arguments: variables of the template by name, `{"enable_thinking": False}` say.

    Attributes:
        source: the template, wrapped as the module says, with the arguments inside: for `apply_chat_template` and for
            trainers.
        end: what the template puts behind an answer, the end-of-turn token first.
        opening: the mark with which the template opens the reasoning of an answer; empty where it does not.

    Raises:
        InputError: no chat template; an argument that it does not know; or it renders no message of a user.
    """

    def __init__(self, tokenizer: Any, arguments: Mapping[str, Any] | None = None) -> None:
        self._tokenizer = tokenizer
        original = _own(tokenizer)
        given = _given(original, arguments or {})
        self._plain = given + _NOW.sub(_pinned, original)
        user: Message = {"role": "user", "content": _PROBE}
        try:
            asked = self._rendered(self._plain, [user], asks=True)
        except jinja2.TemplateError as error:
            raise InputError(f"expected a chat template that renders a user's message, found: {error}") from None
        if _PROBE not in asked:
            raise InputError("expected a chat template that shows a user's text, found one for other content than text")
        self.opening = thinking.opened(asked)
        lead, self.end = self._around(user, asked)
        pieces = {
            "[FOLD]": "" if self._takes_system(user) else _FOLD,
            "[OPENING]": repr(self.opening),
            "[CLOSING]": repr(thinking.closing(self.opening)),
            "[LEAD]": repr(lead),
            "[END]": repr(self.end),
            # Last: it may hold any of the others.
            "[ORIGINAL]": _NOW.sub(_pinned, original).removesuffix("\n"),
        }
        self.source = given + functools.reduce(lambda text, one: text.replace(*one, 1), pieces.items(), _WRAPPED)

    def asked(self, chat: Sequence[Message]) -> str:
        """The text of a chat up to where the assistant speaks, or goes on speaking where it has spoken last."""
        if chat[-1]["role"] != "assistant":
            return self._rendered(self.source, chat, asks=True)
        return self.said(chat[:-1], chat[-1]["content"]).removesuffix(self.end)

    def said(self, prompt: Sequence[Message], answer: str) -> str:
        """The text of a prompt and its answer, to the end of the turn."""
        return self._rendered(self.source, [*prompt, {"role": "assistant", "content": answer}], asks=False)

    def before(self, prompt: Sequence[Message], answer: str) -> str:
        """The text before an answer that is there already; reasoning that the template opens belongs to the answer."""
        return self.said(prompt, answer).removesuffix(answer + self.end)

    def opens(self, chat: Sequence[Message]) -> str:
        """The mark with which the template opens the reasoning where the assistant begins to speak."""
        return "" if chat[-1]["role"] == "assistant" else self.opening

    def encode(self, chat: Sequence[Message]) -> list[int]:
        """The token ids of `asked`."""
        ids: list[int] = self._tokenizer(self.asked(chat), add_special_tokens=False)["input_ids"]
        return ids

    def _rendered(self, source: str, chat: Sequence[Message], *, asks: bool) -> str:
        text: str = self._tokenizer.apply_chat_template(
            list(chat), chat_template=source, add_generation_prompt=asks, tokenize=False
        )
        return text

    def _around(self, user: Message, asked: str) -> tuple[str, str]:
        """What the template puts between the prompt and an answer, if it is white space; and behind an answer."""
        answer = _PROBE * 2
        try:
            whole = self._rendered(self._plain, [user, {"role": "assistant", "content": answer}], asks=False)
        except jinja2.TemplateError:
            whole = ""
        head, found, end = whole.rpartition(answer)
        lead = head.removeprefix(asked) if found and head.startswith(asked) else ""
        # Some templates leave the end of a turn to the next one (GLM): a model trained so would not learn to end.
        return ("" if lead.strip() else lead), end if end.strip() else self._tokenizer.eos_token or ""

    def _takes_system(self, user: Message) -> bool:
        system = _PROBE * 3
        try:
            return system in self._rendered(self._plain, [{"role": "system", "content": system}, user], asks=True)
        except jinja2.TemplateError:
            return False


def _own(tokenizer: Any) -> str:
    try:
        template: str = tokenizer.get_chat_template()
    except ValueError:
        raise InputError(
            "expected a tokenizer with a chat template, found none; take an instruction-tuned model, or put a "
            "chat_template.jinja into the model's folder",
            field="model",
        ) from None
    return template


def _given(original: str, arguments: Mapping[str, Any]) -> str:
    """Assignments of a template's arguments, in its own language."""
    known = sorted(set(re.findall(r"\b[A-Za-z_]\w*\b", original)))
    for name in arguments:
        if name not in known:
            raise InputError(
                f"expected a variable of the chat template, found '{name}'{near(name, known)}", field="template"
            )
    # What JSON can hold is written the same in Python and in Jinja.
    return "".join(f"{{%- set {name} = {value!r} -%}}" for name, value in sorted(arguments.items()))


def _pinned(found: re.Match[str]) -> str:
    return repr(DATE.strftime(found[1] or found[2] or ""))


def turn_ends(tokenizer: Any, generation_config: Any = None) -> list[int]:
    """The ids of all tokens that end a turn.

    They come from the model's generation configuration (one or several), from the tokenizer, and from the chat
    template: the token that it puts behind an answer.

    Raises:
        InputError: there is none, so that sampling would never stop.
    """
    declared = getattr(generation_config, "eos_token_id", None)
    found = [*(declared if isinstance(declared, list | tuple) else [declared]), tokenizer.eos_token_id]
    if tokenizer.chat_template is not None:
        behind = tokenizer(Template(tokenizer).end.lstrip(), add_special_tokens=False)["input_ids"]
        found += [one for one in behind[:1] if one in tokenizer.added_tokens_decoder]
    ends = [one for one in dict.fromkeys(found) if one is not None]
    if not ends:
        raise InputError(
            "expected a token that ends a turn, found none in generation_config.json, in the tokenizer and in the chat "
            "template: set eos_token_id in generation_config.json",
            field="model",
        )
    return ends


def prepare(tokenizer: Any, generation_config: Any) -> list[int]:
    """Have a tokenizer and a generation configuration agree on what ends a turn and what pads.

    - All of `turn_ends` end a generation, and decoded text holds none of them.
    - A missing padding token is one that the vocabulary holds for this, or else the end of a turn. No token is added:
      padding is masked, and a new row of the embedding would have to be trained.
    - Special tokens that mark reasoning become plain ones: decoded text without them would run reasoning and answer
      together.

    Returns:
        See `turn_ends`.
    """
    ends = turn_ends(tokenizer, generation_config)
    generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]
    if tokenizer.eos_token is None:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(ends[0])
    if tokenizer.pad_token is None:
        vocabulary = tokenizer.get_vocab()
        tokenizer.pad_token = next((one for one in _PADS if one in vocabulary), tokenizer.eos_token)
    generation_config.pad_token_id = tokenizer.pad_token_id
    added = tokenizer.added_tokens_decoder
    marks = thinking.special_marks([one.content for one in added.values() if one.special])
    plain = [added[one].content for one in ends if one in added and not added[one].special]
    if marks or plain:
        _mark_special(tokenizer, {**dict.fromkeys(marks, False), **dict.fromkeys(plain, True)})
    return ends


def _mark_special(tokenizer: Any, special: Mapping[str, bool]) -> None:
    """Say of added tokens whether decoded text drops them; a tokenizer cannot take back what it has been told."""
    from tokenizers import Tokenizer

    state = json.loads(tokenizer.backend_tokenizer.to_str())
    for one in state["added_tokens"]:
        one["special"] = special.get(one["content"], one["special"])
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(state))

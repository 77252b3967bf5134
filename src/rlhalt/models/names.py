"""Names of models, and the one check every stage makes before it loads a model."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, NamedTuple

from rlhalt.chat.plain import give_template
from rlhalt.chat.templates import Template, prepare
from rlhalt.embedded import SOURCES, embedded_model
from rlhalt.errors import InputError
from rlhalt.files.strict_json import Wrong, parse
from rlhalt.files.text import read_text
from rlhalt.models.precision import inference_dtype
from rlhalt.records import Json, content_key, file_hash
from rlhalt.running.memory import give_back

# The hub has answered by then, or cannot be reached.
HUB_PATIENCE_S = 10.0


def resolve_model(name: str) -> str:
    """Turn a model name into something `from_pretrained` takes, or say why it cannot be one.

    Args:
        name: an embedded model (`rlhalt.embedded.SOURCES`, fetched on first use), a folder with a transformers model or
            a PEFT adapter, or a name on a model hub.

    Raises:
        InputError: a path that does not exist, a folder that holds no model, or a name that the hub does not know or
            cannot be asked for.
    """
    if name in SOURCES:
        return str(embedded_model(name))
    path = Path(name)
    if path.is_dir():
        if not any((path / file).is_file() for file in ("config.json", "adapter_config.json")):
            raise InputError("expected a model folder, found neither config.json nor adapter_config.json", path=path)
        return str(path)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        known = " or ".join(f"'{one}'" for one in SOURCES)
        raise InputError(f"expected a model folder, a hub name, {known}; found no folder there", path=name)
    _check_hub(name)
    return name


@functools.cache
def _check_hub(name: str) -> None:
    """See that a name is in the hub's cache here, or on the hub; transformers would try again for half a minute.

    Raises:
        InputError: it is in neither, or the hub cannot be reached.
    """
    import httpx
    from huggingface_hub import model_info, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    known = " or ".join(f"'{one}'" for one in SOURCES)
    expected = f"expected a model folder, a hub name or {known}; found no folder here"
    try:
        files = [try_to_load_from_cache(name, one) for one in ("config.json", "adapter_config.json")]
        if not any(isinstance(one, str) for one in files):
            model_info(name, timeout=HUB_PATIENCE_S)
    except HFValidationError:
        raise InputError(f"{expected}, and this is no hub name", path=name) from None
    except RepositoryNotFoundError:
        raise InputError(
            f"{expected}, and no such model on the hub; a private or gated one takes HF_TOKEN", path=name
        ) from None
    except HfHubHTTPError:
        return  # a mirror may know the files and not this question: transformers is to ask it for the files
    except (OSError, httpx.HTTPError) as error:
        told = " ".join(str(error).split())[:120]
        raise InputError(f"{expected}, and the hub cannot be reached ({told})", path=name) from None


def whole_model(name: str) -> tuple[str, Json | None]:
    """The whole model behind a name, as `from_pretrained` takes it, and the configuration of the adapter before it.

    Args:
        name: see `resolve_model`; an adapter's folder names the model that it was trained on.

    Returns:
        The model itself and None where it has no adapter.

    Raises:
        InputError: see `resolve_model`.
    """
    folder = resolve_model(name)
    adapter = Path(folder) / "adapter_config.json"
    if not adapter.is_file():
        return folder, None
    try:
        told: Json = parse(read_text(adapter, "adapter_config.json"))
        return resolve_model(told["base_model_name_or_path"]), told
    except (Wrong, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"expected the configuration of an adapter, found {error!r}", path=adapter) from None


def identity(name: str) -> str:
    """What a model is, wherever it lies: a hub name as it is, a folder as its name and the hash of its weights."""
    folder = Path(name)
    weights = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not weights:
        return name
    return f"{folder.name}@{content_key([_hash(path, path.stat().st_mtime_ns) for path in weights])}"


@functools.cache
def _hash(path: Path, modified_ns: int) -> str:
    # `modified_ns` only keys the cache: a folder can be trained into again within one process.
    return file_hash(path)


class Turns(NamedTuple):
    """How a model is asked: with its own chat template or as plain text to complete; what ends its turn, what pads."""

    own_template: bool
    ends: list[str]
    pad: str


def turns(name: str, template_args: Json | None = None) -> Turns:
    """See, before weights are loaded, that a model can be asked: files, chat template, ends of turn and padding.

    Args:
        name: see `resolve_model`.
        template_args: arguments of the chat template.

    Raises:
        InputError: no model, a template that cannot be used, an argument that it does not know, no end of a turn.
        OSError, ValueError: transformers knows no such tokenizer.
    """
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    folder = resolve_model(name)
    whole, _ = whole_model(name)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    own = tokenizer.chat_template is not None
    give_template(tokenizer)
    config = AutoConfig.from_pretrained(whole)
    try:
        generation = GenerationConfig.from_pretrained(whole)
    except OSError:
        generation = GenerationConfig.from_model_config(config)
    Template(tokenizer, template_args)
    ends = prepare(tokenizer, generation)
    return Turns(own, tokenizer.convert_ids_to_tokens(ends), tokenizer.pad_token)


def contiguous_for_head(model: Any) -> Any:
    """The model, whose head is given its hidden states as one block of memory.

    With `logits_to_keep` they are a slice. PyTorch multiplies a slice by frozen weights row by row, on a CPU with a
    copy of the weights for each row: 1.7 GB for 32 rows of SmolLM2-135M, and a quarter of an evaluation's time.
    """
    head = model.get_output_embeddings()
    if head is not None:
        head.register_forward_pre_hook(_contiguous)
    return model


def _contiguous(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
    hidden, *rest = given
    return (hidden.contiguous(), *rest)


def load_policy(name: str) -> tuple[Any, Any]:
    """A model for inference (adapter merged, on a GPU where there is one) and its tokenizer.

    The data type is `rlhalt.models.precision.inference_dtype`.

    Both know all tokens that end a turn, and one that pads, see `rlhalt.chat.templates.prepare`. A tokenizer without a
    chat template is given that of `rlhalt.chat.plain`, for completion.

    Args:
        name: see `resolve_model`; a folder with a PEFT adapter gives its base model with the adapter merged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = resolve_model(name)
    whole, adapter = whole_model(name)
    print(f"loading {name}{' and merging its adapter' if adapter else ''} …", file=sys.stderr, flush=True)
    if adapter:
        # Merged in float32, then rounded once: merging in bfloat16 would lose most of a small adapter.
        model = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32)
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, folder).merge_and_unload().to(inference_dtype())
        # PEFT's wrappers refer to each other: the float32 weights and the adapter would stay.
        give_back()
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=inference_dtype())
    model = contiguous_for_head(model).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tokenizer = give_template(AutoTokenizer.from_pretrained(folder))
    prepare(tokenizer, model.generation_config)
    return model, tokenizer

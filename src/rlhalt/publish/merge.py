"""An adapter and the model that it was trained on, as one model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from rlhalt.chat.templates import prepare
from rlhalt.errors import InputError
from rlhalt.files.locks import locked
from rlhalt.files.provenance import already_done
from rlhalt.files.text import check_folder
from rlhalt.models.names import identity, resolve_model, whole_model
from rlhalt.models.trained_model import read_trained_model
from rlhalt.records import write_atomic

RECORD = "run.json"


def merge(model: str | Path, output: str | Path) -> Path:
    """Write the merged model with its tokenizer, chat template and all tokens that end a turn.

    The adapter is added in float32; the weights are stored as those of the base model are. The run.json of the adapter
    goes with it, so that prompts of its training are refused in evaluation and τ is known. A calibration does not: it
    belongs to weights with one hash, and the merged ones have another.

    Args:
        model: the folder of an adapter.
        output: a new folder.

    Returns:
        The folder of the merged model, which `from_pretrained` and vLLM load.

    Raises:
        InputError: no adapter in the folder, or another model in the output.
    """
    folder = resolve_model(str(model))
    whole, adapter = whole_model(folder)
    if adapter is None:
        raise InputError(
            "expected the folder of an adapter, found a whole model: there is nothing to merge", path=model
        )
    out, merged_from = Path(output), identity(folder)
    check_folder(out)
    with locked(out):
        if (out / "config.json").is_file():
            found = _record(out).get("merged_from")
            if found == merged_from:
                already_done(out)
                return out
            raise InputError(
                f"expected a new folder, found one with a model (merged from {found}); choose another", path=out
            )
        _write(folder, whole, out)
        # Written last: a folder with it is complete.
        record = _record(Path(folder)) if read_trained_model(folder) is not None else {}
        text = json.dumps(record | {"merged_from": merged_from}, ensure_ascii=False, indent=1)
        write_atomic(out / RECORD, [text + "\n"])
    return out


def _record(folder: Path) -> dict[str, object]:
    path = folder / RECORD
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if isinstance(found, dict) else {}


def _write(adapter: str, whole: str, out: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(adapter)
    stored = AutoConfig.from_pretrained(whole).dtype or torch.float32
    base = AutoModelForCausalLM.from_pretrained(whole, dtype=torch.float32)
    merged = PeftModel.from_pretrained(base, adapter).merge_and_unload()
    prepare(tokenizer, merged.generation_config)
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    merged.to(stored).save_pretrained(part)
    tokenizer.save_pretrained(part)
    out.mkdir(parents=True, exist_ok=True)
    # config.json last: without it the folder holds no model yet.
    for file in sorted(part.iterdir(), key=lambda one: one.name == "config.json"):
        file.replace(out / file.name)
    part.rmdir()

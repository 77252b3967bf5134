"""Models and pairs to a hub, with the hub's own client and a card that follows from the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlhalt.errors import InputError
from rlhalt.publish.data_card import data_card
from rlhalt.publish.model_card import model_card
from rlhalt.records import write_atomic

# What a training needs to resume, and what holds paths of the machine it ran on.
LEFT_OUT = ["checkpoint-*", "training_args.bin", "*.part", "runs/*", "*.lock"]


def push_model(model: str | Path, repository: str, *, report: str | Path | None = None, private: bool = True) -> str:
    """Write the card of a model into its folder and upload the folder. Returns the address.

    Raises:
        InputError: see `model_card`; or the hub refuses.
    """
    folder = Path(model)
    write_atomic(folder / "README.md", [model_card(folder, report, repository)])
    return _upload("model", folder, repository, private)


def push_pairs(pairs: str | Path, repository: str, *, private: bool = True) -> str:
    """Upload a file of pairs with its card. Returns the address.

    Raises:
        InputError: see `data_card`; or the hub refuses.
    """
    card = data_card(pairs, repository)
    return _upload("dataset", Path(pairs), repository, private, card)


def _upload(kind: str, path: Path, repository: str, private: bool, card: str = "") -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api: Any = HfApi()
    try:
        address = str(api.create_repo(repository, repo_type=kind, private=private, exist_ok=True))
        if path.is_dir():
            api.upload_folder(folder_path=path, repo_id=repository, repo_type=kind, ignore_patterns=LEFT_OUT)
        else:
            for name, content in ((path.name, path), ("README.md", card.encode())):
                api.upload_file(path_or_fileobj=content, path_in_repo=name, repo_id=repository, repo_type=kind)
    except LocalTokenNotFoundError:
        raise InputError(
            "expected a token of the hub, found none; log in with `hf auth login`, or set HF_TOKEN",
            field="--repository",
        ) from None
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise InputError(f"the hub does not take it: {str(error).splitlines()[0]}", field="--repository") from None
    return address

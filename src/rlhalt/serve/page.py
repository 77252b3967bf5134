"""The page to try the server: one HTML file, which asks no other host for anything."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from importlib import resources

from rlhalt.scoring import Scorer
from rlhalt.serve.settings import Defaults

_INLINE = {kind: re.compile(rf"<{kind}>(.*?)</{kind}>", re.DOTALL) for kind in ("script", "style")}


def html(defaults: Defaults, splitter: Scorer) -> tuple[str, dict[str, str]]:
    """The page of a server, and the headers that go with it: only its own script and style may run."""
    told = {
        "model": defaults.model,
        "threshold": defaults.threshold,
        "halting": splitter.halting,
        "phrase": splitter.phrase,
        "chat": "chat" in defaults.unasked,
    }
    page = resources.files("rlhalt.serve").joinpath("page.html").read_text(encoding="utf-8")
    # Inside an attribute: nothing in it can end the tag or begin a script.
    shown = json.dumps(told).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    page = page.replace("[SETTINGS]", shown)
    hashes = {kind: " ".join(map(_hash, found.findall(page))) for kind, found in _INLINE.items()}
    policy = (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

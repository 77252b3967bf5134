"""Check a built wheel: the files it must hold, and metadata that reads well outside a checkout.

python scripts/wheel_contents.py rlhalt-X.Y.Z-py3-none-any.whl
"""

from __future__ import annotations

import email
import re
import sys
import zipfile

NEEDED = (
    "rlhalt/py.typed",
    "rlhalt/reward/countries/domain.yaml",
    "rlhalt/configs/recipes/quickstart.yaml",
    "rlhalt/configs/dpo/8b_lora.yaml",
    "rlhalt/report/page.html.j2",
    "rlhalt/serve/page.html",
    "rlhalt/domains/template/domain.yaml.txt",
)
FIELDS = ("Author", "Keywords", "Classifier", "License-Expression", "Project-URL", "Requires-Python", "Summary")


def faults(path: str) -> list[str]:
    """What is missing or wrong, one line each."""
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        message = email.message_from_bytes(wheel.read(metadata))
    found = [f"no file {name}" for name in NEEDED if name not in names]
    found += [f"no field {name} in the metadata" for name in FIELDS if not message[name]]
    # A package index shows the README without the repository beside it.
    text = str(message.get_payload(decode=True), "utf-8")
    found += [f"a relative link in the description: {one}" for one in re.findall(r"\]\((?!https?:|#)([^)]*)\)", text)]
    found += [f"not in a package: {name}" for name in names if name.startswith(("tests/", "benchmarks/", "examples/"))]
    return found


if __name__ == "__main__":
    if wrong := faults(sys.argv[1]):
        sys.exit("\n".join(wrong))

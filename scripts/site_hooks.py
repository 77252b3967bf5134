"""Hooks of mkdocs.yml: pages of the repository outside of docs/ are pages of the site too, and links follow them.

Pages are written to be read on GitHub. A link to a page of the site stays within the site; a link to any other file of
the repository leads to GitHub. Where the text of a link is the name of a page's file, the site shows the page's title.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "https://github.com/rlhalt/rlhalt/blob/main/"
# Files of the repository, and the pages that they are on the site.
ELSEWHERE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
    "examples/README.md": "examples.md",
}
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:|mailto:|#)(?P<path>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that lie elsewhere."""
    for source, page in ELSEWHERE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links between files of the repository into links between pages."""
    where = page.file.src_uri
    source = next((name for name, other in ELSEWHERE.items() if other == where), f"docs/{where}")
    return relinked(markdown, source, where, _titles(config.nav))


def relinked(markdown: str, source: str, page: str, titles: dict[str, str]) -> str:
    """The text of a page with its links as the site needs them.

    Args:
        source: the file in the repository.
        page: its path on the site.
        titles: the title of each page of the site.
    """

    def link(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), found["path"]))
        target = ELSEWHERE.get(path, path.removeprefix("docs/") if path.startswith("docs/") else "")
        if not target:
            return f"[{found['text']}]({REPOSITORY}{path}{found['anchor'] or ''})"
        is_name = found["text"].strip("`").rsplit("/", 1)[-1] == posixpath.basename(path)
        text = titles.get(target, found["text"]) if is_name else found["text"]
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(page) or '.')}{found['anchor'] or ''})"

    return _LINK.sub(link, markdown)


def _titles(nav: Any) -> dict[str, str]:
    """The title of each page of the navigation."""
    if isinstance(nav, list):
        return {page: title for one in nav for page, title in _titles(one).items()}
    return {
        page: title
        for name, value in nav.items()
        for page, title in ({value: name} if isinstance(value, str) else _titles(value)).items()
    }

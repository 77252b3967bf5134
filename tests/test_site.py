"""The documentation builds as a site without a warning, asks no other host, and covers the public names."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

import rlhalt

ROOT = Path(__file__).parents[1]
RAW = "https://raw.githubusercontent.com/rlhalt/rlhalt/main/"
HOOKS = runpy.run_path(str(ROOT / "scripts" / "site_hooks.py"))
# Attributes whose address a browser fetches when it shows the page; a link that a person follows is not one of them.
FETCHED = {"src", "srcset", "data", "poster", "action"}
ROWS = ("Prompt", "Response", "Fragment", "Scored", "Pair", "Target", "Decision")


class _Anything(yaml.SafeLoader):
    """Reads mkdocs.yml, which names a Python function."""


_Anything.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)
CONFIG = yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), _Anything)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    # An address where nothing listens: a build that needs the network fails.
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, **nowhere, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


class _Fetches(HTMLParser):
    """Collects the addresses that a browser fetches for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in FETCHED or (name == "href" and tag in ("link", "use", "image")):
                self.found.append(value or "")
            elif name == "id":
                self.ids.add(value or "")
            # The theme asks GitHub for the number of stars of what has this attribute.
            assert (name, value) != ("data-md-component", "source")


def read(page: Path) -> _Fetches:
    parser = _Fetches()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_no_page_fetches_anything_from_another_host(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        assert [one for one in read(page).found if re.match(r"(https?:)?//", one)] == [], page.name
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", text), sheet.name


def test_every_link_within_the_site_leads_to_a_page_and_a_heading(site):
    pages = {page: read(page) for page in site.rglob("*.html") if page.name != "404.html"}
    for page in pages:
        for target in re.findall(r'<a[^>]* href="([^"]+)"', page.read_text(encoding="utf-8")):
            if re.match(r"\w+:", target):
                continue
            path, _, anchor = target.partition("#")
            found = (page.parent / path).resolve() if path else page
            found = found / "index.html" if found.is_dir() else found
            assert found.exists(), (page.name, target)
            if anchor and found in pages:
                assert anchor in pages[found].ids, (page.name, target)


def test_the_reference_has_the_public_names(site):
    reference = "".join(page.read_text(encoding="utf-8") for page in (site / "reference").glob("*.html"))
    objects = [getattr(rlhalt, name) for name in rlhalt.__all__ if name != "__version__"]
    for one in objects:
        assert f'id="{one.__module__}.{one.__qualname__}"' in reference, one
    for name in ROWS:
        assert f'id="rlhalt.records.{name}"' in reference, name


def pages_of(nav: Any) -> dict[str, str]:
    """Page to title."""
    found = {}
    for one in nav:
        for title, value in one.items():
            found |= {value: title} if isinstance(value, str) else pages_of(value)
    return found


def test_llms_txt_lists_the_pages_of_the_site(site):
    """All but those of the reference, which are made of docstrings: by title, each once, at its file."""
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# rlhalt\n\n> ")
    files = {page: f"docs/{page}" for page in pages_of(CONFIG["nav"])}
    files |= {page: source for source, page in HOOKS["ELSEWHERE"].items()}
    expected = [
        (title, RAW + files[page])
        for page, title in pages_of(CONFIG["nav"]).items()
        if not page.startswith("reference/")
    ]
    assert re.findall(r"^- \[([^\]]+)\]\(([^)]+)\): ", text, re.MULTILINE) == expected
    for _, address in expected:
        assert (ROOT / address.removeprefix(RAW)).is_file(), address


def test_the_picture_is_what_its_script_draws():
    drawn = runpy.run_path(str(ROOT / "scripts" / "draw_idea.py"))["picture"]()
    assert drawn == (ROOT / "docs" / "idea.svg").read_text(encoding="utf-8")


def test_the_glossary_has_ten_words():
    words = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8").partition("## Ten words")[2].partition("## ")[0]
    assert len(re.findall(r"^\| ", words, re.MULTILINE)) == 10 + 2


@pytest.mark.parametrize(
    ("source", "page", "written", "shown"),
    [
        ("README.md", "index.md", "[docs/cut.md](docs/cut.md#measured)", "[The cut](cut.md#measured)"),
        ("docs/training.md", "training.md", "[the cut](cut.md)", "[the cut](cut.md)"),
        ("docs/domains.md", "domains.md", "[CONTRIBUTING.md](../CONTRIBUTING.md)", "[Contributing](contributing.md)"),
        (
            "CONTRIBUTING.md",
            "contributing.md",
            "[it](scripts/test)",
            "[it](https://github.com/rlhalt/rlhalt/blob/main/scripts/test)",
        ),
        ("docs/reference/index.md", "reference/index.md", "[x](../cut.md)", "[x](../cut.md)"),
        ("docs/cut.md", "cut.md", "[x](https://a.org) [y](#z)", "[x](https://a.org) [y](#z)"),
    ],
)
def test_links_follow_the_pages(source, page, written, shown):
    titles = {"cut.md": "The cut", "contributing.md": "Contributing"}
    assert HOOKS["relinked"](written, source, page, titles) == shown

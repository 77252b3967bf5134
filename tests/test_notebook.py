"""The notebook runs from top to bottom in a minute, draws its pictures, and is committed without outputs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOK = EXAMPLES / "idea.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs; a cell that fails raises."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(EXAMPLES)}}
    )
    return client.execute()


def printed(notebook) -> str:
    outputs = [one for cell in notebook.cells for one in cell.get("outputs", ())]
    return "".join(one.text for one in outputs if one.get("name") == "stdout")


def test_it_draws_six_pictures(executed):
    pictures = [one for cell in executed.cells for one in cell.get("outputs", ()) if "image/png" in one.get("data", {})]
    assert len(pictures) == 6


def test_it_shows_what_it_says(executed):
    said = printed(executed)
    counts = dict(re.findall(r"'(\w+)': (\d+)", said))
    assert int(counts["correct"]) > int(counts["incorrect"]) > 20
    # A target and pairs of both kinds.
    assert re.search(r"^target: +\S", said, re.MULTILINE)
    assert set(re.findall(r"^weight (\d\.\d): ", said, re.MULTILINE)) == {"0.2", "0.8"}
    before, after = map(float, re.findall(r"(-?\d\.\d\d) as generated, (-?\d\.\d\d) cut", said)[0])
    assert before < 0 < after


def test_it_is_committed_without_outputs():
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None


def test_it_is_listed():
    assert "idea.ipynb" in (EXAMPLES / "README.md").read_text(encoding="utf-8")

"""The tables of the report in a real browser: sorted by the column that is pressed, narrowed by a name."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any

import pytest

from browser import CHROMIUM, Browser
from evaluation_folders import build
from rlhalt.evaluation import compare, load
from rlhalt.report.page import render

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
NAMES = "[...document.querySelectorAll('#glance tbody th')].map((one) => one.textContent)"
CELLS = "[...document.querySelectorAll('#glance tbody tr')].map((row) => row.cells[{}].{})"
PRESS = "[...document.querySelectorAll('#glance thead th')][{}].querySelectorAll('button')[{}].click()"
FIRST, CUT = "firstChild.textContent", "querySelector('small').textContent"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    evaluations = [load(one) for one in build(folder / "evaluation", n_prompts=12, samples=0, thresholds=(0.5, 0.8))]
    dpo = next(one for one in evaluations if one.threshold == 0.5)
    unknown = [
        dataclasses.replace(row, fragments=[dataclasses.replace(one, label="unverifiable") for one in row.fragments])
        for row in dpo.scored
    ]
    more = [
        # Without a verdict there is no correctness and no cut.
        dataclasses.replace(dpo, name="unknown", identity="unknown", scored=unknown),
        dataclasses.replace(dpo, name="copy", identity="copy"),
    ]
    page = folder / "report.html"
    page.write_text(render(compare([*evaluations, *more], resamples=50), [*evaluations, *more]), encoding="utf-8")
    return page


def in_browser(file: Path, script: Any, **size: int) -> Any:
    async def driven() -> Any:
        async with Browser(size.get("width", 1280), 900, dark=False) as browser:
            await browser.open(file.as_uri())
            found = await script(browser)
            assert browser.errors == []
            return found

    return asyncio.run(driven())


def number(text: str) -> float:
    digits = text.replace("+ cut", "").replace("−", "-").strip()
    return float(digits) if digits not in ("–", "no cut") else float("nan")


@pytest.mark.parametrize(("column", "button", "read"), [(1, 0, FIRST), (3, 0, FIRST), (6, 0, FIRST), (6, 1, CUT)])
def test_a_pressed_title_sorts_from_the_greatest_and_then_from_the_least(file, column, button, read):
    async def script(browser):
        found = []
        for _ in range(2):
            await browser.run(PRESS.format(column, button))
            order = await browser.run(f"document.querySelectorAll('#glance thead th')[{column}].ariaSort")
            found.append((order, await browser.run(CELLS.format(column, read))))
        return found

    for (order, cells), said, sign in zip(in_browser(file, script), ("descending", "ascending"), (-1, 1), strict=True):
        assert order == said
        numbers = [number(one) for one in cells]
        known = [one for one in numbers if one == one]
        assert len(set(known)) > 1
        assert known == sorted(known, key=lambda one: sign * one)
        # What has no number comes last, in both orders.
        assert numbers[: len(known)] == known


def test_names_are_sorted_from_the_beginning_of_the_alphabet(file):
    async def script(browser):
        await browser.run(PRESS.format(0, 0))
        return await browser.run(NAMES)

    names = in_browser(file, script)
    assert names == sorted(names, key=str.lower)


def test_a_name_narrows_every_table_of_models(file):
    async def script(browser):
        await browser.run("document.querySelector('.narrow input').focus()")
        await browser.type("DPO")
        told = await browser.run("document.querySelector('.narrow output').textContent")
        shown = "[...document.querySelectorAll('table.models tbody tr')].filter((one) => !one.hidden)"
        names = await browser.run(f"{shown}.map((one) => one.cells[0].textContent)")
        return told, names, await browser.roles()

    told, names, roles = in_browser(file, script)
    assert told == "2 of 6 shown"
    assert names
    assert all("DPO" in one for one in names)
    assert ("searchbox", "Find models") in roles
    assert ("button", "utility at τ = 0.5, + cut") in roles


def test_a_table_of_a_few_models_is_as_it_was(tmp_path):
    evaluations = [load(one) for one in build(tmp_path / "evaluation", n_prompts=8, samples=0, thresholds=(0.5,))]
    page = tmp_path / "report.html"
    page.write_text(render(compare(evaluations, resamples=20), evaluations), encoding="utf-8")

    async def script(browser):
        return await browser.run(
            "[document.querySelectorAll('#glance thead button').length, document.querySelector('.narrow').hidden]"
        )

    assert in_browser(page, script) == [0, True]

"""The page to try the server, in a headless Chromium: keyboard, screen reader, wide and narrow, light and dark."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the server's packages are not installed (rlhalt[serve])")

from browser import CHROMIUM, Browser
from served import serving
from upstream_server import UpstreamServer, pieces

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")

FACTS = (
    ("Norway is in Northern Europe.", 0.97),
    ("Its capital is Oslo.", 0.93),
    ("The currency of Norway is the Norwegian euro.", 0.31),
    ("Norway borders Denmark, Sweden, Finland and the northern part of Russia along the Pasvik river.", 0.62),
    ("It has about 5.5 million people.", 0.84),
)
ENTER, TAB, LEFT = ("Enter", 13), ("Tab", 9), ("ArrowLeft", 37)
CONTROL = 2
# The contrast of every text with what is behind it, by the formula of WCAG 2.
CONTRAST = """
(() => {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => {
    context.clearRect(0, 0, 1, 1); context.fillStyle = color; context.fillRect(0, 0, 1, 1);
    return [...context.getImageData(0, 0, 1, 1).data];
  };
  const light = (color) => rgb(color).slice(0, 3).map((one) => one / 255)
    .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, n) => sum + one * [0.2126, 0.7152, 0.0722][n], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const color = getComputedStyle(node).backgroundColor;
      if (rgb(color)[3] > 0) return color;
    }
    return "white";
  };
  return [...document.querySelectorAll("main *")]
    .filter((one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()) && one.offsetParent)
    .map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), one.id || one.className || one.tagName];
    });
})()
"""


@pytest.fixture
def address():
    with UpstreamServer() as upstream:
        upstream.said = pieces(*FACTS)
        with serving(upstream) as found:
            yield found.removesuffix("v1")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_a_question_is_answered_and_cut_again_by_the_slider(address, width, dark, tmp_path):
    async def visit() -> None:
        async with Browser(width, 900, dark) as browser:
            await browser.open(address)
            # The question has the focus; all else is reached by the keyboard.
            await browser.until("document.activeElement.id === 'question'")
            await browser.type("State five facts about Norway.")
            await browser.press(*ENTER, modifiers=CONTROL)
            await browser.until("document.querySelectorAll('#fragments li').length === 5")
            assert await browser.run("document.getElementById('said').textContent") == " ".join(
                text for text, sure in FACTS if sure >= 0.5
            )
            left_out = "[...document.querySelectorAll('#fragments del')].map((one) => one.textContent)"
            assert await browser.run(left_out) == [FACTS[2][0]]
            numbers = "[...document.querySelectorAll('.number')].map((one) => one.lastChild.textContent)"
            assert await browser.run(numbers) == ["0.97", "0.93", "0.31", "0.62", "0.84"]
            colors = "[...document.querySelectorAll('li')].map((one) => getComputedStyle(one).backgroundColor)"
            assert len(set(await browser.run(colors))) == 5
            await browser.screenshot(Path(os.environ.get("RLHALT_SCREENSHOTS", tmp_path)) / f"page-{width}-{dark}.png")
            found = await browser.roles()
            assert ("textbox", "Question") in found
            assert ("slider", "Threshold τ") in found
            assert ("spinbutton", "Threshold τ as a number") in found
            assert ("button", "Ask") in found
            assert any(role == "status" for role, _ in found)
            assert await browser.run("document.getElementById('state').getAttribute('aria-live')") == "polite"
            assert any("Left out:" in name for role, name in found if role == "StaticText")
            low = [one for one in await browser.run(CONTRAST) if one[0] < 4.5]
            assert low == []
            # Nothing is wider than the window.
            assert await browser.run("document.documentElement.scrollWidth") <= width
            # Tab to the slider: τ falls with each key, without another question.
            asked = len(browser.requested)
            await browser.press(*TAB)
            assert await browser.run("document.activeElement.id") == "tau"
            for _ in range(20):
                await browser.press(*LEFT)
            await browser.until("document.querySelectorAll('#fragments del').length === 0")
            state = await browser.run("document.getElementById('state').textContent")
            assert state == "5 of 5 fragments said at τ = 0.30, 0 left out."
            assert len(browser.requested) == asked
            await browser.run("set(0.99)")
            assert await browser.run("document.getElementById('said').textContent") == "Unsure from here."
            # No other host, and nothing that its own policy forbids.
            assert {one.split("/")[2] for one in browser.requested if one.startswith("http")} == {address.split("/")[2]}
            assert browser.errors == []

    asyncio.run(visit())


def test_an_error_is_said(address):
    async def visit() -> None:
        async with Browser(1280, 900, False) as browser:
            await browser.open(address)
            await browser.run("settings.model = 3")
            await browser.run("fetch = () => Promise.reject(new Error('no network'))")
            await browser.until("document.activeElement.id === 'question'")
            await browser.type("Why?")
            await browser.press(*ENTER, modifiers=CONTROL)
            await browser.until("document.getElementById('state').textContent === 'No answer: no network'")
            assert await browser.run("document.getElementById('ask').disabled") is False

    asyncio.run(visit())

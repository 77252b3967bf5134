"""A headless Chromium, driven by its own protocol: what a person sees, hears from a screen reader, and types."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = next((one for one in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if one), None)
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
          "--disable-background-networking", "--remote-debugging-port=0")  # fmt: skip


class Browser:
    """One page.

    Attributes:
        requested: the addresses of all that the page asked for.
        errors: what its script and its policy complained about.
    """

    def __init__(self, width: int, height: int, dark: bool) -> None:
        self._width, self._height, self._dark = width, height, dark
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.requested: list[str] = []
        self.errors: list[str] = []

    async def __aenter__(self) -> Browser:
        assert CHROMIUM is not None
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [CHROMIUM, *_FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        found = None
        while not found:
            line = await asyncio.to_thread(self._process.stderr.readline)
            assert line, "Chromium did not start"
            found = re.search(r"ws://([\d.]+:\d+)/", line)
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://{found[1]}/json/list") as reply:
            target = next(one for one in await reply.json() if one["type"] == "page")
        self._socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        self._reading = asyncio.create_task(self._read())
        for name in ("Page", "Runtime", "Network", "Log", "Accessibility"):
            await self.send(f"{name}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if self._dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=self._width, height=self._height, deviceScaleFactor=1,
            mobile=self._width < 500,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await self._session.close()
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()
        self._folder.cleanup()

    async def _read(self) -> None:
        async for message in self._socket:
            body = message.json()
            if "id" in body:
                self._waiting.pop(body["id"]).set_result(body)
            elif body["method"] == "Network.requestWillBeSent":
                self.requested.append(body["params"]["request"]["url"])
            elif body["method"] in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.errors.append(str(body["params"]))

    async def send(self, method: str, **params: Any) -> Any:
        """A command of the protocol."""
        number = next(self._numbers)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        body = await asyncio.wait_for(self._waiting[number], 60)
        assert "error" not in body, body
        return body["result"]

    async def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        found = await self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def open(self, address: str) -> None:
        await self.send("Page.navigate", url=address)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def until(self, script: str) -> None:
        for _ in range(600):
            with contextlib.suppress(AssertionError):
                if await self.run(script):
                    return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not so within 30 s: {script}")

    async def type(self, text: str) -> None:
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, code: int, modifiers: int = 0) -> None:
        for kind in ("rawKeyDown", "keyUp"):
            await self.send(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, modifiers=modifiers
            )

    async def roles(self) -> list[tuple[str, str]]:
        """Role and name of all that a screen reader finds."""
        nodes = (await self.send("Accessibility.getFullAXTree"))["nodes"]
        shown = [one for one in nodes if not one["ignored"]]
        return [(one["role"]["value"], one.get("name", {}).get("value", "")) for one in shown]

    async def screenshot(self, path: Path) -> None:
        found = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))

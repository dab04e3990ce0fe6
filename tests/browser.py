"""Headless Chromium over the DevTools protocol, spoken through two pipes: no driver, no package, no port."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --force-color-profile=srgb --remote-debugging-pipe "
    "--window-size=1440,900"
)

# The browser reads commands from its descriptor 3 and answers on 4.
EXEC = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def _pipe() -> tuple[int, int]:
    """Ends to read and to write, out of the way of descriptors 3 and 4."""
    read, write = os.pipe()
    far = fcntl.fcntl(read, fcntl.F_DUPFD_CLOEXEC, 20), fcntl.fcntl(write, fcntl.F_DUPFD_CLOEXEC, 20)
    os.close(read)
    os.close(write)
    return far


class Browser:
    """One page in one browser. Remembers every request, console message and exception since it was opened.

    Args:
        profile: an empty folder.
    """

    def __init__(self, profile: Path):
        if CHROMIUM is None:
            raise RuntimeError("there is no Chromium on this machine")
        their_in, self._out = _pipe()
        self._in, their_out = _pipe()
        command = [sys.executable, "-c", EXEC, str(their_in), str(their_out), CHROMIUM, *FLAGS.split()]
        self._process = subprocess.Popen(
            [*command, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        self._number, self._buffer, self._session = 0, b"", None
        self.requests: list[str] = []
        self.messages: list[str] = []
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._in)
        os.close(self._out)

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result; events that come meanwhile are noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._in, 1 << 20)
            if not part:
                raise RuntimeError("the browser has gone")
            self._buffer += part
        text, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(text)

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        if event.get("method") == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif event.get("method") == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.messages.append(details.get("exception", {}).get("description") or details["text"])
        elif event.get("method") == "Runtime.consoleAPICalled":
            self.messages.append(str([a.get("value", a.get("description")) for a in params["args"]]))
        elif event.get("method") == "Log.entryAdded":
            self.messages.append(params["entry"]["text"])

    def open(self, url: str) -> int:
        """Load a page and wait until it says that it is ready; milliseconds that took, by the page's clock."""
        self.requests, self.messages = [], []
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=url)
        self.wait("document.documentElement?.dataset.ready")
        self.wait("document.getElementById('viewer')?.getAttribute('aria-busy') !== 'true'")
        return int(self.run("document.documentElement.dataset.ready"))

    def run(self, expression: str) -> Any:
        """Value of a JavaScript expression (JSON); promises are awaited."""
        done = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in done:
            raise RuntimeError(json.dumps(done["exceptionDetails"])[:800])
        return done["result"].get("value")

    def wait(self, expression: str, seconds: float = 30) -> Any:
        """Until the expression is true."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if value := self.run(expression):
                return value
            time.sleep(0.03)
        raise TimeoutError(f"{expression} never became true; {self.messages}")

    def key(self, key: str) -> None:
        """Press and release."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key if len(key) == 1 else "")
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        """mousePressed, mouseReleased, mouseMoved or mouseWheel at a point of the window."""
        self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def settled(self) -> None:
        """Wait for the pictures and for the address, which is written with a short delay."""
        self.run("new Promise((done) => setTimeout(done, 90))")
        self.wait("document.getElementById('viewer')?.getAttribute('aria-busy') !== 'true'")

    def media(self, scheme: str = "light", kind: str = "") -> None:
        """Light or dark, screen or print."""
        self.call(
            "Emulation.setEmulatedMedia", media=kind, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def size(self, width: int, height: int = 900) -> None:
        """Of the window, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, file: Path, whole: bool = True) -> Path:
        """A PNG of the window or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))
        return file

    def pdf(self) -> bytes:
        """The page, printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=True, preferCSSPageSize=True)["data"])

"""Headless Chromium, spoken to over its debugging pipe: what a page asks for, complains of, and looks like."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
SECONDS = 60


@dataclass
class Visit:
    """What a page did when it was opened."""

    requests: list[str] = field(default_factory=list)
    """Every URL that it asked for, its own included."""
    complaints: list[str] = field(default_factory=list)
    """What stands in the console."""
    text: str = ""
    value: Any = None
    """What the expression gave."""
    picture: bytes = b""


def visit(page: Path, expression: str = "null", width: int = 1100, height: int = 900, *, dark: bool = False) -> Visit:
    """Opens a file in a window of that size, in a browser of its own."""
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile, _Chromium(profile) as chromium:
        return chromium.visit(page.as_uri(), expression, width, height, dark)


class _Chromium:
    def __init__(self, profile: str) -> None:
        self.profile, self.count, self.pending = profile, 0, b""
        self.found = Visit()
        self.loaded = False

    def __enter__(self) -> Self:
        (child_in, self.to_child), (self.from_child, child_out) = os.pipe(), os.pipe()

        def place() -> None:  # the browser reads from 3 and writes to 4
            a, b = os.dup(child_in), os.dup(child_out)
            os.dup2(a, 3)
            os.dup2(b, 4)

        self.process = subprocess.Popen(
            [
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--hide-scrollbars",
                "--remote-debugging-pipe",
                f"--user-data-dir={self.profile}",
                "about:blank",
            ],
            preexec_fn=place,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(child_in)
        os.close(child_out)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(SECONDS)
        os.close(self.to_child)
        os.close(self.from_child)

    def visit(self, url: str, expression: str, width: int, height: int, dark: bool) -> Visit:
        target = self.ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        for domain in ("Network", "Log", "Runtime", "Page"):
            self.ask(f"{domain}.enable", {}, session)
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", size, session)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", {"features": scheme}, session)
        self.found, self.loaded = Visit(), False
        self.ask("Page.navigate", {"url": url}, session)
        end = time.monotonic() + SECONDS
        while not self.loaded:
            self.receive(end)
        quiet = time.monotonic() + 0.5  # what it asks for late
        while time.monotonic() < quiet:
            self.receive(quiet, patient=True)
        for name, code in (("text", "document.body.innerText"), ("value", expression)):
            answer = self.ask("Runtime.evaluate", {"expression": code, "returnByValue": True}, session)
            setattr(self.found, name, answer["result"].get("value"))
        shot = self.ask("Page.captureScreenshot", {"format": "png"}, session)
        self.found.picture = base64.b64decode(shot["data"])
        return self.found

    def ask(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self.to_child, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + SECONDS
        while True:
            answer = self.receive(end)
            if answer is not None and answer.get("id") == self.count:
                assert "error" not in answer, answer["error"]
                return dict(answer["result"])

    def receive(self, end: float, *, patient: bool = False) -> dict[str, Any] | None:
        """The next message; None if there is none by `end` and that is no failure."""
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.from_child], [], [], max(0, end - time.monotonic()))
            if not ready:
                if patient:
                    return None
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self.from_child, 1 << 20)
            if not chunk:
                raise EOFError("the browser is gone")
            self.pending += chunk
        raw, self.pending = self.pending.split(b"\0", 1)
        message: dict[str, Any] = json.loads(raw)
        self.note(message.get("method", ""), message.get("params", {}))
        return message

    def note(self, method: str, params: dict[str, Any]) -> None:
        if method == "Network.requestWillBeSent":
            self.found.requests.append(params["request"]["url"])
        elif method == "Log.entryAdded":
            self.found.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.found.complaints.append(" ".join(str(arg.get("value")) for arg in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.found.complaints.append(params["exceptionDetails"]["text"])
        elif method == "Page.loadEventFired":
            self.loaded = True

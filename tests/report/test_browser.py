"""Pages in a real browser, where Chromium is installed: no page wider than a telephone, nothing fetched, a readout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

from dalsegno.report import page

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.xdist_group("browser"),
]


class Browser:
    """A headless Chromium, spoken to over two pipes by the DevTools protocol."""

    def __init__(self, profile):
        theirs_in, self.to = os.pipe()
        self.back, theirs_out = os.pipe()

        def place():
            # The protocol reads descriptor 3 and writes descriptor 4; both are duplicated beyond them first.
            first, second = os.dup(theirs_in), os.dup(theirs_out)
            os.dup2(first, 3)
            os.dup2(second, 4)

        self.program = subprocess.Popen(
            [CHROMIUM, *QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=place,
            close_fds=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self.rest, self.count, self.session, self.seen = b"", 0, None, []
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if self.session is not None:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                return answer["result"]
            self.seen.append(answer)

    def receive(self):
        while b"\0" not in self.rest:
            data = os.read(self.back, 1 << 16)
            assert data, "the browser has left"
            self.rest += data
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def open(self, path, width, height=900, scheme="light"):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.seen.clear()
        self("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.seen):
            self.seen.append(self.receive())

    def evaluate(self, expression):
        return self("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def close(self):
        self.program.terminate()
        self.program.wait(20)
        os.close(self.to)
        os.close(self.back)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.close()


@pytest.fixture(scope="module", params=[[1], None], ids=["run", "comparison"])
def path(request, journal, tmp_path_factory):
    return page.write(journal, request.param, tmp_path_factory.mktemp("page") / "page.html").resolve()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_never_scrolls_sideways(browser, path, width):
    browser.open(path, width)
    browser.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_asks_for_nothing_and_complains_of_nothing(browser, path):
    browser.open(path, 1280)
    asked = [e["params"]["request"]["url"] for e in browser.seen if e.get("method") == "Network.requestWillBeSent"]
    said = [e["params"] for e in browser.seen if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert (asked, said) == ([path.as_uri()], [])


def test_the_pointer_and_the_arrow_keys_read_out_a_chart(browser, path):
    browser.open(path, 1280)
    browser.evaluate("document.querySelector('svg.chart').scrollIntoView({block: 'center'})")
    place = "(() => { const b = document.querySelector('svg.chart').getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; })()"
    left, top, width, height = browser.evaluate(place)
    browser("Input.dispatchMouseEvent", type="mouseMoved", x=left + width / 2, y=top + height / 2)
    pointed = browser.evaluate("document.querySelector('figcaption output').textContent")
    browser.evaluate("document.querySelector('svg.chart').focus()")
    for _ in range(3):
        browser("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft", code="ArrowLeft")
    keyed = browser.evaluate("document.querySelector('figcaption output').textContent")
    assert "step " in pointed and "step " in keyed and pointed != keyed


def test_the_page_follows_the_wish_for_a_dark_screen(browser, path):
    colours = []
    for scheme in ("light", "dark"):
        browser.open(path, 1280, scheme=scheme)
        colours.append(browser.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert colours == ["rgb(251, 250, 247)", "rgb(20, 23, 26)"]


def test_text_stands_out_from_its_ground(browser, path):
    measure = """(() => {
      const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(c => c / 255)
        .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const ground = (node) => { for (; node; node = node.parentElement) {
        const found = getComputedStyle(node).backgroundColor; if (!/, 0\\)$/.test(found)) return found; } };
      let least = 99;
      for (const node of document.querySelectorAll('p, td, th, dt, dd, h1, h2, a, .state, summary, li, figcaption')) {
        const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
        least = Math.min(least, (a + 0.05) / (b + 0.05));
      }
      return least;
    })()"""
    for scheme in ("light", "dark"):
        browser.open(path, 1280, scheme=scheme)
        assert browser.evaluate(measure) >= 4.5, "WCAG 2.1, contrast of text, level AA"

"""A headless Chromium for tests of pages, steered by the DevTools protocol over a pipe (--remote-debugging-pipe)."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PROGRAM = "chromium"
TIMEOUT = 60


class Browser:
    """One page in a browser of its own. Whatever the page logs as an error, and each exception in it, is in `errors`."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="kiln-browser-")
        # The browser reads 3 and writes 4. Both ends are moved out of the way of these numbers first.
        in_read, in_write, out_read, out_write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (*os.pipe(), *os.pipe()))

        def take_numbers():
            os.dup2(in_read, 3)
            os.dup2(out_write, 4)

        self.process = subprocess.Popen(
            [PROGRAM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--no-first-run", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=(3, 4), preexec_fn=take_numbers,
            start_new_session=True)
        os.close(in_read)
        os.close(out_write)
        self.to, self.of = in_write, out_read
        self.received, self.number, self.session, self.errors = b"", 0, None, []
        target = next(info for info in self.call("Target.getTargets")["targetInfos"] if info["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # else elements hear of the focus only in some runs

    def close(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.to)
        os.close(self.of)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        while True:
            answer = self.receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def receive(self):
        while b"\0" not in self.received:
            if not select.select([self.of], [], [], TIMEOUT)[0]:
                raise RuntimeError("the browser does not answer")
            got = os.read(self.of, 1 << 20)
            if not got:
                raise RuntimeError("the browser has ended")
            self.received += got
        line, self.received = self.received.split(b"\0", 1)
        message = json.loads(line)
        if message.get("method") == "Runtime.exceptionThrown":
            self.errors.append(message["params"]["exceptionDetails"].get("exception", {}).get("description", str(message)))
        if message.get("method") == "Log.entryAdded" and message["params"]["entry"]["level"] == "error":
            self.errors.append(message["params"]["entry"]["text"])
        return message

    def evaluate(self, script):
        """The value of an expression or a promise, as JSON has it."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script[:200]}: {result['exceptionDetails'].get('exception', {}).get('description')}")
        return result["result"].get("value")

    def wait_for(self, script):
        until = time.monotonic() + TIMEOUT
        while not self.evaluate(script):
            if time.monotonic() > until:
                raise RuntimeError(f"never true: {script}")
            time.sleep(0.02)

    def open(self, file):
        self.call("Page.navigate", url=Path(file).resolve().as_uri())
        self.wait_for("document.readyState === 'complete'")

    def show_as(self, width, height=900, *, dark=False, media="screen"):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                            {"name": "prefers-reduced-motion", "value": "reduce"}])
        # Two frames: one that lays out, one in which observers of sizes were heard.
        self.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")

    def screenshot(self, file, *, whole=True):
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(file).write_bytes(base64.b64decode(shot["data"]))

    def click(self, selector):
        """With the mouse, in the middle of the first element of that selector."""
        place = self.evaluate(f"""(() => {{
          const element = document.querySelector({json.dumps(selector)});
          element.scrollIntoView({{block: 'center', behavior: 'instant'}});
          const box = element.getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def press(self, key):
        codes = {"Enter": 13, "Backspace": 8, "Escape": 27, "Tab": 9, "Home": 36, "End": 35, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
                 "ArrowDown": 40}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=codes[key], **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=codes[key])

    def type(self, text):
        self.call("Input.insertText", text=text)

    # What a page must be

    def wider_than_the_window(self):
        """Elements that stick out to the right and are in no part that scrolls by itself."""
        return self.evaluate("""(() => {
          const scrolls = (element) => {
            for (let at = element; at; at = at.parentElement) {
              if (at !== document.documentElement && /auto|scroll|hidden/.test(getComputedStyle(at).overflowX)) return true;
            }
            return false;
          };
          const found = [...document.body.querySelectorAll('*')].filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width > 0 && box.right > innerWidth + 1 && !scrolls(element);
          }).map((element) => `${element.tagName} ${element.id || element.className} ${element.textContent.slice(0, 60)}`);
          if (document.documentElement.scrollWidth > innerWidth) found.push(`the page: ${document.documentElement.scrollWidth}`);
          return found;
        })()""")

    def low_contrasts(self, least=4.5):
        """Texts whose contrast with what is behind them (WCAG 2.1, relative luminance) is less than that."""
        return self.evaluate("""((least) => {
          const parse = (text) => {
            const numbers = (text.match(/[\\d.]+/g) || []).map(Number);
            return numbers.length < 3 ? null : { rgb: numbers.slice(0, 3), alpha: numbers.length > 3 ? numbers[3] : 1 };
          };
          const luminance = (rgb) => {
            const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const behind = (element) => {
            if (element instanceof SVGElement) {
              const box = element.getBoundingClientRect();
              const text = [box.left + 2, box.top + box.height / 2];
              for (const other of element.ownerSVGElement.querySelectorAll('rect')) {
                const area = other.getBoundingClientRect();
                const fill = parse(getComputedStyle(other).fill);
                if (fill && fill.alpha > 0.9 && area.left <= text[0] && area.right >= text[0] && area.top <= text[1] && area.bottom >= text[1]) {
                  element.found = fill;
                }
              }
              if (element.found) return element.found.rgb;
            }
            for (let at = element; at; at = at.parentElement) {
              const colour = parse(getComputedStyle(at).backgroundColor);
              if (colour && colour.alpha > 0.9) return colour.rgb;
            }
            return [255, 255, 255];
          };
          const low = [];
          for (const element of document.body.querySelectorAll('*')) {
            if (['SCRIPT', 'STYLE', 'title'].includes(element.tagName)) continue;
            if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== '')) continue;
            if (element.getClientRects().length === 0) continue;
            const style = getComputedStyle(element);
            const ink = parse(element instanceof SVGElement ? style.fill : style.color).rgb;
            const [a, b] = [luminance(ink), luminance(behind(element))].sort((x, y) => y - x);
            const contrast = (a + 0.05) / (b + 0.05);
            if (contrast < least) low.push(`${contrast.toFixed(2)} ${element.tagName}.${element.className.baseVal ?? element.className}: ${element.textContent.slice(0, 50)}`);
          }
          return low;
        })""" + f"({least})")

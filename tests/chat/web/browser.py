# SPDX-License-Identifier: MIT
"""A browser, driven over the WebDriver protocol (W3C) by chromedriver."""
import base64
import json
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request

WAIT = 30
DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the standard's key
ENTER = "\ue007"


def missing():
    """What lacks for these tests, or None."""
    if not DRIVER:
        return "there is no chromedriver (Debian: chromium-driver)"
    return None if BROWSER else "there is no chromium"


class Driver:
    """chromedriver, on a port of its own choice."""

    def __init__(self):
        self.process = subprocess.Popen([DRIVER, "--port=0"],
                                        stdout=subprocess.PIPE)
        self.port = None
        for line in self.process.stdout:
            found = re.search(rb"started successfully on port (\d+)", line)
            if found:
                self.port = int(found[1])
                break
        # What else it says is not wanted, but it must not block.
        self.reader = threading.Thread(target=self.process.stdout.read)
        self.reader.start()

    def stop(self):
        self.process.terminate()
        self.process.wait(WAIT)
        self.reader.join(WAIT)
        self.process.stdout.close()

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", method=method,
            data=json.dumps(body or {}).encode() if method == "POST" else None)
        try:
            with urllib.request.urlopen(request, timeout=4 * WAIT) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            raise AssertionError(
                f"{path}: {value['error']}: {value['message'][:500]}") from None


class Browser:
    """One window with a profile of its own."""

    def __init__(self, driver, width=1280, height=800, language="en-US"):
        self.driver = driver
        options = {"binary": BROWSER, "args": [
            "--headless=new", "--no-sandbox", "--disable-gpu",
            "--hide-scrollbars", f"--accept-lang={language}"]}
        answer = driver.ask("POST", "/session", {"capabilities": {
            "alwaysMatch": {"browserName": "chrome",
                            "goog:loggingPrefs": {"browser": "ALL"},
                            "goog:chromeOptions": options}}})
        self.session = "/session/" + answer["sessionId"]
        self.resize(width, height)

    def ask(self, method, path, body=None):
        return self.driver.ask(method, self.session + path, body)

    def close(self):
        self.ask("DELETE", "")

    def open(self, url):
        self.ask("POST", "/url", {"url": url})

    def reload(self):
        self.ask("POST", "/refresh")

    def run(self, script, *arguments):
        return self.ask("POST", "/execute/sync",
                        {"script": script, "args": arguments})

    def devtools(self, command, **parameters):
        return self.ask("POST", "/goog/cdp/execute",
                        {"cmd": command, "params": parameters})

    def resize(self, width, height):
        self.devtools("Emulation.setDeviceMetricsOverride", width=width,
                      height=height, deviceScaleFactor=1, mobile=width < 700)

    def prefer(self, **features):
        """prefer(color_scheme="dark")"""
        self.devtools("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-" + name.replace("_", "-"), "value": value}
            for name, value in features.items()])

    def wait(self, script, *arguments):
        """What the script returns as soon as that is true."""
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            value = self.run(script, *arguments)
            if value:
                return value
            time.sleep(0.05)  # the browser is asked, it cannot tell by itself
        raise AssertionError(f"waited for {script!r} {arguments}; "
                             f"it shows {self.text('body')[-1500:]!r}")

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0])"
                        ".innerText", selector)

    def wait_text(self, selector, text):
        return self.wait(
            "const node = document.querySelector(arguments[0]);"
            "return node && node.checkVisibility() &&"
            " node.innerText.includes(arguments[1])", selector, text)

    def _element(self, selector):
        return self.ask("POST", "/element", {
            "using": "css selector", "value": selector})[ELEMENT]

    def click(self, selector):
        self.wait("return document.querySelector(arguments[0])"
                  "?.checkVisibility({visibilityProperty: true})", selector)
        self.ask("POST", f"/element/{self._element(selector)}/click")

    def write(self, selector, text):
        self.ask("POST", f"/element/{self._element(selector)}/value",
                 {"text": text})

    def press(self, *keys):
        """Keys to whatever has the focus."""
        self.ask("POST", "/actions", {"actions": [
            {"type": "key", "id": "keys", "actions": [
                {"type": kind, "value": key}
                for key in keys for kind in ("keyDown", "keyUp")]}]})

    def log(self):
        """What the page and the browser complained of since the last time."""
        return [entry["message"] for entry in
                self.ask("POST", "/se/log", {"type": "browser"})]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.ask("GET", "/screenshot")))

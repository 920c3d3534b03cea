"""Where this machine keeps a Chromium for the browser tests. Nothing is downloaded."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOLDERS = ("/usr/bin", "/usr/local/bin", "/snap/bin", "/Applications/Google Chrome.app/Contents/MacOS")


def find_chromium() -> Path | None:
    """`LEADBUS_CHROMIUM`, else the first browser of a known name on PATH or in the usual folders."""
    if chosen := os.environ.get("LEADBUS_CHROMIUM"):
        return Path(chosen) if os.access(chosen, os.X_OK) else None
    folders = os.pathsep.join([os.environ.get("PATH", ""), *FOLDERS])
    for name in (*NAMES, "Google Chrome"):
        if found := shutil.which(name, path=folders):
            return Path(found)
    return None


def why_not() -> str | None:
    """Why there is no browser here, as a sentence; None when there is one."""
    if find_chromium() is not None:
        return None
    return "there is no Chromium: install it (Debian: apt-get install chromium), or set LEADBUS_CHROMIUM to its path"

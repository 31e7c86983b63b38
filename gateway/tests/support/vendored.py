"""Other people's code in the page: whole files out of packages of npm's registry, as `tests/browser/package-lock.json` pins them.

`make vendor` fetches the packages and takes the files anew; `static/vendor/vendor.json` says where each came from, under what
licence, and what its bytes come to. None of them is changed by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

PACKAGES = Path(__file__).parents[1] / "browser"
VENDOR = Path(__file__).parents[2] / "src/hayate/static/vendor"
MANIFEST = "vendor.json"
_ASKED = re.search(r'LANGUAGES = "([a-z ]+)"', (VENDOR.parent / "colouring.js").read_text(encoding="utf-8"))
LANGUAGES = _ASKED[1].split() if _ASKED else []
"""What is coloured; whatever else is code stays in one colour."""
TAKEN = {
    "marked": {"LICENSE": "marked.LICENSE", "lib/marked.esm.js": "marked.js", "lib/marked.d.ts": "marked.d.ts"},
    "dompurify": {
        "LICENSE": "dompurify.LICENSE",
        "dist/purify.es.mjs": "dompurify.js",
        "dist/purify.es.d.mts": "dompurify.d.ts",
    },
    "diff": {
        "LICENSE": "diff/LICENSE",
        "libesm/types.d.ts": "diff/types.d.ts",
        **{f"libesm/diff/{name}": f"diff/diff/{name}" for name in ("array.js", "array.d.ts", "base.js", "base.d.ts")},
    },
    "uplot": {
        "LICENSE": "uplot/LICENSE",
        "dist/uPlot.esm.js": "uplot/uPlot.js",
        "dist/uPlot.d.ts": "uplot/uPlot.d.ts",
        "dist/uPlot.min.css": "uplot/uPlot.css",
    },
    "@highlightjs/cdn-assets": {
        "LICENSE": "highlight.LICENSE",
        "es/core.min.js": "highlight/core.js",
        **{f"es/languages/{each}.min.js": f"highlight/{each}.js" for each in LANGUAGES},
    },
}
"""Of each package: the file in it, and what it is called here."""


def sha256(file: Path) -> str:
    """What the file's bytes come to."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def pinned() -> dict[str, dict[str, Any]]:
    """What the lock file says of every package: version, licence, the archive's own hash."""
    lock = json.loads((PACKAGES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    return {path.removeprefix("node_modules/"): said for path, said in lock.items() if path}


def take() -> None:
    """Copies the files out of the packages that npm has unpacked, and writes down what they are."""
    shutil.rmtree(VENDOR, ignore_errors=True)
    told = {}
    for package, files in TAKEN.items():
        for source, name in files.items():
            (VENDOR / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PACKAGES / "node_modules" / package / source, VENDOR / name)
        said = {name: pinned()[package][name] for name in ("version", "license", "integrity")}
        told[package] = {**said, "files": {name: sha256(VENDOR / name) for name in files.values()}}
    (VENDOR / MANIFEST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    take()

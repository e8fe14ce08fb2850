# SPDX-License-Identifier: Apache-2.0
"""The table of what MXNet says in short beside what mxlite says, for every case of ``golden/errors.json``.

``python -m tests.error_messages`` writes it; `test_errors.py` holds it up to date.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

import mxlite as mx

GOLDEN = Path(__file__).parent / "golden"
TABLE = GOLDEN / "error_messages.md"
CASES: list[dict[str, Any]] = json.loads((GOLDEN / "errors.json").read_text())["cases"]

#: What a case uses, to tell a part that is not there yet from a wrong exception.
NEEDS = {
    "attach_grad": "autograd",
    "mx.autograd": "autograd",
    "mx.gluon": "gluon",
    "mx.kv": "kv",
    "mx.rnn": "rnn",
    "mx.image": "image",
    "mx.recordio": "recordio",
    "mx.profiler": "profiler",
    "CSVIter": "io.CSVIter",
    "MNISTIter": "io.MNISTIter",
    "ImageRecordIter": "io.ImageRecordIter",
    "contrib.foreach": "nd.contrib.foreach",
    "contrib.while_loop": "sym.contrib.while_loop",
    "x.grad": "nd.NDArray.grad",
}
HEAD = """\
# What goes wrong, what MXNet says, what mxlite says

Common mistakes, the exception of MXNet 1.9.1 with its message in short, and the exception of mxlite with its message.
Written by `python -m tests.error_messages`; a test holds it up to date.
"""
#: What differs from machine to machine, or with what else a process has registered.
VARIES = (
    (r"0x[0-9a-f]{8,}", "0x..."),
    (r"\(known: [^)]*\)", "(known: ...)"),
    (r"registered are: [^;]*;", "registered are: ...;"),
    (r"this machine has .*", "this machine has ..."),
)


def missing(case: dict[str, Any]) -> str:
    """The first part of the API that the case uses and that is not there yet, or ""."""
    text = case["setup"] + case["trigger"]
    return next((path for word, path in NEEDS.items() if word in text and not _has(path)), "")


def _has(path: str) -> bool:
    found: Any = mx
    for name in path.split("."):
        found = getattr(found, name, None)
    return found is not None


def run(case: dict[str, Any]) -> None:
    """What the case does, in the working directory, with automatic names that begin anew."""
    names: dict[str, Any] = {"mx": mx, "np": np}
    with warnings.catch_warnings(), mx.name.NameManager():
        warnings.simplefilter("ignore")
        exec(compile(case["setup"], "setup.py", "exec"), names)  # noqa: S102 - code from the repository
        exec(compile(case["trigger"], "user.py", "exec"), names)  # noqa: S102
        mx.nd.waitall()


def section(case: dict[str, Any], error: BaseException | None) -> str:
    """The entry of the table for a case that raised `error`."""
    code = "\n".join(filter(None, (case["setup"], case["trigger"])))
    there = case["exception"].removeprefix("mxnet.") if case["exception"] else "nothing"
    lines = [f"## {case['id']}", "", "```python", code, "```", "", f"MXNet raises `{there}`: {case['gist']}", ""]
    if error is None:
        return "\n".join([*lines, "mxlite raises nothing.", ""])
    text = "\n".join([str(error), *getattr(error, "__notes__", ())])
    for pattern, told in VARIES:
        text = re.sub(pattern, told, text)
    return "\n".join([*lines, f"mxlite raises `{type(error).__name__}`:", "", "```text", text, "```", ""])


def sections() -> list[str]:
    """The entries of all cases whose parts are there."""
    found = []
    for case in CASES:
        if not missing(case):
            try:
                run(case)
            except Exception as e:  # noqa: BLE001 - what it is, the table tells
                found.append(section(case, e))
            else:
                found.append(section(case, None))
    return found


def main() -> None:
    """Write the table."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            text = "\n".join([HEAD, *sections()])
        finally:
            os.chdir(before)
    TABLE.write_text(text)
    print(f"wrote {TABLE}: {text.count(chr(10) + '## ')} of {len(CASES)} cases")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What the README shows runs as it stands, and what it names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tour_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, Any] = {}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"README.md, block {number}", "exec"), names)  # noqa: S102
    (_, accuracy), _ = names["module"].score(names["train"], ["acc", "ce"])
    assert accuracy > 0.9
    assert names["chances"].shape == (3, 10)
    out = capsys.readouterr().out
    assert "[(32, 10)]" in out
    assert "Total params: 4810" in out or "Total params: 50890" in out


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z]+)", README):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE) or target == "what", target


@pytest.mark.parametrize("document", ["README.md", "compiler/README.md"])
def test_links_lead_somewhere(document: str) -> None:
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
    for script in re.findall(r"python (\S+/\S+\.py)", path.read_text(encoding="utf-8")):
        assert (ROOT / script).exists(), script

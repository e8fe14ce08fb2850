# SPDX-License-Identifier: Apache-2.0
"""The stub files are what the operator table says now."""

from __future__ import annotations

from mxlite import _stubs


def test_stubs_are_fresh():
    assert [path.name for path in _stubs.stale()] == [], "run make stubs"


def test_check_fails_on_a_stale_stub(monkeypatch, tmp_path, capsys):
    old = tmp_path / "old.pyi"
    old.write_text("")
    monkeypatch.setattr(_stubs, "everything", lambda: {old: "def f(): ...\n"})
    assert _stubs.main(["--check"]) == 1
    assert "old.pyi" in capsys.readouterr().err
    assert _stubs.main([]) == 0
    assert old.read_text() == "def f(): ...\n"
    assert _stubs.main(["--check"]) == 0

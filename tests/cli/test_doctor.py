# SPDX-License-Identifier: Apache-2.0
"""``mxlite doctor``: the report, what it advises, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import mxlite as mx
from mxlite import environment
from mxlite.cli import doctor, main

Captured = pytest.CaptureFixture[str]


def test_the_report_names_versions_devices_and_settings(capsys: Captured):
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"jax     {jax.__version__}" in out and f"numpy   {np.__version__}" in out
    assert "mx.cpu(0)  " in out and "64-bit types      on" in out
    assert "part of a job     none; this process works alone" in out
    assert "cpu(0)  yes  one step in" in out and out.endswith("All is well.\n")


def test_json_says_the_same(capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MXNET_USE_FUSION", "0")
    monkeypatch.setattr(doctor, "_train", lambda context: 0.0)
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["healthy"] and report["problems"] == []
    assert report["versions"]["jax"] == jax.__version__
    assert report["devices"][0]["context"] == "mx.cpu(0)" and report["trials"][0]["passed"]
    assert {"name": "MXNET_USE_FUSION", "value": "0", "state": "ignored", "meaning": "XLA always fuses"} in report[
        "variables"
    ]
    assert {row["package"] for row in report["extras"]} == doctor.EXTRAS.keys()


@pytest.mark.parametrize(
    ("name", "state", "says"),
    [
        ("MXNET_ENGINE_TYPE", "used", "NaiveEngine"),
        ("MXNET_EXEC_BULK_EXEC_TRAIN", "ignored", "whole programs"),
        ("MXNET_USE_FUSON", "unknown", "did you mean 'MXNET_USE_FUSION'"),
        ("JAX_LOG_COMPILES", "used", "jax_log_compiles"),
        ("JAX_NO_SUCH_OPTION", "unknown", "nothing here reads it"),
        ("XLA_FLAGS", "used", "compiler"),
        ("XLA_PYTHON_CLIENT_PREALLOCATE", "used", "XLA"),
    ],
)
def test_variables(name: str, state: str, says: str):
    found = environment.meaning(name)
    assert found[0] == state and says in found[1]


def test_advice_follows_the_variables(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_train", lambda context: 0.0)
    found = doctor.examine({"MXNET_USE_FUSION": "0", "MXNET_NONSENSE": "1", "HOME": "/"})
    assert [v.name for v in found.variables] == ["MXNET_NONSENSE", "MXNET_USE_FUSION"]
    text = found.text()
    assert "MXNET_USE_FUSION changes nothing: XLA always fuses" in text
    assert "MXNET_NONSENSE is no variable that is known" in text


def test_a_device_that_fails_is_a_problem(capsys: Captured, monkeypatch: pytest.MonkeyPatch):
    def broken(context: mx.Context) -> float:
        raise RuntimeError("no memory\nand a long story")

    monkeypatch.setattr(doctor, "_train", broken)
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "cpu(0)  NO  no memory\n" in out
    assert "problems\n  the self-test fails on cpu(0): no memory\n" in out and out.endswith("Something is off.\n")


def test_wrong_numbers_are_a_problem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(doctor, "_train", lambda context: float("nan"))
    assert doctor.self_test(mx.cpu()) == ("cpu(0)", False, "the weights after one step are wrong by nan")


def test_old_packages_and_missing_extras(monkeypatch: pytest.MonkeyPatch):
    versions: dict[str, Any] = {"jax": "0.4.30", "jaxlib": "0.10.2", "numpy": "2.0.0rc1", "optax": "0.2.5"}
    monkeypatch.setattr(doctor, "_version", versions.get)
    monkeypatch.setattr(doctor, "_train", lambda context: 0.0)
    found = doctor.examine({})
    assert found.problems == ["jax 0.4.30 is too old; pip install 'jax>=0.10'"]
    assert all(extra.version is None for extra in found.extras)
    assert "mxlite[image]: decoding pictures" in found.text()


def test_a_compile_cache_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    before = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "file"))
    try:
        (problem,) = doctor._cache_problems()
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert "cannot be written" in problem and "JAX_COMPILATION_CACHE_DIR" in problem

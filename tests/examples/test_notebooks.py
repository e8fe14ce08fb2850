# SPDX-License-Identifier: Apache-2.0
"""The notebooks run from top to bottom, and are committed without outputs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import nbclient
import nbformat
import pytest
from traitlets.config import Config

ROOT = Path(__file__).resolve().parent.parent.parent
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["module", "ndarray_symbol"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_is_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.filterwarnings("default")  # zmq and asyncio of the kernel's client
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [ROOT, ROOT / "compiler", ROOT / "examples"]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, folders)))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # the kernel's own shows pictures under the cells
    notebook = nbformat.read(path, as_version=4)
    # A kernel gets sockets of its own, as ports found free may be taken by then, and as much time to start as to run.
    with tempfile.TemporaryDirectory(prefix="nb") as sockets:  # whose path must be short
        client = nbclient.NotebookClient(
            notebook, timeout=300, startup_timeout=300, kernel_name="python3",
            resources={"metadata": {"path": str(tmp_path)}},
            config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/k"}}),
        )  # fmt: skip
        client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/svg+xml" in kinds, "plot_network shows a picture"
    assert [o for o in outputs if o.output_type == "error"] == []

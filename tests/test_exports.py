# SPDX-License-Identifier: Apache-2.0
"""Every public name is there, and `import mxlite` needs no extra."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import mxlite
import mxlite_compiler

from .test_layers import OPTIONAL

ROOT = Path(__file__).resolve().parent.parent


def modules() -> list[str]:
    names = []
    for package in (mxlite_compiler, mxlite):
        names.append(package.__name__)
        names += [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    return [name for name in names if not name.endswith("__main__")]


@pytest.mark.parametrize("name", modules())
def test_module_imports_and_its_names_resolve(name: str) -> None:
    module = importlib.import_module(name)
    missing = [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)]
    assert not missing
    if module.__file__ and module.__file__.endswith("__init__.py"):
        for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                for alias in node.names:
                    assert hasattr(module, alias.asname or alias.name)


# The names a 1.x script reaches for, as they are spelled there.
SPELLINGS = """
mx.nd.array mx.nd.zeros mx.nd.ones mx.nd.full mx.nd.empty mx.nd.arange mx.nd.save mx.nd.load mx.nd.NDArray
mx.nd.concat mx.nd.concatenate mx.nd.dot mx.nd.waitall mx.nd.Custom mx.ndarray.NDArray mx.nd.random.uniform
mx.nd.maximum mx.sym.Variable mx.sym.var mx.sym.Group mx.sym.load mx.sym.load_json mx.sym.FullyConnected
mx.sym.Custom mx.symbol.Symbol mx.cpu mx.gpu mx.Context mx.context.current_context mx.AttrScope mx.name.Prefix
mx.name.NameManager mx.MXNetError mx.base.MXNetError mx.random.seed mx.operator.CustomOp mx.operator.CustomOpProp
mx.operator.register mx.mod.Module mx.module.Module mx.model.load_checkpoint mx.model.save_checkpoint mx.io.DataIter
mx.io.DataBatch mx.io.DataDesc mx.io.NDArrayIter mx.init.Xavier mx.init.Uniform mx.init.Normal mx.init.Zero
mx.init.One mx.init.Constant mx.initializer.Initializer mx.optimizer.SGD mx.optimizer.Adam mx.optimizer.create
mx.lr_scheduler.FactorScheduler mx.metric.Accuracy mx.metric.MSE mx.metric.CrossEntropy mx.metric.TopKAccuracy
mx.metric.CompositeEvalMetric mx.metric.create mx.metric.np mx.callback.Speedometer mx.callback.do_checkpoint
mx.viz.plot_network mx.viz.print_summary mx.visualization.plot_network
""".split()


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_classic_spelling(spelling: str) -> None:
    thing = mxlite
    for part in spelling.split(".")[1:]:
        thing = getattr(thing, part)


def test_imports_without_any_extra() -> None:
    source = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(OPTIONAL - {"scipy"})!r}:
            raise ImportError(name + " is an extra")
sys.meta_path.insert(0, Refuse())
import mxlite, mxlite_compiler
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, timeout=120, env=_environment()
    )
    assert done.returncode == 0, done.stderr


def test_the_compiler_imports_without_mxlite() -> None:
    source = "import mxlite_compiler, sys; print([m for m in sys.modules if m == 'mxlite' or m.startswith('mxlite.')])"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, cwd=ROOT, timeout=120, env=_environment()
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'compiler'}"}

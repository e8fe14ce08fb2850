# SPDX-License-Identifier: Apache-2.0
"""The same small programs are compiled once for all these tests; `kill.py` shows that nothing depends on that."""

from __future__ import annotations

import os
from collections.abc import Iterator

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache

SETTINGS = {
    "jax_compilation_cache_dir": "",
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of JAX that keep compiled programs in a folder of this session, as environment variables, too."""
    found = {**SETTINGS, "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("programs"))}
    return {name.upper(): str(value) for name, value in found.items()}


@pytest.fixture(scope="module", autouse=True)
def _compiled_once(programs: dict[str, str]) -> Iterator[None]:
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    for name, value in SETTINGS.items():
        jax.config.update(name, value if value != "" else programs[name.upper()])
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture
def environment(programs: dict[str, str]) -> dict[str, str]:
    """For a process of a test: it finds mxlite, and the compiled programs."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = os.pathsep.join([root, os.path.join(root, "compiler"), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **programs, "PYTHONPATH": path}

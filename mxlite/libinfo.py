# SPDX-License-Identifier: Apache-2.0
"""`mx.libinfo`: which MXNet this is. There is no native library behind it, and so none to be found."""

from __future__ import annotations

from typing import NoReturn

#: The version of MXNet whose interface this is, and which is written into graph files.
__version__ = "1.9.1"


def _nothing(function: str, what: str) -> NoReturn:
    raise RuntimeError(f"{function}: mxlite has no {what}; it runs on JAX. Operators of your own: mx.operator.CustomOp")


def find_lib_path(prefix: str = "libmxnet") -> list[str]:
    """RuntimeError, as in MXNet where the library is not found: there is none."""
    _nothing("find_lib_path", f"native library such as {prefix}.so")


def find_include_path() -> str:
    """RuntimeError, as in MXNet where the headers are not found: there are none."""
    _nothing("find_include_path", "headers")


def find_conf_path(prefix: str = "tvmop") -> list[str]:
    """RuntimeError, as in MXNet where the files are not found: there are none."""
    _nothing("find_conf_path", f"configuration files such as {prefix}.conf")

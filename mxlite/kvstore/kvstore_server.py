# SPDX-License-Identifier: Apache-2.0
"""What is left of MXNet's parameter servers: a job of mxlite has workers only."""

from __future__ import annotations

from typing import Any

from ..base import MXNetError, explain


class KVStoreServer:
    """A server process, which there is none of. A script that starts as a server is told so by `run`.

    Args:
        kvstore: accepted as in MXNet.
    """

    def __init__(self, kvstore: Any):
        self.kvstore = kvstore

    def run(self) -> None:
        """Raises MXNetError: every process of a job is a worker."""
        hint = "start workers only: mxlite launch -n 4 python train.py"
        raise MXNetError(explain("there are no parameter servers", op="KVStoreServer.run", hint=hint))

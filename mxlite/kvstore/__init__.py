# SPDX-License-Identifier: Apache-2.0
"""Stores that sum arrays of several devices and processes by key (`mx.kv`, `mx.kvstore`).

`create` makes one. There are no servers: with ``dist_sync`` every worker holds all values, and a push sums over all
workers by one compiled program.
"""

from __future__ import annotations

from . import base as base
from . import kvstore as kvstore
from . import kvstore_server as kvstore_server
from .base import KVStoreBase as KVStoreBase
from .kvstore import KVStore as KVStore
from .kvstore import create as create
from .kvstore_server import KVStoreServer as KVStoreServer

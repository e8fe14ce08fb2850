# SPDX-License-Identifier: Apache-2.0
"""Graphs in, compiled XLA programs out: the compiler of mxlite, which can be used alone.

>>> from mxlite_compiler import graph_from_json, lower, program  # doctest: +SKIP
>>> f = lower(graph_from_json(open("net-symbol.json").read()))  # doctest: +SKIP
"""

from . import ops as ops
from .artefact import Artefact as Artefact
from .artefact import load_artefact as load_artefact
from .compile import program as program
from .errors import MXNetError as MXNetError
from .export import export_graph as export_graph
from .graph import Entry as Entry
from .graph import Graph as Graph
from .graph import Node as Node
from .infer import infer_dtypes as infer_dtypes
from .infer import infer_shapes as infer_shapes
from .json import graph_from_json as graph_from_json
from .json import graph_to_json as graph_to_json
from .lower import lower as lower
from .op import OPS as OPS
from .op import Mode as Mode
from .op import Op as Op
from .op import get_op as get_op
from .op import op as op

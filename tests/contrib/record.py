# SPDX-License-Identifier: Apache-2.0
"""Records tests/golden/amp with the real MXNet: ``ORACLE_PYTHON tests/contrib/record.py``.

``symbols.json.gz`` has the converted graphs. ``outputs.npz`` has what the converted networks compute in bfloat16; on a
CPU, MXNet multiplies no matrices of float16.
"""

import gzip
import json
import os
import sys

import mxnet as mx  # pyright: ignore[reportMissingImports]
import numpy as np
from mxnet.contrib import amp  # pyright: ignore[reportMissingImports]

HERE = os.path.dirname(os.path.abspath(__file__))
NETS = os.path.join(HERE, "..", "golden", "nets")
OUT = os.path.join(HERE, "..", "golden", "amp")
sys.path.insert(0, HERE)

import amp_cases  # noqa: E402

symbols = {name: amp_cases.content(amp.convert_symbol(s, **kw)) for name, (s, kw) in amp_cases.cases(mx).items()}
outputs = {}
for name in amp_cases.NETS:
    net, args, aux = mx.model.load_checkpoint(os.path.join(NETS, name), 0)
    for dtype in ("float16", "bfloat16"):
        for stored in (False, True):
            made, new_args, new_aux = amp.convert_model(net, args, aux, dtype, cast_optional_params=stored)
            kinds = {k: str(np.dtype(v.dtype)) for k, v in {**new_args, **new_aux}.items()}
            low = sorted(k for k, v in kinds.items() if v != "float32")
            symbols[f"{name} {dtype}{' stored' if stored else ''}"] = [*amp_cases.content(made), low]
        if dtype == "bfloat16":
            made, new_args, new_aux = amp.convert_model(net, args, aux, dtype)
            given = np.load(os.path.join(NETS, name + ".inputs.npz"))
            feed = {k: mx.nd.array(given[k]) for k in given.files if k in made.list_arguments()}
            bound = made.bind(mx.cpu(), {**new_args, **feed}, aux_states=new_aux)
            for i, out in enumerate(bound.forward(is_train=False)):
                outputs[f"{name}/{i}"] = out.asnumpy()
with open(os.path.join(OUT, "symbols.json.gz"), "wb") as file:
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v, sort_keys=True)}" for k, v in symbols.items())
    file.write(gzip.compress(("{\n" + lines + "\n}\n").encode(), mtime=0))
np.savez_compressed(os.path.join(OUT, "outputs.npz"), **outputs)
lists = {}
for kind in ("lp16_ops", "fp32_ops", "lp16_fp32_ops", "conditional_fp32_ops", "widest_type_cast",
             "loss_output_functions", "lp16_use_fp32_params"):  # fmt: skip
    call = getattr(amp, "list_" + kind)
    lists[kind] = {"float16": call("float16"), "bfloat16": call(amp.amp.bfloat16)}
with open(os.path.join(OUT, "lists.json"), "w") as file:
    json.dump(lists, file)
    file.write("\n")

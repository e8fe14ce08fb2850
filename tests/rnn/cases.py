# SPDX-License-Identifier: Apache-2.0
"""Networks of cells that MXNet 1.9.1 and mxlite build by the same code; run as a script, it records MXNet's.

python tests/rnn/cases.py FILE     # with a Python that imports mxnet
"""

from __future__ import annotations

import gzip
import json
import sys
import warnings


def flat(x):
    """The symbols in nested lists."""
    return [z for y in x for z in flat(y)] if isinstance(x, (list, tuple)) else [x]


def nest(x):
    """The names in nested lists."""
    return [nest(y) for y in x] if isinstance(x, (list, tuple)) else x.name


def cells(mx):
    """Name -> a function that makes a cell."""
    R = mx.rnn

    def stack(*parts):
        made = R.SequentialRNNCell()
        for part in parts:
            made.add(part)
        return made

    small = {"input_shape": (1, 2, 6, 5), "num_hidden": 3}
    odd = {
        "h2h_kernel": (5, 3), "h2h_dilate": (1, 2), "i2h_kernel": (1, 1), "i2h_stride": (2, 1), "i2h_pad": (0, 0),
        "activation": "tanh", "prefix": "k_", "i2h_weight_initializer": mx.init.One(), "h2h_bias_initializer": "ones",
    }  # fmt: skip
    return {
        "rnn": lambda: R.RNNCell(3, prefix="a_"),
        "rnn_relu": lambda: R.RNNCell(3, "relu"),
        "rnn_function": lambda: R.RNNCell(3, activation=lambda x, name: mx.sym.LeakyReLU(x, slope=0.1, name=name)),
        "lstm": lambda: R.LSTMCell(3),
        "lstm_forget": lambda: R.LSTMCell(3, forget_bias=2.5, prefix="f_"),
        "lstm_shared": lambda: stack(R.LSTMCell(3, params=R.RNNParams("w_")), R.LSTMCell(3, prefix="b_")),
        "gru": lambda: R.GRUCell(3),
        "fused": lambda: R.FusedRNNCell(3, 2, "lstm", bidirectional=True, dropout=0.2, get_next_state=True),
        "fused_gru": lambda: R.FusedRNNCell(3, mode="gru"),
        "fused_tanh": lambda: R.FusedRNNCell(3, mode="rnn_tanh", prefix="q_", get_next_state=True, forget_bias=0.5),
        "unfused_gru": lambda: R.FusedRNNCell(3, 2, "gru", bidirectional=True, dropout=0.2).unfuse(),
        "unfused_lstm": lambda: R.FusedRNNCell(3, 3, "lstm", dropout=0.2, forget_bias=2.0, prefix="P_").unfuse(),
        "unfused_relu": lambda: R.FusedRNNCell(3, 2, "rnn_relu", prefix="z_").unfuse(),
        "unfused_tanh": lambda: R.FusedRNNCell(2, 1, "rnn_tanh").unfuse(),
        "stack": lambda: stack(
            R.LSTMCell(3, prefix="l0_"),
            R.DropoutCell(0.3),
            R.ZoneoutCell(R.RNNCell(2, prefix="l1_"), 0.1, 0.2),
            R.ResidualCell(R.GRUCell(2, prefix="l2_")),
        ),
        "stack_fused": lambda: stack(R.FusedRNNCell(3, prefix="f_"), R.RNNCell(2)),
        "stack_zoneout": lambda: stack(
            R.ZoneoutCell(R.RNNCell(2, prefix="a_"), 0.0, 0.3), R.ZoneoutCell(R.RNNCell(2, prefix="b_"), 0.3)
        ),
        "bi": lambda: R.BidirectionalCell(R.LSTMCell(3, prefix="l_"), R.GRUCell(3, prefix="r_"), output_prefix="x_"),
        "bi_fused": lambda: R.BidirectionalCell(
            R.FusedRNNCell(3, prefix="l_"), R.FusedRNNCell(3, prefix="r_", get_next_state=True)
        ),
        "bi_mixed": lambda: R.BidirectionalCell(
            R.FusedRNNCell(3, prefix="l_", mode="rnn_tanh"), R.RNNCell(3, prefix="r_")
        ),
        "bi_modified": lambda: R.BidirectionalCell(
            R.ResidualCell(R.RNNCell(3, prefix="l_")), R.ZoneoutCell(R.RNNCell(3, prefix="r_"), 0.1)
        ),
        "dropout": lambda: R.DropoutCell(0.3),
        "dropout_0": lambda: R.DropoutCell(0.0),
        "residual": lambda: R.ResidualCell(R.RNNCell(2)),
        "residual_fused": lambda: R.ResidualCell(R.FusedRNNCell(2, mode="gru", get_next_state=True)),
        "residual_bi": lambda: R.ResidualCell(R.BidirectionalCell(R.RNNCell(1, prefix="l_"), R.RNNCell(1))),
        "zoneout": lambda: R.ZoneoutCell(R.LSTMCell(2), 0.5),
        "conv_rnn": lambda: R.ConvRNNCell(**small),
        "conv_lstm": lambda: R.ConvLSTMCell(**small),
        "conv_gru": lambda: R.ConvGRUCell(**small),
        "conv_rnn_odd": lambda: R.ConvRNNCell(**small, **odd),
        "conv_lstm_odd": lambda: R.ConvLSTMCell(**small, **odd, conv_layout="NHWC"),
        "conv_gru_odd": lambda: R.ConvGRUCell(**small, **odd),
    }


#: Name -> options of `unroll`. ``each`` gives one input a step.
CALLS = {
    "NTC": {},
    "TNC": {"layout": "TNC"},
    "merged": {"merge_outputs": True},
    "listed": {"merge_outputs": False},
    "TNC_merged": {"merge_outputs": True, "layout": "TNC"},
    "TNC_listed": {"merge_outputs": False, "layout": "TNC"},
    "each": {"each": True},
    "each_merged": {"each": True, "merge_outputs": True},
}


def graph(mx, make, each=False, **options):
    """How many outputs there are (0: one symbol), the names of the states, and the JSON of all; or the error."""
    with mx.name.NameManager(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        inputs = [mx.sym.Variable("x"), mx.sym.Variable("y")] if each else mx.sym.Variable("data")
        outputs, states = make().unroll(2, inputs, **options)
        one = isinstance(outputs, mx.sym.Symbol)
        group = mx.sym.Group([outputs] if one else list(outputs))
        return [0 if one else len(outputs), nest(states), mx.sym.Group([group, *flat(states)]).tojson()]


def steps(mx):
    """Names and JSON of other uses of cells."""
    R, sym = mx.rnn, mx.sym

    def step(cell, **begin):
        output, states = cell(sym.Variable("x"), cell.begin_state(**begin))
        output, states = cell(output, states)
        return [output, *states]

    def twice(cell):
        cell.unroll(2, sym.Variable("x"))
        return cell.unroll(1, sym.Variable("x"))[0]

    def after_reset(cell):
        step(cell)
        cell.reset()
        return step(cell)

    def stack():
        made = R.SequentialRNNCell()
        made.add(R.ZoneoutCell(R.LSTMCell(2), 0.1, 0.1))
        made.add(R.DropoutCell(0.5))
        made.add(R.ResidualCell(R.GRUCell(2)))
        return made

    return {
        "step_lstm": lambda: step(R.LSTMCell(2)),
        "step_stack": lambda: step(stack()),
        "step_residual": lambda: step(R.ResidualCell(R.RNNCell(2))),
        "begin_variables": lambda: R.LSTMCell(2).begin_state(func=sym.Variable),
        "begin_ones": lambda: step(R.LSTMCell(2), func=sym.ones, dtype="float16"),
        "begin_shape": lambda: R.LSTMCell(2).begin_state(shape=(4, 2)),
        "begin_uniform": lambda: R.FusedRNNCell(2).begin_state(func=sym.random.uniform, low=0.5),
        "begin_modified": lambda: R.ZoneoutCell(R.LSTMCell(2)).begin_state(init_sym=sym.Variable),
        "begin_stack": lambda: stack().begin_state(),
        "begin_twice": lambda: (lambda cell: cell.begin_state() + cell.begin_state())(R.LSTMCell(2)),
        "begin_given": lambda: R.LSTMCell(2).unroll(1, sym.Variable("x"), [sym.Variable("h"), sym.Variable("c")])[0],
        "twice": lambda: twice(R.LSTMCell(2)),
        "twice_stack": lambda: twice(stack()),
        "twice_zoneout": lambda: twice(R.ZoneoutCell(R.RNNCell(2), 0.1)),
        "reset": lambda: after_reset(R.GRUCell(2)),
        "reset_residual": lambda: after_reset(R.ResidualCell(R.RNNCell(2))),
        "params": lambda: [
            v for _, v in sorted(R.BidirectionalCell(R.LSTMCell(2), R.GRUCell(2)).params._params.items())
        ],
        "params_get": lambda: [R.RNNParams("p_").get("w", shape=(1, 2), init=mx.init.One())],
    }


SENTENCES = [[i * 10 + j for j in range(1 + (i * 7) % 5)] for i in range(14)]
WORDS = [["a", "b", "c"], ["b", "d"], ["a"]]


def sentences(mx):
    """Name -> batches of two epochs, or encoded sentences."""
    import random

    import numpy as np

    def batches(**options):
        random.seed(3)
        np.random.seed(3)
        found = mx.rnn.BucketSentenceIter(SENTENCES, 2, **options)
        shown = [[found.buckets, found.default_bucket_key, found.major_axis, found.batch_size]]
        described = lambda x: [[d.name, list(d.shape), d.layout, np.dtype(d.dtype).name] for d in x]  # noqa: E731
        shown.append(described(found.provide_data + found.provide_label))
        for _ in range(2):
            for b in found:
                arrays = [[np.dtype(x.dtype).name, x.asnumpy().tolist()] for x in (b.data[0], b.label[0])]
                shown.append([b.bucket_key, b.pad, described(b.provide_data + b.provide_label), arrays])
            found.reset()
        return shown

    def encoded(given, **options):
        found, vocab = mx.rnn.encode_sentences(given, **options)
        return [found, sorted(vocab.items())]

    known = lambda: {"\n": -1, "a": 0, "b": 1}  # noqa: E731
    return {
        "batches": lambda: batches(),
        "batches_options": lambda: batches(
            buckets=[4, 2], invalid_label=0, layout="TN", dtype="int32", data_name="d", label_name="l"
        ),
        "batches_empty_bucket": lambda: batches(buckets=[9, 12]),
        "encoded": lambda: encoded(WORDS),
        "encoded_start": lambda: encoded(WORDS, start_label=2, invalid_label=0, invalid_key="<pad>"),
        "encoded_over_invalid": lambda: encoded(WORDS, start_label=-2),
        "encoded_vocab": lambda: encoded([["b", "a"]], vocab=known()),
        "encoded_unknown": lambda: encoded([["b", "zz", "yy"]], vocab=known(), unknown_token="unk"),
        "encoded_unknown_known": lambda: encoded([["b", "zz"]], vocab=dict(known(), unk=7), unknown_token="unk"),
    }


def values(mx):
    """Name -> outputs of networks whose parameters are sines, from packed and from unpacked weights."""
    import numpy as np

    def run(symbol, **arrays):
        shapes = {k: v.shape for k, v in arrays.items()}
        bound = symbol.simple_bind(mx.cpu(), grad_req="null", **shapes)
        bound.copy_params_from({k: mx.nd.array(v) for k, v in arrays.items()})
        return [x.asnumpy().round(6).tolist() for x in bound.forward()]

    found = {}
    x = np.sin(np.arange(16) * 0.7).reshape(2, 2, 4)
    for mode, gates, n in (("rnn_relu", 1, 1), ("rnn_tanh", 1, 2), ("lstm", 4, 2), ("gru", 3, 2)):
        size = n * gates * 3 * (4 + 3 + 2) + n * gates * 3 * (3 * n + 3 + 2)
        vector = np.sin(np.arange(size)) * 0.6
        fused = mx.rnn.FusedRNNCell(3, 2, mode, bidirectional=n == 2, prefix="m_")
        unpacked = fused.unpack_weights({"m_parameters": mx.nd.array(vector)})
        stack = fused.unfuse()
        packed = {k: v.asnumpy() for k, v in stack.pack_weights(unpacked).items()}
        unrolled = stack.unroll(2, mx.sym.Variable("data"), layout="TNC", merge_outputs=True)[0]
        whole = fused.unroll(2, mx.sym.Variable("data"), layout="TNC", merge_outputs=True)[0]
        found[mode] = {
            "fused": run(whole, data=x, m_parameters=vector),
            "unfused": run(unrolled, data=x, **packed),
            "gates": {k: [round(float(v.asnumpy().sum()), 4), list(v.shape)] for k, v in sorted(unpacked.items())},
        }
    return found


def facts(mx):
    """All of the above."""
    found = {}
    for name, make in cells(mx).items():
        for call, options in CALLS.items():
            try:
                found[name + "/" + call] = graph(mx, make, **options)
            except Exception as e:  # noqa: BLE001 - what MXNet raises is the fact
                found[name + "/" + call] = type(e).__name__
        found[name + "/states"] = make().state_info
    for name, make in steps(mx).items():
        with mx.name.NameManager():
            found[name] = mx.sym.Group(make()).tojson()
    return json.loads(json.dumps(found))


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    recorded = {
        "graphs": facts(mxnet),
        "sentences": {name: make() for name, make in sentences(mxnet).items()},
        "values": values(mxnet),
    }
    with open(sys.argv[1], "wb") as f, gzip.GzipFile(fileobj=f, mode="wb", mtime=0, filename="") as packed:
        packed.write(json.dumps(recorded).encode())

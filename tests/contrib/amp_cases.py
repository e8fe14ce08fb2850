# SPDX-License-Identifier: Apache-2.0
"""Networks and arguments of `convert_symbol` that run with MXNet and with mxlite."""

import json


def cases(mx):
    """Name -> (symbol, keywords)."""
    s, v = mx.sym, mx.sym.Variable
    d, w = v("data"), v("w")
    fc = lambda x, name: s.FullyConnected(x, num_hidden=3, no_bias=True, name=name)  # noqa: E731
    exp = lambda x=d, name="e": s.exp(x, name=name)  # noqa: E731
    by_w = lambda name: s.FullyConnected(d, w, num_hidden=3, no_bias=True, name=name)  # noqa: E731
    a, b = fc(d, "a"), fc(d, "b")
    plus, flat = s.elemwise_add, s.Flatten
    conv = s.Convolution(d, kernel=(1, 1), num_filter=2, name="conv")
    bn = s.BatchNorm(conv, name="bn")
    mask = lambda x, n: s.SequenceMask(x, n, use_sequence_length=True, name="mask")  # noqa: E731
    stored = {"data_names": ["data"], "cast_optional_params": True}
    bf16 = {"target_dtype": "bfloat16"}
    net = s.SoftmaxOutput(fc(s.Activation(bn, act_type="softrelu", name="act"), "c"), name="softmax")
    loop, _ = s.contrib.foreach(lambda x, state: (fc(x, "in"), [state[0] + 1]), d, [v("s0")])
    return {
        "network": (net, {}),
        "network bfloat16": (net, bf16),
        "network stored": (net, stored),
        "network stored bfloat16": (net, {**stored, **bf16}),
        "network typed": (net, {"data_names": ["data", "softmax_label"]}),
        "exclude": (net, {"excluded_sym_names": ["conv"]}),
        "exclude widest": (plus(a, v("z"), name="p"), {"excluded_sym_names": ["p"]}),
        "exclude other": (flat(a, name="p"), {"excluded_sym_names": ["p"]}),
        "exclude a variable": (a, {"excluded_sym_names": ["data"]}),
        "own lists": (exp(fc(exp(d, "e0"), "a")), {"target_dtype_ops": ["exp"], "fp32_ops": ["FullyConnected"]}),
        "own conditions": (
            s.Activation(a, act_type="relu", name="act"),
            {"conditional_fp32_ops": [("Activation", "act_type", ["relu"])]},
        ),
        "no lists": (exp(a), {"target_dtype_ops": [], "fp32_ops": [], "conditional_fp32_ops": []}),
        "batch norm low": (s.BatchNorm(d, name="bn"), {"target_dtype_ops": ["BatchNorm"]}),
        "batch norm wide": (bn, {"fp32_ops": ["BatchNorm"]}),
        "embedding low": (
            s.Embedding(d, input_dim=4, output_dim=3, name="em"),
            {"target_dtype_ops": ["Embedding"]},
        ),
        "mask low": (mask(d, v("len")), {"target_dtype_ops": ["SequenceMask"]}),
        "widest low wide": (plus(a, v("z"), name="p"), {}),
        "widest low low": (fc(plus(a, b, name="p"), "c"), {}),
        "widest, then low": (fc(plus(a, v("z"), name="p"), "c"), {}),
        "widest, then wide": (exp(plus(a, v("z"), name="p")), {}),
        "widest, then widest": (plus(plus(a, v("z"), name="p"), a, name="p2"), {}),
        "widest of three": (s.Concat(a, v("z"), b, dim=1, name="c"), {}),
        "widest wide wide": (exp(plus(exp(), exp(d, "e2"), name="p"), "e3"), {}),
        "widest wide variable": (plus(exp(), v("z"), name="p"), {}),
        "widest of a weight that is cast": (s.broadcast_add(by_w("a"), w, name="p"), {}),
        "widest before it is cast": (s.Group([plus(w, w, name="p"), by_w("a")]), {}),
        "widest of an output that is wide, too": (plus(a, exp(a), name="p"), {}),
        "where": (s.where(v("c"), a, b, name="wh"), {}),
        "dot": (s.dot(a, v("q"), name="dot"), {}),
        "add_n": (fc(s.add_n(a, b, v("q"), name="an"), "c"), {}),
        "zeros": (plus(a, s.zeros((2, 3), name="ze"), name="p"), {}),
        "begin state": (
            s.RNN(d, v("par"), s.zeros((1, 0, 4), name="s0"), state_size=4, num_layers=1, mode="gru", name="rnn"),
            {},
        ),
        "other of variables": (fc(flat(d, name="fl"), "a"), {}),
        "other of wide": (exp(flat(exp(), name="fl"), "e2"), {}),
        "other of low": (fc(flat(a, name="fl"), "c"), {}),
        "other of low and variable": (mask(a, v("len")), {}),
        "other of wide and low": (fc(mask(exp(), a), "c"), {}),
        "other of wide and variable": (mask(exp(), v("len")), {}),
        "other of a weight that is cast": (s.Group([by_w("a"), flat(w, name="fl")]), {}),
        "wide of a weight that is cast": (s.Group([by_w("a"), exp(w)]), {}),
        "pool": (fc(s.Pooling(bn, kernel=(2, 2), name="po"), "c"), {}),
        "statistics": (s.BatchNorm(a, name="bn", output_mean_var=True), {}),
        "cast": (fc(s.Cast(a, dtype="float32", name="ca"), "c"), {}),
        "cast low": (fc(s.Cast(a, dtype="float16", name="ca"), "c"), {}),
        "cast a variable": (fc(s.Cast(d, dtype="float16", name="ca"), "c"), {}),
        "cast to integers": (s.Cast(a, dtype="int32", name="ca"), {}),
        "argmax": (s.argmax(a, axis=1, name="am"), {}),
        "topk": (s.topk(a, k=2, ret_typ="both", name="tk"), {}),
        "shape": (s.shape_array(a, name="sa"), {}),
        "split": (exp(s.split(a, num_outputs=3, name="s")[1]), {}),
        "split all": (s.Group([a, s.split(b, num_outputs=3, name="s")]), {}),
        "take": (fc(s.take(w, d, name="tk"), "a"), {}),
        "embedding": (fc(s.Embedding(d, input_dim=4, output_dim=3, name="em"), "a"), {"data_names": ["data"]}),
        "dropout": (exp(s.Dropout(a, name="dr")), {}),
        "elu": (s.LeakyReLU(a, act_type="elu", name="lr"), {}),
        "scalar": (fc(a + 1, "c"), {}),
        "losses": (
            s.Group([s.MakeLoss(a, name="ml"), s.LinearRegressionOutput(b, name="lr"), s.BlockGrad(b, name="bg")]),
            {},
        ),
        "used by many": (s.Group([exp(a), s.log(a, name="e2"), a]), {}),
        "an output that is a variable": (s.Group([d, a]), {}),
        "declared": (fc(v("data", dtype="float16"), "a"), {}),
        "declared and typed": (fc(v("data", dtype="float16"), "a"), {"data_names": ["data"]}),
        "stored, read in float32, too": (s.Group([by_w("a"), exp(w)]), stored),
        "stored, read by others, too": (s.Group([by_w("a"), flat(w, name="fl")]), stored),
        "stored beside low": (s.broadcast_add(a, v("q"), name="p"), stored),
        "stored together": (s.FullyConnected(d, s.broadcast_add(w, v("r"), name="p"), num_hidden=3, name="a"), stored),
        "data in the place of a weight": (by_w("a"), {**stored, "data_names": ["data", "w"]}),
        "twice": (mx.contrib.amp.convert_symbol(fc(a, "b")), {}),
        "bfloat16 lists": (s.Dropout(flat(s.Pooling(conv, kernel=(2, 2), name="po"), name="fl"), name="dr"), bf16),
        "bfloat16 deconvolution": (s.Deconvolution(d, kernel=(2, 2), num_filter=2, name="dc"), bf16),
        "a loop": (loop, {}),
    }


#: Networks of tests/golden/nets.
NETS = (
    "arithmetic", "cf_foreach", "fused_bi_gru", "grouped_outputs", "inception_bn", "lenet", "lstm_lm_fused",
    "lstm_lm_unrolled", "mlp", "resnet18v2", "shared_variables",
)  # fmt: skip


def content(symbol):
    """[nodes, heads]; a node is [operator, name, attributes, inputs]."""
    found = json.loads(symbol.tojson(remove_amp_cast=False))
    nodes = [[n["op"], n["name"], n.get("attrs", {}), [e[:2] for e in n["inputs"]]] for n in found["nodes"]]
    return [nodes, [e[:2] for e in found["heads"]]]

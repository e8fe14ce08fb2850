# SPDX-License-Identifier: Apache-2.0
"""Calls at the edges: nan and inf, indices out of range, empty arrays, ties. `record` writes what MXNet answers.

    MXLITE_ORACLE=... ; $MXLITE_ORACLE tests/ops/edges.py tests/golden/ops/edges.json     # runs in the real MXNet

Each call is one expression in `mx`, `nd` and the arrays below, so that both libraries evaluate the same text.
"""

import importlib
import json
import sys

import numpy as np

NAN, INF = float("nan"), float("inf")
#: The arrays that calls use, by name: values and dtype.
ARRAYS = {
    "X": ([NAN, INF, -INF, 0.0, -0.0, 1.0, -2.5], "float32"),
    "Y": ([1.0, NAN, INF, NAN, 0.0, INF, -INF], "float32"),
    "H": ([NAN, INF, -INF, 0.0, 1.0, -2.5, 6e4], "float16"),
    "M": ([[1.0, NAN, 3.0], [INF, -INF, 2.0], [4.0, 4.0, 4.0]], "float32"),
    "A": ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "float32"),
    "J": ([-7, -2, -1, 0, 1, 2, 5], "int32"),
    "F": ([-7, -1.5, -0.5, 0.9, 1.5, 2, 1e9], "float32"),
    "P": ([-3, 7], "float32"),
    "T": ([[2.0, 1.0, 2.0], [0.0, 0.0, 0.0]], "float32"),
    "E": ([], "float32"),
    "E2": (np.zeros((0, 3)), "float32"),
    "I4": ([[7, -7, 2], [3, 0, -2]], "int32"),
    "U": ([0, 1, 200, 255], "uint8"),
    "D": ([0.0, 1.0, 3.0, -1.0], "float32"),
    "S": (np.arange(24.0).reshape(4, 2, 3).tolist(), "float32"),
}

_UNARY = """abs sign negative reciprocal square sqrt rsqrt cbrt rcbrt exp expm1 log log10 log2 log1p sin cos tan arcsin
arccos arctan degrees radians sinh cosh tanh arcsinh arccosh arctanh ceil floor trunc fix rint round gamma gammaln erf
erfinv relu sigmoid softsign logical_not zeros_like ones_like""".split()
_BINARY = """add sub mul div mod power hypot maximum minimum equal not_equal greater greater_equal lesser lesser_equal
logical_and logical_or logical_xor""".split()
_SCALAR = """plus minus rminus mul div rdiv mod rmod power rpower hypot maximum minimum equal not_equal greater lesser
logical_and logical_or logical_xor""".split()
_REDUCE = "sum mean prod nansum nanprod max min argmax argmin norm".split()

CALLS = [
    *(f"nd.{f}(X)" for f in _UNARY),
    *(f"nd.{f}(H)" for f in ("exp", "square", "sqrt", "sigmoid", "tanh", "relu", "rint", "round", "log")),
    *(f"nd.broadcast_{f}(X, Y)" for f in _BINARY),
    *(f"nd._internal._{f}_scalar(X, scalar={s})" for f in _SCALAR for s in ("2.0", "0.0", "NAN", "INF")),
    *(f"nd._internal._{f}_scalar(I4, scalar={s})" for f in _SCALAR for s in ("2.0", "-1.5", "3.7")
      if f not in ("mod", "rmod", "div", "rdiv")),
    "nd._internal._mod_scalar(I4, scalar=-4)", "nd._internal._div_scalar(I4, scalar=2)", "I4 / 2", "I4 % 4", "I4 ** 2",
    "U + 100", "U - 1", "U * 3", "-U", "U / 2", "U > 199",
    *(f"nd.{f}(M{axis})" for f in _REDUCE for axis in ("", ", axis=0", ", axis=1")),
    *(f"nd.{f}(E)" for f in ("sum", "prod", "mean", "max", "abs", "exp", "sort")),
    *(f"nd.{f}(E2, axis={a})" for f in ("sum", "prod", "max") for a in (0, 1)),
    "nd.concat(E2, E2, dim=0)", "nd.concat(E2, A, dim=0)", "E2.reshape((3, -1))", "nd.transpose(E2)", "E2 + 1",
    "nd.dot(E2, nd.ones((3, 2)))", "nd.take(A, E)", "nd.zeros((0, 2))", "nd.ones((2, 0))", "nd.broadcast_add(E2, E2)",
    "nd.argmax(T, axis=1)", "nd.argmin(T, axis=1)", "nd.argsort(T)", "nd.sort(T)", "nd.sort(M)",
    "nd.argsort(M, axis=0)",
    "nd.topk(T, k=2)", "nd.topk(T, k=2, ret_typ='both', is_ascend=True)", "nd.topk(A, k=2, ret_typ='mask')",
    "nd.topk(A, k=0)", "nd.topk(A, k=5)", "nd.clip(X, a_min=-1, a_max=2)", "nd.clip(X, a_min=2, a_max=-1)",
    "nd.softmax(M)", "nd.log_softmax(M)", "nd.softmax(nd.array([[-INF, -INF]]))", "nd.softmax(nd.array([[INF, 1]]))",
    "nd.where(X, Y, -Y)", "nd.maximum(X, Y)", "nd.minimum(X, 0)", "nd.smooth_l1(X, scalar=2)", "nd.hard_sigmoid(X)",
    "nd.LeakyReLU(X, act_type='elu', slope=0.5)", "nd.LeakyReLU(X, act_type='selu')",
    "nd.LeakyReLU(X, act_type='gelu')",
    *(f"nd.Activation(X, act_type='{a}')" for a in ("relu", "sigmoid", "tanh", "softrelu", "softsign")),
    *(f"nd.Pooling(M.reshape((1, 1, 3, 3)), kernel=(2, 2), pool_type='{t}')" for t in ("max", "avg", "sum")),
    "nd.cast(X, dtype='int32')", "nd.cast(X, dtype='uint8')", "nd.cast(F, dtype='int32')", "nd.cast(F, dtype='int8')",
    "nd.cast(nd.array([300, -1, 1e5]), dtype='float16')", "nd.cast(I4, dtype='uint8')", "nd.cast(X, dtype='float64')",
    # indices
    *(f"nd.take(A, {i}{axis}, mode='{m}')" for i in ("J", "F") for axis in ("", ", axis=1") for m in ("clip", "wrap")),
    "nd.take(A, nd.array([0, 1]), mode='raise')",
    *(f"nd.pick(A, P, mode='{m}')" for m in ("clip", "wrap")), "nd.pick(A, nd.array([1.9, -0.5]))",
    "nd.Embedding(J, A, input_dim=2, output_dim=3)", "nd.Embedding(F, A, input_dim=2, output_dim=3)",
    "nd.one_hot(J, depth=3)", "nd.one_hot(F, depth=3)",
    "nd.one_hot(J, depth=2, on_value=5, off_value=-1, dtype='int32')",
    "nd.batch_take(A, nd.array([2, 9], dtype='int32'))", "nd.batch_take(A, nd.array([-1, -9], dtype='int32'))",
    "nd.gather_nd(A, nd.array([[1, 0], [2, 0]]))", "nd.gather_nd(A, nd.array([[-1, 0], [2, -1]]))",
    "nd.scatter_nd(nd.array([1, 2, 3]), nd.array([[0, 0, 1]]), shape=(3,))",
    "nd.unravel_index(nd.array([5, 0, 4]), shape=(2, 3))",
    "nd.ravel_multi_index(nd.array([[1, 0], [2, 5]]), shape=(2, 3))",
    "nd.slice(A, begin=(0, -2), end=(5, 9))", "nd.slice(A, begin=(None, 2), end=(None, None), step=(1, -1))",
    "nd.slice(A, begin=(1,), end=(1,))", "nd.slice_axis(A, axis=1, begin=-2, end=None)", "A[5]", "A[:, 1:9]", "A[1:1]",
    "nd.SequenceMask(S, nd.array([0, 9]), use_sequence_length=True)",
    "nd.SequenceMask(S, nd.array([1.7, 2]), use_sequence_length=True)",
    "nd.SequenceLast(S, nd.array([1, 4]), use_sequence_length=True)",
    "nd.SequenceReverse(S, nd.array([0, 3]), use_sequence_length=True)",
    "nd.repeat(A, repeats=0)", "nd.tile(A, reps=(0, 1))", "nd.tile(A, reps=())", "nd.diag(A, k=2)", "nd.diag(A, k=-1)",
    "nd.arange(0, 0)", "nd.arange(1, 2, 0.25)", "nd.expand_dims(A, axis=-3)", "nd.squeeze(A)", "nd.flip(A, axis=1)",
    "nd.softmax_cross_entropy(A, nd.array([-1, 1.9]))", "nd.softmax_cross_entropy(A * 40, nd.array([0, 2]))",
    "nd.smooth_l1(D, scalar=0)", "nd.norm(A, ord=1, axis=(0, 1))",
    "nd.smooth_l1(X, scalar=0.5)", "nd.broadcast_hypot(nd.array([3e30]), nd.array([4e30]))", "nd.mean(I4)",
    "nd.mean(I4, axis=0)", "nd.sum(U)", "nd.prod(U)", "nd.sum(nd.cast(U, dtype='int8'))", "nd.argmax(I4)",
    "nd.add_n(X, Y)", "nd.logical_not(Y)", "nd.moments(M, axes=0)", "nd.L2Normalization(nd.zeros((1, 3)))",
]  # fmt: skip


def answers(mx, arrays):
    """What the calls give: by expression the outputs as [dtype, shape, values], or null for a refusal."""
    names = {"mx": mx, "nd": mx.nd, "np": np, "NAN": NAN, "INF": INF, **arrays}
    found = {}
    for call in CALLS:
        try:
            out = eval(call, names)
            outs = [x.asnumpy() for x in (out if isinstance(out, list) else [out])]
            found[call] = [[x.dtype.name, list(x.shape), [str(v) for v in x.ravel()]] for x in outs]
        except Exception:  # noqa: BLE001 - a refusal, of whatever class
            found[call] = None
            settle(mx)
    return found


def settle(mx):
    """Let an error that MXNet has still to tell come out here, not at another call."""
    try:
        mx.nd.waitall()
    except Exception:  # noqa: BLE001 - it belongs to the call before
        settle(mx)


def arrays(mx):
    """The arrays of the calls."""
    return {n: mx.nd.array(np.array(v, t), dtype=t) for n, (v, t) in ARRAYS.items()}


if __name__ == "__main__":
    mxnet = importlib.import_module("mxnet")
    with open(sys.argv[1], "w") as file:
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in answers(mxnet, arrays(mxnet)).items()]
        file.write("{\n" + ",\n".join(lines) + "\n}\n")

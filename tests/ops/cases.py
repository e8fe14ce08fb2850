# SPDX-License-Identifier: Apache-2.0
"""What is special about single golden cases: those that are not compared, and those that are compared less strictly."""

from __future__ import annotations

from tests.ops.golden import Case

#: Relative tolerances; the absolute one is a tenth of it times the largest value of the array.
RTOL = {"float16": 2e-3, "float32": 1e-5, "float64": 1e-9}

#: Case or operator -> relative tolerance and why it is not that of `RTOL`.
LOOSE: dict[str, tuple[float, str]] = {
    "BatchNorm/16": (5e-3, "MXNet multiplies head gradient and centred data in float16, mxlite in float32"),
    "LayerNorm/5": (1e-2, "MXNet computes the gradient in float16, mxlite in float32"),
    "_multi_lamb_update": (1e-6, "MXNet keeps rates and decays in float32, also for float64 weights"),
    "softmax/6": (1e-6, "computed in float32, the dtype of data, before it is widened"),
}

#: Case or operator -> why its values are not compared (shapes and dtypes still are).
NO_VALUES: dict[str, str] = {}

#: Case or operator -> why its gradients are not compared.
NO_GRADS: dict[str, str] = {}

#: Case or operator -> why inference may say something else of a missing input than what the case has there.
GUESSES: dict[str, str] = {
    "SoftmaxOutput": "a missing label is taken for class numbers, as in MXNet; a distribution is the other legal form",
    "LinearRegressionOutput": "a missing label has the shape of data, as in MXNet; (N,) is legal for (N, 1) too",
    "LogisticRegressionOutput": "as LinearRegressionOutput",
    "MAERegressionOutput": "as LinearRegressionOutput",
    "pick/10": "a missing index has the shape of data without the axis; the axis with size 1 is the other legal form",
    "LeakyReLU/8": "a missing gamma has one slope a channel, as in MXNet; a shared slope is the other legal form",
}

#: Case -> why it cannot run at all.
NOT_RUN: dict[str, str] = {
    "_unravel_index/2": "MXNet 1.9.1 returns its input for two axes; the right shape is (number of sizes, *data)",
}


#: Operators -> what they do otherwise than MXNet 1.9.1 on purpose, and why. `make conformance` lists it.
DIFFERENCES: dict[str, str] = {
    "_random_*, _sample_*, _shuffle, Dropout, LeakyReLU(rrelu)": "the numbers of a seed are JAX's, not MXNet's: only "
    "their distribution is the same; one generator serves every device, eager or compiled",
    "slice, reverse, gather_nd, transpose, clip, pick, squeeze": "take some axes and dtypes that MXNet refuses",
    "_contrib_boolean_mask": "any axis, and size= for a number of rows that is known; MXNet knows axis 0 only",
    "_adamw_update": "leaves the gradient as it is; MXNet 1.9.1 writes the rescaled and clipped one over it",
    "_contrib_BatchNormWithReLU": "has a gradient in prediction, where that of MXNet 1.9.1 is left to chance",
    "khatri_rao, _contrib_fft, _contrib_ifft, _contrib_count_sketch": "have gradients, and run on a CPU, too",
    "diag": "a diagonal outside of the matrix is an error; MXNet returns an empty array",
    "_unravel_index": "its shape is (number of sizes, *data); MXNet 1.9.1 returns its input for two axes",
    "softmax, log_softmax, Activation, Pooling, sort": "nan comes through; MXNet's oneDNN kernels lose it, its sort "
    "leaves rows with a nan unsorted",
    "nansum, moments, norm": "inf stays inf; MXNet's way to sum turns it into nan",
    "softmax_cross_entropy": "a label out of range has the probability 1e-8; MXNet reads the memory beside the array",
    "Convolution, FullyConnected, dot, Pooling, Pad, CTCLoss and others (test_dtypes.py)": "take dtypes that MXNet's "
    "CPU kernels refuse; integers are computed exactly",
    "erf, erfinv, norm of integers": "the exact result, cut to an integer; MXNet cuts on the way, too",
    "_contrib_hawkesll": "refuses integers",
    "all operators": "empty arrays are fine wherever numpy takes them; MXNet reads a 0 in a shape as unknown",
    "cast_storage": "only stype='default': arrays are stored densely, also those of mx.nd.sparse",
    "Custom": "Python code runs between compiled pieces; an exception is raised as itself, not as an MXNetError later",
    "BatchNorm_v1, IdentityAttachKLSparseReg": "mx.nd takes their auxiliary states; in MXNet only executors run them",
}


def rtol(case: Case, dtype: str) -> float:
    """The relative tolerance for an array of `case` that has `dtype`."""
    for key in (case.id, case.op):
        if key in LOOSE:
            return max(LOOSE[key][0], RTOL.get(dtype, 0))
    return RTOL.get(dtype, 0)

# SPDX-License-Identifier: Apache-2.0
"""Why a public name of MXNet 1.9.1 is not here, or is here with another signature."""

from __future__ import annotations

#: Reason -> names, or patterns such as ``rnn.*``. Each is needed: no name that is there may stand here.
REASONS: dict[str, str] = {
    "plumbing between Python and a C library, which mxlite does not have": """
        base.MXCallbackList base.add_fileline_to_docstring base.build_param_doc base.c2pyerror base.c_array
        base.c_array_buf base.c_handle_array base.c_str base.c_str_array base.check_call base.ctypes2buffer
        base.ctypes2numpy_shared base.get_last_ffi_error base.mx_float_p base.classproperty base.with_metaclass
        executor.Executor.__del__ kvstore.KVStore.__del__
    """,
    "arrays, symbols and executors are made by functions; MXNet's constructors take a handle of the C library": """
        nd.NDArray nd.sparse.BaseSparseNDArray nd.sparse.CSRNDArray nd.sparse.RowSparseNDArray sym.Symbol
        executor.Executor
    """,
    "steps of MXNet's own indexing and metrics, public by accident": """
        nd.get_indexing_dispatch_code nd.get_oshape_of_gather_nd_op nd.indexing_key_expand_implicit_axes
        metric.PearsonCorrelation.update_cov metric.PearsonCorrelation.update_variance
    """,
    "gradients of operators, public by accident": """
        *contrib.backward_gradientmultiplier *contrib.backward_hawkesll *contrib.backward_index_copy
        *contrib.backward_quadratic
    """,
    "math.pi is meant": "lr_scheduler.pi",
    "its indices are required in MXNet, too, by the operator": "nd.sparse.RowSparseNDArray.retain",
    "takes its auxiliary states as arrays, too; in MXNet only an executor runs it": """
        nd.BatchNorm_v1 nd.IdentityAttachKLSparseReg sym.BatchNorm_v1 sym.IdentityAttachKLSparseReg
    """,
    "takes size=, the number of rows where it is known": "nd.contrib.boolean_mask sym.contrib.boolean_mask",
    "the sizes of a CSR matrix are told by its indices: make another one": "nd.sparse.CSRNDArray.indptr",
    "a class of each module says what it has; BaseModule has no data": """
        mod.BaseModule.data_names mod.BaseModule.data_shapes mod.BaseModule.label_shapes
        mod.BaseModule.output_names mod.BaseModule.output_shapes
    """,
    "out of scope: quantization": """
        *.quantize *.quantize_asym *.quantize_v2 *.quantized_* *.dequantize *.requantize *.calibrate_entropy
        contrib.quantization.*
    """,
    "out of scope: graphs as sparse matrices (DGL), and other operators on sparse arrays only": """
        *.dgl_adjacency *.dgl_csr_neighbor_non_uniform_sample *.dgl_csr_neighbor_uniform_sample
        *.dgl_graph_compact *.dgl_subgraph *.edge_id *.getnnz *.SparseEmbedding
    """,
    "out of scope: mx.np": """
        np npx numpy numpy_extension np_symbol numpy_dispatch_protocol numpy_op_fallback numpy_op_signature
    """,
    "kernels as CUDA source, TVM, plug-ins, tuning of configurations: XLA compiles": """
        rtc rtc.* tvmop library library.* space space.*
    """,
    "leftovers of MXNet itself: documentation, generators, Torch 7": """
        api misc ndarray_doc symbol_doc notebook th torch
    """,
    "not there yet: Gluon": """
        gluon nd.CachedOp nd.CachedOp.* test_utils.check_gluon_hybridize_consistency contrib.io.*
        contrib.amp.convert_hybrid_block
    """,
    "requests for metadata, which nothing in MXNet reads": "model.FeedForward.set_*_request",
    "it pickles without help": "model.FeedForward.__setstate__",
    "threads end with their iterator without help": "io.MXDataIter.__del__ io.PrefetchingIter.__del__",
    "not there yet: profiler": "profiler profiler.*",
    "not there yet: ONNX, text, the autograd of MXNet 0.9": """
        onnx onnx.* contrib.onnx.* contrib.text.* contrib.autograd.*
    """,
}

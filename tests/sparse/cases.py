# SPDX-License-Identifier: Apache-2.0
"""Expressions whose results MXNet 1.9.1 gave to `record.py`, and what they are made of.

They run in either library: `names(mx)` gives the names that they use.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

A = np.array([[1, 0, 2], [0, 0, 0], [0, -3.5, 0]], np.float32)
B = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.float32)


def names(mx: Any) -> dict[str, Any]:
    """c, r, d: one matrix as csr, row_sparse and dense; e: a full dense one; c2, r2: others; v, w: row and column."""
    nd = mx.nd
    sparse = nd.sparse
    c2 = np.zeros((3, 3), np.float32)
    c2[0, 1], c2[1, 1], c2[2, 1] = 1, 2, 3
    return {
        "mx": mx, "nd": nd, "S": sparse, "np": np, "A": A, "d": nd.array(A), "e": nd.array(B),
        "c": nd.array(A).tostype("csr"),
        "r": nd.array(A).tostype("row_sparse"), "c2": nd.array(c2).tostype("csr"),
        "r2": nd.array(c2 * [[0], [1], [1]]).tostype("row_sparse"), "v": nd.array([[1, 2, 3]]),
        "w": nd.array([[1], [2], [3]]), "grad": lambda f, x, **k: grad(mx, f, x, **k),
        "weight_grad": lambda f, s: weight_grad(mx, f, s), "assigned": assigned, "updated": updated,
    }  # fmt: skip


def grad(mx: Any, f: Any, x: Any, **options: Any) -> Any:
    """The gradient of f(x) for x."""
    x = x.copy()
    x.attach_grad(**options)
    with mx.autograd.record():
        y = f(x)
    y.backward()
    return x.grad


def weight_grad(mx: Any, f: Any, stype: str) -> Any:
    """The gradient of f(w) for a dense w (4, 3), in a storage."""
    w = mx.nd.array(np.arange(12).reshape(4, 3))
    w.attach_grad(stype=stype)
    with mx.autograd.record():
        y = f(w)
    y.backward()
    return w.grad


def assigned(x: Any, value: Any) -> Any:
    """A copy of x with ``x[:] = value``."""
    x = x.copy()
    x[:] = value
    return x


def updated(op: Any, weight: Any, grad: Any, *states: Any, **options: Any) -> list[Any]:
    """Weight and states after an update in place."""
    op(weight, grad, *states, out=weight, **options)
    return [weight, *states]


_UNARY = """
abs sign sqrt square negative relu sigmoid exp sin cos tan tanh sinh cosh arcsin arctan arccos ceil floor rint
round fix trunc expm1 log1p log cbrt rsqrt degrees radians zeros_like ones_like reciprocal arcsinh arctanh softmax
sum mean max norm flatten transpose BlockGrad make_loss identity
""".split()
_PAIRS = [("c", "c"), ("r", "r"), ("c", "c2"), ("r", "r2"), ("c", "r"), ("c", "e"), ("e", "c"), ("r", "e"), ("e", "r")]
_COMPARE = ("==", "!=", ">", "<", ">=", "<=")
_PARTS = """
c[0] c[1] c[-1] c[0:2] c[1:] c[:] c[-2:] c[0:10] r[:] c[3] c[-4] c[2:1] c[0:3:2] c[0,1] c[[0,1]] c[None] c[...]
r[0,1] r[[0,1]] c.T c.reshape((9,)) c.asscalar() bool(c) c.size c.slice(begin=(1,),end=(3,))
nd.slice(c,begin=(0,1),end=(2,3)) nd.slice(c,begin=(-2,None),end=(None,-1))
c.slice(begin=(0,0),end=(3,3),step=(2,1)) nd.slice(r,begin=(0,1),end=(2,3)) c.slice_axis(axis=0,begin=0,end=1)
nd.take(c,nd.array([0,2])) nd.take(c,nd.array([0,5]),mode='wrap') nd.take(r,nd.array([0,2])) c.copy() r.copy()
c.astype('float64') r.astype('int32') c.astype('int32') nd.cast(c,'float64') c.clip(-1,1) r.clip(-1,1)
nd.concat(c,c2,dim=0) nd.concat(c,c2,dim=1) nd.concat(c,d,dim=0) nd.concat(r,r,dim=0) nd.add_n(r,r2,r)
nd.add_n(c,c) nd.add_n(r,d) nd.where(c,d,e) nd.where(d,c,r) c.tostype('default') r.tostype('default')
d.tostype('csr') d.tostype('row_sparse') c.tostype('row_sparse') r.tostype('csr') c.tostype('foo')
nd.ones((2,2,2)).tostype('csr') nd.ones((2,2,2)).tostype('row_sparse') nd.array([0,1,2]).tostype('row_sparse')
nd.cast_storage(d,stype='csr') nd.cast_storage(c,stype='default') nd.cast_storage(c,stype='row_sparse')
nd.array([[np.nan,-0.0]]).tostype('csr') S.retain(r,nd.array([2,0])) S.retain(r,nd.array([2,2]))
S.retain(c,nd.array([2])) nd.contrib.getnnz(c) nd.contrib.getnnz(c,axis=1) nd.contrib.getnnz(c,axis=0)
nd.contrib.getnnz(r) nd.contrib.edge_id(c,nd.array([0,0,1,2]),nd.array([2,1,1,1])) nd.norm(c,ord=1)
nd.norm(r,axis=0) nd.norm(c,keepdims=True) nd.abs(c,out=nd.zeros((3,3))) nd.abs(d,out=S.zeros('csr',(3,3)))
nd.zeros((3,3),out=c.copy()) c.copyto(nd.zeros((3,3))) c.copyto(S.zeros('csr',(3,3)))
c.copyto(S.zeros('row_sparse',(3,3))) c.copyto(S.zeros('csr',(2,3))) d.copyto(S.zeros('csr',(3,3)))
d.copyto(S.zeros('row_sparse',(3,3))) c.copyto(3) r.copyto(S.zeros('row_sparse',(3,3),dtype='float64'))
assigned(c,d*2) assigned(c,c2) assigned(c,r) assigned(c,A*3) assigned(c,2) assigned(c,[1]) assigned(r,2)
assigned(r,0) assigned(r,d) assigned(r,r2) assigned(r,c) assigned(r,A*3) nd._internal._square_sum(r,axis=1)
nd._internal._square_sum(r,axis=0) nd._internal._square_sum(r,axis=1,keepdims=True) nd.sum(c.astype('float16'))
c+S.zeros('csr',(2,3)) c+c.astype('float64') c.broadcast_to((3,3)) c.expand_dims(0) c.as_nd_ndarray() c.detach()
c.as_in_context(mx.cpu(1))
""".split()
_MADE = """
S.csr_matrix(([1,2,3],[1,0,2],[0,1,2,2,3]),shape=(4,3)) S.csr_matrix(([1,2,3],[1,0,2],[0,1,2,2,3]))
S.csr_matrix((np.array([1,2,3]),[1,0,2],[0,1,2,2,3]),dtype='float16')
S.csr_matrix((np.array([1,2,3],'int32'),[1,0,2],[0,1,2,2,3]))
S.csr_matrix(([1.,2,3],([0,1,3],[1,0,2])),shape=(4,3)) S.csr_matrix(([1.,2,3],([0,0,3],[1,1,2])))
S.csr_matrix(([1.,2,3],([3,0,0],[1,2,1]))) S.csr_matrix(A) S.csr_matrix(A.astype('float64'))
S.csr_matrix([[1,0],[0,2]]) S.csr_matrix(d) S.csr_matrix((3,4)) S.csr_matrix((3,4),dtype='int8') S.csr_matrix(c)
S.csr_matrix(c,dtype='float64') S.csr_matrix(r) S.csr_matrix(A,shape=(2,2)) S.csr_matrix([1,2,3])
S.csr_matrix((1,2,3,4)) S.csr_matrix(None) S.csr_matrix('a')
S.csr_matrix(([1.],[5],[0,1]),shape=(1,3)).check_format() S.csr_matrix(([[1.]],[1],[0,1]))
S.csr_matrix(([1.,2.],[2,0],[0,2]),shape=(1,3)).check_format()
S.csr_matrix(([1.,2.],[2,2],[0,2]),shape=(1,3)).check_format()
S.csr_matrix(([1.],[1],[0,1,1]),shape=(1,3)).check_format()
S.csr_matrix(([1.],[1],[1,1]),shape=(1,3)).check_format() S.csr_matrix(([1.,2],[1],[0,1]),shape=(1,3))
S.csr_matrix(([1.],[5],[0,1]),shape=(1,3)).check_format(full_check=False)
S.row_sparse_array(([[1,2],[3,4]],[1,4]),shape=(6,2)) S.row_sparse_array(([[1,2],[3,4]],[1,4]))
S.row_sparse_array(A) S.row_sparse_array([[1,0],[0,0],[0,3]]) S.row_sparse_array((3,4))
S.row_sparse_array((3,4,2)) S.row_sparse_array(r) S.row_sparse_array(r,dtype='float64')
S.row_sparse_array((np.ones((1,2),'int32'),[1]),shape=(3,2)) S.row_sparse_array(c)
S.row_sparse_array(([[1.,2]],[5]),shape=(3,2)).check_format()
S.row_sparse_array(([[1.,2],[3,4]],[2,0]),shape=(3,2)).check_format()
S.row_sparse_array(([[1.,2],[3,4]],[2,0]),shape=(3,2)) S.row_sparse_array(([[1.,2],[3,4]],[1]),shape=(3,2))
S.row_sparse_array(([[1.,2,3]],[1]),shape=(3,2)) S.row_sparse_array(([1.,2],[0,3]),shape=(5,))
S.row_sparse_array(A,shape=(2,2)) S.row_sparse_array(None) S.array(c) S.array(c,dtype='float64') S.array(r)
S.array(A) S.array(d) nd.array(c) nd.array(r,dtype='int32') nd.zeros((2,3),stype='csr')
nd.zeros((2,3),stype='row_sparse',dtype='int32') nd.empty((2,3),stype='csr') S.empty('row_sparse',(2,3))
S.zeros('foo',(2,3)) S.zeros('row_sparse',3) S.zeros('csr',(3,2,2)) S.zeros('default',(2,2)) c.check_format()
r.check_format()
""".split()
_GRADIENTS = [
    *(f"grad(lambda x: {f}, {x})" for x, f in product(
        "rc", ("nd.square(x)", "nd.sum(nd.square(x))", "x*2", "x+x", "nd.exp(x)",
               "x.tostype('default')", "x*e", "nd.dot(x,e)",
               "nd.dot(e,x)", "nd.sum(x,axis=1)", "nd.clip(x,-1,1)"))),
    "grad(lambda x: nd._internal._square_sum(x,axis=1,keepdims=True), r)",
    "grad(lambda x: nd.dot(c,x), e)", "grad(lambda x: nd.dot(c,x), e, stype='row_sparse')",
    "grad(lambda x: nd.dot(c,x,transpose_a=True), e)",
    "grad(lambda x: nd.dot(c,x,transpose_a=True), e, stype='row_sparse')",
    "grad(lambda x: nd.dot(c,x,transpose_a=True), r)", "grad(lambda x: x*w, e, stype='row_sparse')",
    "grad(lambda x: x.tostype('row_sparse'), e)",
    "weight_grad(lambda w: nd.Embedding(nd.array([1,3,1]),w,input_dim=4,output_dim=3,sparse_grad=True), 'row_sparse')",
    "weight_grad(lambda w: nd.Embedding(nd.array([[1,9]]),w,input_dim=4,output_dim=3,sparse_grad=True), 'row_sparse')",
]  # fmt: skip
_UPDATE_FORMS: list[str] = [
    f"updated({op}, {w}, r2, {', '.join(states)}{', ' if states else ''}lr=.1, wd={wd}, {more})"
    for w in ("e.copy()", "e.tostype('row_sparse')")
    for op, states, wd, more in (
        ("S.sgd_update", (), .1, "rescale_grad=.5"), ("S.sgd_update", (), .1, "clip_gradient=.7, lazy_update=False"),
        ("S.sgd_mom_update", ("{z}",), .1, "momentum=.9"), ("S.adam_update", ("{z}", "{z}"), .1, "clip_gradient=1.5"),
        ("S.adagrad_update", ("{z}",), 0, "epsilon=1e-5"), ("S.ftrl_update", ("{z}", "{z}"), .1, "lamda1=.05"),
    )
]  # fmt: skip
_UPDATES = [
    u.replace("{z}", "S.zeros('row_sparse',(3,3))" if "tostype" in u else "nd.zeros((3,3))") for u in _UPDATE_FORMS
]

EXPRESSIONS: dict[str, Sequence[str]] = {
    "unary": [f"nd.{f}({x})" for i, f in enumerate(_UNARY) for x in "cr" if x == "c" or i % 3 == 0],
    "binary": [f"{a}{o}{b}" for (a, b), o in product(_PAIRS, ("+", "-", "*", "/", "**", "=="))],
    "scalars": [
        *(f"{x}{o}{s}" for x, o, s in product("cr", ("+", "-", "*", "/", "%", "**", *_COMPARE), ("2", "0.", "-1.5"))),
        *(f"{s}{o}{x}" for x, o, s in product("cr", ("+", "-", "*", "/", "**"), ("2", "0."))),
    ],
    "broadcast": [
        *(f"nd.broadcast_{o}({x},{y})" for o, x, y in product(("add", "sub", "mul", "div"), "cr", "vw")),
        *(f"nd.elemwise_{o}({x},{y})" for o, (x, y) in product(("add", "sub", "mul", "div"), _PAIRS)),
    ],
    "dot": [
        *(
            f"nd.dot({a},{b},transpose_a={ta},transpose_b={tb}{f})"
            for (a, b), ta, tb, f in product(
                (("c", "e"), ("r", "e"), ("e", "c"), ("e", "r")), (False, True), (False, True),
                ("", ",forward_stype='default'", ",forward_stype='csr'", ",forward_stype='row_sparse'"),
            )
        ),
        "nd.dot(c,r)", "nd.dot(c,r,transpose_a=True)", "nd.dot(e,e,forward_stype='csr')", "nd.dot(c,nd.ones((2,2)))",
        "nd.dot(c,nd.ones(3))",
        "nd.dot(c,nd.ones((3,2),dtype='float64'))",
    ],
    "reductions": [
        f"nd.{f}({x},axis={a},keepdims={k})" for f, x, a, k in product(
            ("sum", "mean"), "cr", ("()", 0, 1, (0, 1), -1), (0, 1)
        )
    ],
    "parts": _PARTS,
    "creation": _MADE,
    "gradients": _GRADIENTS,
    "updates": _UPDATES,
}  # fmt: skip

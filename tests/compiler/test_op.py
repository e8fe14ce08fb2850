# SPDX-License-Identifier: Apache-2.0
"""The operator definition: schema from the signature, inference, checks, gradient rules, registration."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mxlite_compiler.ops  # noqa: F401 - registers the operators
from mxlite_compiler.errors import Mismatch, MXNetError
from mxlite_compiler.op import OPS, Mode, Op, get_op, op, register_op
from mxlite_compiler.params import Range, Shape, describe


def _affine(data, weight, bias=None, *, num_hidden: int, no_bias: bool = False, scale: float = 1.0):
    y = data @ weight.T * scale
    return y if no_bias else y + bias


@pytest.fixture
def affine() -> Op:
    return Op(
        "affine", _affine, shapes="n k, num_hidden k, num_hidden -> n num_hidden", drop={"bias": lambda p: p.no_bias}
    )


@pytest.fixture
def clean_ops() -> Iterator[None]:
    before = dict(OPS)
    yield
    OPS.clear()
    OPS.update(before)


def test_schema(affine: Op):
    assert affine.arrays == ("data", "weight", "bias")
    assert affine.param_types == {"num_hidden": int, "no_bias": bool, "scale": float}
    p = affine.bind({"num_hidden": "4"})
    assert (p.num_hidden, p.no_bias, p.scale) == (4, False, 1.0)
    assert p == affine.bind({"num_hidden": 4})
    assert hash(p) == hash(affine.bind({"num_hidden": 4.0}))
    assert affine.inputs(p) == ("data", "weight", "bias")
    assert affine.inputs(affine.bind({"num_hidden": 4, "no_bias": "True"})) == ("data", "weight")
    assert affine.outputs(p) == ("output",)
    assert affine.visible(p) == 1


@pytest.mark.parametrize(
    ("attrs", "says"),
    [
        ({}, r"affine \(node 'fc1'\): required parameter num_hidden is missing"),
        ({"num_hiden": 4}, "no parameter 'num_hiden'; did you mean 'num_hidden'"),
        ({"num_hidden": 4, "zzz": 1}, "parameters are: num_hidden, no_bias, scale"),
        ({"num_hidden": "x"}, "parameter num_hidden='x' must be an integer"),
    ],
)
def test_bind_mistakes(affine: Op, attrs: dict[str, Any], says: str):
    with pytest.raises(MXNetError, match=says):
        affine.bind(attrs, "fc1")


def test_range_is_checked():
    def kernel(data, *, p: Annotated[float, Range(0, 1)] = 0.5):
        return data

    with pytest.raises(MXNetError, match=r"parameter p=2 must be between 0 and 1"):
        Op("drop", kernel, shapes="*s -> *s").bind({"p": 2})


def test_inference_drops_inputs(affine: Op):
    p = affine.bind({"num_hidden": 4, "no_bias": True})
    assert affine.rule(p) == "n k, num_hidden k-> n num_hidden"
    assert affine.infer_shape(p, [(2, 3), None], [None]) == ([(2, 3), (4, 3)], [(2, 4)])
    assert affine.infer_dtype(p, ["float16", None], [None]) == (["float16", "float16"], ["float16"])


def test_shape_error_names_everything(affine: Op):
    with pytest.raises(MXNetError) as e:
        affine.infer_shape(affine.bind({"num_hidden": 4}), [(2, 3), (4, 5), None], [None], "fc1")
    for part in (
        "affine (node 'fc1')",
        "axis 1 of data and axis 1 of weight cannot be both 3 and 5",
        "data=(2, 3), weight=(4, 5)",
        "rule: n k, num_hidden k",
    ):
        assert part in str(e.value)


def test_dtype_error_says_what_to_do(affine: Op):
    with pytest.raises(MXNetError, match="cannot be both float32 and float64") as e:
        affine.infer_dtype(affine.bind({"num_hidden": 4}), ["float32", "float64", None], [None])
    assert "astype" in str(e.value)


def test_apply_checks_and_runs(affine: Op):
    p = affine.bind({"num_hidden": 4, "scale": 2})
    x, w, b = jnp.ones((2, 3)), jnp.ones((4, 3)), jnp.ones(4)
    (y,), written = affine.apply(p, x, w, b)
    np.testing.assert_array_equal(y, np.full((2, 4), 7.0))
    assert written == ()
    with pytest.raises(MXNetError, match="axis 1 of data and axis 1 of weight cannot be both"):
        affine.apply(p, x, jnp.ones((4, 5)), b)
    with pytest.raises(MXNetError, match="cannot be both"):
        affine.apply(p, x, w, jnp.ones(4, jnp.float16))


def test_variadic_inputs():
    def kernel(*data, num_args: int):
        return sum(data)

    total = Op("total", kernel, shapes=lambda p: ", ".join(["*s"] * p.num_args) + " -> *s")
    p = total.bind({"num_args": 3})
    assert total.inputs(p) == ("arg0", "arg1", "arg2")
    assert total.infer_shape(p, [None, (2,), None], [None]) == ([(2,)] * 3, [(2,)])
    np.testing.assert_array_equal(total.apply(p, *[jnp.ones(2)] * 3)[0][0], [3, 3])


def test_mode_reaches_the_kernel_and_is_no_parameter():
    def kernel(data, *, mode: str = "a", env: Mode):
        return data + 1 if env.train else data

    new = Op("modal", kernel, shapes="*s -> *s")
    assert list(new.param_types) == ["mode"]
    p = new.bind({"mode": "b"})
    assert new.apply(p, jnp.zeros(1), mode=Mode(True))[0][0][0] == 1
    assert new.apply(p, jnp.zeros(1))[0][0][0] == 0


def test_written_inputs():
    def kernel(data, state):
        return data + state, (state + 1,)

    new = Op("count", kernel, shapes="*s, *s -> *s", aux=("state",))
    p = new.bind({})
    assert new.aux_states(p) == ("state",)
    assert new.mutates(p) == ("state",)
    (y,), (state,) = new.apply(p, jnp.ones(2), jnp.ones(2))
    np.testing.assert_array_equal([y, state], [[2, 2], [2, 2]])


def test_gradient_rule_replaces_jaxs():
    def kernel(data, index, *, k: float = 3.0):
        return data * 2

    new = Op("fake", kernel, shapes="*s, *s -> *s", dtypes="t, i -> t")
    new.grad(lambda p, g, data, index, out: (g * p.k, None))
    p = new.bind({"k": 5})
    index = jnp.zeros(2, jnp.int32)
    y, pull = jax.vjp(lambda x: new.apply(p, x, index)[0][0], jnp.ones(2))
    np.testing.assert_array_equal(y, [2, 2])
    np.testing.assert_array_equal(pull(jnp.ones(2))[0], [5, 5])
    # An integer input takes part; its gradient is JAX's nothing.
    _, pull = jax.vjp(lambda x, i: new.apply(p, x, i)[0][0], jnp.ones(2), index)
    assert pull(jnp.ones(2))[1].dtype == jax.dtypes.float0


def test_gradient_of_several_outputs_and_none():
    def kernel(data):
        return data, data * 2

    new = Op("two", kernel, shapes="*s -> *s, *s", outputs=("a", "b"), visible=lambda p: 1)
    new.grad(lambda p, g, data, out: (g[0] + 10 * g[1],))
    p = new.bind({})
    assert new.visible(p) == 1
    _, pull = jax.vjp(lambda x: new.apply(p, x)[0], jnp.ones(2))
    np.testing.assert_array_equal(pull((jnp.ones(2), jnp.ones(2)))[0], [11, 11])
    new.grad(lambda p, g, data, out: None)
    _, pull = jax.vjp(lambda x: new.apply(p, x)[0], jnp.ones(2))
    np.testing.assert_array_equal(pull((jnp.ones(2), jnp.ones(2)))[0], [0, 0])


def test_gradient_keeps_the_dtype_of_the_input():
    def kernel(data):
        return data.astype(jnp.float32)

    new = Op("widen", kernel, shapes="*s -> *s", dtypes="a -> float32")
    new.grad(lambda p, g, data, out: (g,))
    _, pull = jax.vjp(lambda x: new.apply(new.bind({}), x)[0][0], jnp.ones(2, jnp.float16))
    assert pull(jnp.ones(2, jnp.float32))[0].dtype == jnp.float16


def test_inference_functions():
    def kernel(data, *, shape: Shape = ()):
        return jnp.zeros(shape)

    new = Op("shaped", kernel)

    @new.infer
    def _(p: Any, ins: Any, outs: Any) -> Any:
        if not p.shape:
            raise Mismatch("shape is missing")
        return ins, [p.shape]

    new.infer_dtypes(lambda p, ins, outs: (ins, ["float32"]))
    assert new.rule(new.bind({})) == ""
    assert new.infer_shape(new.bind({"shape": 3}), [None], [None]) == ([None], [(3,)])
    assert new.infer_dtype(new.bind({"shape": 3}), ["int8"], [None]) == (["int8"], ["float32"])
    with pytest.raises(MXNetError, match=r"shaped \(node 'n'\): shape is missing"):
        new.infer_shape(new.bind({}), [None], [None], "n")


@pytest.mark.usefixtures("clean_ops")
def test_registration():
    @op("TestOnly", "*s -> *s", alias=("test_only",))
    def new(data):
        return data

    assert OPS["TestOnly"] is OPS["test_only"] is new
    with pytest.raises(MXNetError, match="registered twice"):
        register_op(Op("Another", _affine, alias=("test_only",)))
    assert "Another" not in OPS


def test_get_op():
    assert get_op("elemwise_add").name == get_op("_plus").name == "elemwise_add"
    with pytest.raises(MXNetError, match=r"'elemwise_ad' is not in mxlite; did you mean 'elemwise_add'"):
        get_op("elemwise_ad")


ALL = sorted({o.name: o for o in OPS.values()}.values(), key=lambda o: o.name)


@pytest.mark.parametrize("new", ALL, ids=lambda o: o.name)
def test_every_operator_is_documented(new: Op):
    doc = inspect.getdoc(new.kernel)
    assert doc
    assert len(doc.splitlines()[0]) <= 120
    for name, hint in new.param_types.items():
        assert describe(hint), name
    for name in new.dynamic:
        default = next(f.default for f in new.params.__dataclass_fields__.values() if f.name == name)
        assert not isinstance(default, str)
    hash(new.params)

# SPDX-License-Identifier: Apache-2.0
"""Short calls of the Symbol API that are answered both by mxlite and by MXNet 1.9.1 (Python 3.8).

An answer is what the call gives, in plain data, or the class of the error that it raises.
"""

import copy
import json
import pickle

import numpy as np

#: What the calls are about: `a`, `b`, `c` are variables, `fc`, `split`, `plus` and `group` stand on them.
CALLS = """
plus(a=c)
plus(zz=c)
plus(zz=c, a=c)
plus(c)
plus(a=plus)
plus(a=c, name="k")
plus(a=c, name="")
plus(a=S.split(c, num_outputs=2))
plus(a=S.Group([c]))
plus(a=3)
plus(3)
plus(a, b=c)
a(a=b)
S.Group([plus, a])(a=c)
S.Group([a, plus])(a=c)
S.Group([plus, a])(a=c, name="q")
S.Group([a, plus])(a=c, name="q")
S.Group([plus, a])(c)
S.Group([plus, c])(c=a)
S.BatchNorm(a, name="bn")(bn_moving_mean=c)
S.BatchNorm(a, name="bn")(bn_moving_mean=c + 1)
under(mx.name.Prefix("z_"), lambda: plus(a=c))
under(mx.AttrScope(__q__="1"), lambda: plus(a=c).attr_dict())
S.zeros((2,)).debug_str()
S.Group([S.zeros((2,)), a]).debug_str()
(S.zeros((2,)) + 1).debug_str()
S.Group([a, a]).debug_str()
split[0:2]
split[:]
split[1:]
split[::2]
split[0:0]
split[0:5]
split[-1:]
split[::-1]
split[-5:1]
split[1.0]
split[None]
split[True]
split[-1]
split[2]
split["split_output1"]
split["x"]
split["a":"b"]
group[-1:]
group[:-1]
group[0:2]
group["a"]
S.Group([a, a])["a"]
a[0]
a[1]
S.relu(a, __lr_mult__="1", lr_mult="2").list_attr()
S.relu(a, lr_mult="2", __lr_mult__="1").list_attr()
S.relu(a, attr={"__lr_mult__": "2", "lr_mult": "1"}).list_attr()
S.relu(a, lr_mult="kw", attr={"lr_mult": "attr"}).list_attr()
S.relu(a, lr_mult="kw", attr={"__lr_mult__": "attr"}).list_attr()
S.var("v", attr={"lr_mult": "1", "__lr_mult__": "2"}).list_attr()
S.var("v", attr={"__lr_mult__": "2", "lr_mult": "1"}).list_attr()
S.var("v", lr_mult=2, __lr_mult__=3).list_attr()
S.var("v", shape=(2,), __shape__=(3,), attr={"__shape__": "(4,)"}).list_attr()
under(mx.AttrScope(lr_mult="scope"), lambda: S.relu(a, __lr_mult__="kw").list_attr())
under(mx.AttrScope(__lr_mult__="scope"), lambda: S.relu(a, lr_mult="kw").list_attr())
under(mx.AttrScope(__lr_mult__="scope"), lambda: S.relu(a, attr={"lr_mult": "attr"}).list_attr())
under(mx.AttrScope(lr_mult="scope"), lambda: S.relu(a, attr={"__lr_mult__": "attr"}).list_attr())
under(mx.AttrScope(__lr_mult__="scope"), lambda: S.relu(a, lr_mult="kw", attr={"lr_mult": "attr"}).list_attr())
under(mx.AttrScope(lr_mult="scope"), lambda: S.var("v", lr_mult=3).list_attr())
under(mx.AttrScope(__lr_mult__="scope"), lambda: S.var("v", lr_mult=3, attr={"lr_mult": "attr"}).list_attr())
under(mx.AttrScope(num_hidden="7"), lambda: S.FullyConnected(a, num_hidden=3, name="f").attr_dict())
under(mx.AttrScope(foo="7"), lambda: S.FullyConnected(a, num_hidden=3))
under(mx.AttrScope(foo="7"), lambda: S.relu(a, name="r").list_attr())
under(mx.AttrScope(weight_lr_mult="7"), lambda: S.FullyConnected(a, num_hidden=3))
S.relu(a, foo=3, name="r").tojson()
S.load_json(S.relu(a, foo=3, name="r").tojson()).list_attr()
S.elemwise_add(a, b, bar="1").list_attr()
S.FullyConnected(a, num_hidden=3, attr={"foo": "3"})
S.FullyConnected(a, num_hidden=3, attr={"num_hidden": "4"}).list_attr()
S.relu(a, attr={"__foo__": 3}).list_attr()
S.relu(a, attr=[("__foo__", "3")]).list_attr()
S.var("v", attr={"__foo__": 3})
S.var("v", attr={"k": 1}, dtype="bad")
S.var("v", foo=1)
S.var("v", stype="bad")
S.var(3)
[fc.attr(k) for k in ("name", "num_hidden", "lr_mult", "no_bias")]
[group.attr("name"), group.attr("num_hidden"), split.attr("num_outputs")]
S.Group([S.var("w", attr={"a": "1", "b": "2"}), S.var("w", attr={"b": "3", "wd_mult": "1"})]).attr_dict()
changed(fc, name="other", __mood__="good")
changed(a, name="other", num_hidden="3")
changed(group, __a__="1")
changed(fc, __a__=1)
changed(fc, nothing="1")
changed(fc, weight_lr_mult="1")
S.Group([fc + 1, a, fc * 2]).get_children().list_outputs()
S.BatchNorm(fc, name="bn").get_children().list_outputs()
S.Group([a, a]).get_children()
S.zeros((2,)).get_children()
S.Group([fc + 1, fc + 1]).get_children().list_outputs()
[S.Group([fc, fc]).name, S.Group([fc, a]).name, split.name, split[1].name]
[repr(S.Group([fc, fc])), repr(split), repr(group), repr(group.get_internals())]
[x.name for x in group]
[len(x) for x in (a, split, group)]
S.Group([])
S.Group([None])
S.Group([a], create_fn=lambda handle: "made")
a == None
a + "x"
a + None
a + [1]
[1] - a
1 + split
-S.Group([a, a])
a @ b
a // 2
a & b
bool(a)
hash(a)
a.__nonzero__()
a.__idiv__(b)
a.__iadd__(1)
a.asnumpy()
a.as_nd_ndarray()
fc.gradient(["a"])
fc.get_backend_symbol("no such backend")
fc.optimize_for(3)
fc.optimize_for("XLA", [1, 2])
fc.list_attr(recursive=True)
sorted(fc.__getstate__())
fc.__getstate__()["handle"]
pickle.loads(pickle.dumps(fc)).debug_str()
copy.deepcopy(group).debug_str()
S.load_json("{}")
S.load(None)
fc.save(None)
S.random.uniform(1, a)
S.random.uniform("x", a)
S.random.uniform(a, b, shape=2).tojson()
S.random.randn(2, 3, loc=1, scale=2, dtype="float16").tojson()
S.Activation(a, "relu", "named", {"__k__": "1"}).list_attr()
S.FullyConnected(a, None, None, 3, True, name="f").tojson()
S.relu([a])
S.relu(a, data=b)
S.Concat(a, "x")
S.eye(N=3, dtype=np.int32).tojson()
S.arange(3, step=2, name="q", dtype="int64").tojson()
S.full((2,), np.float32(3.5), dtype="int32").tojson()
S.linspace(0, 1, 3, endpoint=False, name="l").tojson()
S.split_v2(a, (1, 3), axis=1).list_outputs()
S.split_v2(a, 1.5)
[S.pow(2, 3), S.maximum(1, 2), S.hypot(3, 4)]
S.maximum(a, "x")
S.histogram(a)
S.cast(a, float).list_attr()
mx.name.Prefix("p_").get(None, "x")
mx.AttrScope(x="1").get({"x": "2", "y": "3"})
mx.AttrScope(x="1").get(None)
mx.AttrScope(x=3)
(S.var("v", shape=(2, 0)) + 1).infer_shape_partial(v=(2, 3))
(S.var("v", shape=(2, 3)) + 1).infer_shape_partial(v=(0, 3))
(S.var("v", shape=(2, 3)) + 1).infer_shape_partial(v=(0,))
(S.var("v", shape=(2, 0)) + 1).infer_shape_partial(v=(4, 5))
types(S.slice_like(a, b).infer_type(a="float16", b="int32"))
types(S.broadcast_like(a, b).infer_type(a="float16", b="int32"))
types(S.reshape_like(a, b).infer_type(a="float16", b="int32"))
""".strip().split("\n")


def under(scope, call):
    with scope:
        return call()


def changed(symbol, **attributes):
    symbol._set_attr(**attributes)
    return symbol


def types(parts):
    return [[np.dtype(t).name for t in part] for part in parts]


def answer(mx, call):
    """What `call` gives, or what it raises."""
    with mx.name.NameManager():
        S = mx.sym
        a, b, c = S.var("a"), S.var("b"), S.var("c")
        plus, split = a + b, S.split(a, num_outputs=2, name="split")
        fc = S.FullyConnected(a, num_hidden=3, name="fc")
        names = {"S": S, "mx": mx, "np": np, "copy": copy, "pickle": pickle}
        names.update(under=under, changed=changed, types=types, a=a, b=b, c=c, plus=plus, split=split, fc=fc)
        names["group"] = S.Group([a, plus, split])
        try:
            found = eval(call, names)
        except Exception as e:  # noqa: BLE001 - which error it is, is the answer
            return {"raises": type(e).__name__}
        return {"gives": json.loads(json.dumps(_plain(mx, found)))}


def _plain(mx, found):
    if isinstance(found, mx.sym.Symbol):
        return [repr(found), found.list_outputs(), found.list_arguments(), found.attr_dict()]
    return found

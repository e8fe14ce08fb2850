# SPDX-License-Identifier: Apache-2.0
"""Symbol programs that are run both by mxlite and by MXNet 1.9.1.

Each function takes the package (`mxlite` or `mxnet`) and returns a symbol. The file must run on Python 3.8 with
nothing but numpy beside the package, because the recorded MXNet runs there.
"""

import numpy as np

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


@program
def variable(mx):
    return mx.sym.Variable("data")


@program
def variable_options(mx):
    return mx.sym.var(
        "v",
        shape=(2, 3),
        lr_mult=1,
        wd_mult=0.5,
        dtype="float16",
        init="zeros",
        stype="default",
        __foo__="x",
        attr={"a": "b"},
    )


@program
def variable_shapes(mx):
    a = mx.sym.var("a", shape=[2, 0], dtype=np.float64)
    b = mx.sym.var("b", shape=3, dtype="int")
    c = mx.sym.var("c", stype="row_sparse", __number__=3)
    return mx.sym.Group([a, b, c])


@program
def arithmetic(mx):
    a, b = mx.sym.var("a"), mx.sym.var("b")
    return mx.sym.Group([a + b, a - b, a * b, a / b, a % b, a**b, -a, abs(a)])


@program
def comparisons(mx):
    a, b = mx.sym.var("a"), mx.sym.var("b")
    both = [a == b, a != b, a > b, a >= b, a < b, a <= b]
    return mx.sym.Group([*both, a == 1, a != 1.5, a > 2, a >= 3, a < 4, a <= 5, a < 6])


@program
def scalars(mx):
    a = mx.sym.var("a")
    right = [a + 1, a - 1.5, a * 1e-5, a / 3, a % 2, a**2, a + 10**20, a * float("inf")]
    left = [1 + a, 1 - a, 2 * a, 2 / a, 3 % a, 2**a]
    return mx.sym.Group(right + left)


@program
def numpy_scalars(mx):
    a = mx.sym.var("a")
    return mx.sym.Group(
        [a + np.float32(1.1), a * np.float64(1e-5), a + np.int64(3), np.float32(2) * a, a > np.float32(0.3)]
    )


@program
def scalar_functions(mx):
    a, b = mx.sym.var("a"), mx.sym.var("b")
    s = mx.sym
    return s.Group(
        [
            s.maximum(a, b),
            s.maximum(a, 2),
            s.maximum(2.5, b),
            s.minimum(a, 3),
            s.minimum(3, a),
            s.hypot(a, b),
            s.hypot(3, b),
            s.hypot(a, 4),
            s.pow(a, b),
            s.power(a, 2),
            s.pow(2, b),
        ]
    )


@program
def mlp(mx):
    net = mx.sym.Variable("data")
    net = mx.sym.FullyConnected(net, name="fc1", num_hidden=128)
    net = mx.sym.Activation(net, name="relu1", act_type="relu")
    net = mx.sym.FullyConnected(net, name="fc2", num_hidden=10)
    return mx.sym.SoftmaxOutput(net, name="softmax")


@program
def automatic_names(mx):
    net = mx.sym.Variable("data")
    for width in (8, 4):
        net = mx.sym.FullyConnected(net, num_hidden=width)
        net = mx.sym.Activation(net, act_type="tanh") + 1
    return mx.sym.SoftmaxOutput(mx.sym.flatten(net))


@program
def lenet(mx):
    net = mx.sym.Variable("data")
    for i, filters in enumerate((20, 50)):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=f"conv{i}")
        net = mx.sym.Activation(net, act_type="tanh")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2))
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=500)
    net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type="tanh"), num_hidden=10)
    return mx.sym.SoftmaxOutput(net, name="softmax")


@program
def convolution_texts(mx):
    x = mx.sym.Variable("x")
    return mx.sym.Convolution(
        x, kernel=[3, 3], num_filter=np.int64(4), pad=(np.int32(1), 1), no_bias=1, layout="NCHW", dilate=(1, 1)
    )


@program
def none_texts(mx):
    x = mx.sym.Variable("x")
    return mx.sym.Group(
        [mx.sym.sum(x, axis=None, keepdims=True), mx.sym.softmax(x, axis=1, temperature=None, dtype=None)]
    )


@program
def casts(mx):
    x = mx.sym.Variable("x")
    c = mx.sym.Cast
    return mx.sym.Group(
        [c(x, dtype=np.float16), c(x, dtype="uint8"), x.astype(np.int32), mx.sym.cast(x, dtype=np.dtype("float64"))]
    )


@program
def batch_norm(mx):
    net = mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn", fix_gamma=False, momentum=0.9, eps=2e-5)
    return mx.sym.BatchNorm(net)


@program
def batch_norm_outputs(mx):
    return mx.sym.BatchNorm(mx.sym.Variable("data"), name="bn", output_mean_var=True)


@program
def batch_norm_own_states(mx):
    mean = mx.sym.Variable("m")
    first = mx.sym.BatchNorm(mx.sym.Variable("x"), moving_mean=mean, name="a")
    second = mx.sym.BatchNorm(first, moving_mean=mean, name="b")
    return mx.sym.Group([second, mean + 1])


@program
def batch_norm_init(mx):
    own = mx.sym.Variable("var", init="uniform")
    return mx.sym.BatchNorm(mx.sym.Variable("x"), moving_var=own, name="bn", lr_mult="3")


@program
def prelu(mx):
    x = mx.sym.Variable("x")
    first = mx.sym.LeakyReLU(x, act_type="prelu", name="p")
    second = mx.sym.LeakyReLU(x, gamma=mx.sym.Variable("own"), act_type="prelu", name="q")
    return mx.sym.Group([first, second, mx.sym.LeakyReLU(x, slope=0.1)])


@program
def residual_unit(mx):
    data = mx.sym.Variable("data")
    bn = mx.sym.BatchNorm(data, fix_gamma=False, eps=2e-5, name="u_bn1")
    act = mx.sym.Activation(bn, act_type="relu", name="u_relu1")
    conv = mx.sym.Convolution(act, num_filter=8, kernel=(3, 3), stride=(1, 1), pad=(1, 1), no_bias=True, name="u_conv1")
    shortcut = mx.sym.Convolution(act, num_filter=8, kernel=(1, 1), no_bias=True, name="u_sc")
    return conv + shortcut


@program
def prefix(mx):
    with mx.name.Prefix("p_"):
        x = mx.sym.Variable("x")
        net = mx.sym.FullyConnected(x, num_hidden=10, name="fc")
        net = mx.sym.BatchNorm(mx.sym.Activation(net, act_type="relu"))
    return net


@program
def nested_prefixes(mx):
    x = mx.sym.Variable("x")
    with mx.name.Prefix("a_"):
        with mx.name.Prefix("b_"):
            inner = mx.sym.relu(x)
        outer = mx.sym.relu(x)
    return mx.sym.Group([inner, outer, mx.sym.relu(x)])


@program
def name_manager(mx):
    x = mx.sym.Variable("x")
    first = mx.sym.relu(x)
    with mx.name.NameManager():
        second = mx.sym.relu(x)
    return mx.sym.Group([first, second, mx.sym.relu(x), mx.sym.relu(x, name="")])


@program
def attr_scope(mx):
    x = mx.sym.Variable("x")
    with mx.AttrScope(ctx_group="dev1", lr_mult="0.1"):
        net = mx.sym.FullyConnected(x, num_hidden=10, name="fc")
        own = mx.sym.Variable("z", lr_mult=3, attr={"ctx_group": "q"})
        with mx.AttrScope(__data__="d", lr_mult="7"):
            inner = net + own
    return mx.sym.Group([inner, inner * 2])


@program
def hidden_attributes(mx):
    with mx.AttrScope(force_mirroring="True", mirror_stage="1", ctx_group="a", wd_mult="2"):
        return mx.sym.relu(mx.sym.Variable("x"))


@program
def operator_attributes(mx):
    x = mx.sym.Variable("x")
    return mx.sym.FullyConnected(x, num_hidden=10, __foo__=7, lr_mult=2, attr={"__foo__": "9", "__bar__": "4"})


@program
def set_attributes(mx):
    net = mx.sym.FullyConnected(mx.sym.Variable("x"), num_hidden=10, name="fc")
    net._set_attr(__mood__="good", lr_mult="2", num_hidden="5")
    net.get_internals()["x"]._set_attr(any_name="1")
    return net


@program
def inputs_by_keyword(mx):
    x, w, b = mx.sym.Variable("x"), mx.sym.Variable("w"), mx.sym.Variable("b")
    fc = mx.sym.FullyConnected
    nets = [
        fc(x, w, num_hidden=3),
        fc(x, bias=b, num_hidden=3),
        fc(x, w, b, 4),
        fc(num_hidden=3),
        fc(weight=w, num_hidden=3),
    ]
    return mx.sym.Group([*nets, mx.sym.Activation(act_type="relu", data=x, name="act")])


@program
def optional_inputs(mx):
    x, length = mx.sym.Variable("x"), mx.sym.Variable("l")
    return mx.sym.Group(
        [
            mx.sym.SequenceMask(x, length, use_sequence_length=True),
            mx.sym.SequenceMask(x, use_sequence_length=True),
            mx.sym.SequenceMask(x),
            mx.sym.FullyConnected(x, num_hidden=2, no_bias=True),
        ]
    )


@program
def variadic(mx):
    a, b, c = (mx.sym.Variable(n) for n in "abc")
    s = mx.sym
    return s.Group([s.concat(a, b, dim=1), s.Concat(a, b, num_args=2, name="c2"), s.stack(a, b, c), s.add_n(a, b)])


@program
def variadic_by_keyword(mx):
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    first = mx.sym.concat(arg0=a, arg1=b, dim=1, num_args=2)
    return mx.sym.Group([first, mx.sym.concat(a, b, dim=1, num_args=3), mx.sym.concat(dim=1, num_args=2)])


@program
def several_outputs(mx):
    parts = mx.sym.SliceChannel(mx.sym.Variable("x"), num_outputs=3, name="s")
    return mx.sym.Group([parts, parts[1] + parts[2], parts["s_output0"] * 2])


@program
def visible_outputs(mx):
    x = mx.sym.Variable("x")
    several = [mx.sym.topk(x, ret_typ="both"), mx.sym.LayerNorm(x, output_mean_var=True)]
    return mx.sym.Group([*several, mx.sym.L2Normalization(x), mx.sym.split(x, num_outputs=2)[1]])


@program
def internals(mx):
    net = mlp(mx)
    return mx.sym.FullyConnected(net.get_internals()["relu1_output"], num_hidden=3, name="head")


@program
def all_internals(mx):
    net = mx.sym.BatchNorm(mx.sym.split(mx.sym.Variable("x"), num_outputs=2, name="s")[0], name="bn")
    return net.get_internals()


@program
def children(mx):
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    return mx.sym.Group([a + 1, b * a]).get_children()


@program
def slices(mx):
    return mlp(mx).get_internals()[1:5]


@program
def group_of_groups(mx):
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    return mx.sym.Group([mx.sym.Group([a, b]), b, a + b])


@program
def composed(mx):
    first = mx.sym.FullyConnected(mx.sym.Variable("data"), name="fc1", num_hidden=3)
    second = mx.sym.Activation(mx.sym.Variable("data2"), act_type="relu", name="act")
    return second(data2=first, name="composed")


@program
def composed_group(mx):
    a = mx.sym.Variable("a")
    group = mx.sym.Group([a + mx.sym.Variable("b"), mx.sym.Variable("c"), a * 2])
    return group(a=mx.sym.Variable("z") + 1, c=mx.sym.Variable("zz"))


@program
def composed_without_arguments(mx):
    net = mlp(mx)
    copied = net()
    copied._set_attr(__only__="the copy")
    return mx.sym.Group([copied, net])


@program
def shared_weights(mx):
    weight, bias = mx.sym.Variable("w"), mx.sym.Variable("b")
    left = mx.sym.FullyConnected(mx.sym.Variable("left"), weight, bias, num_hidden=3, name="l")
    right = mx.sym.FullyConnected(mx.sym.Variable("right"), weight, bias, num_hidden=3, name="r")
    return left - right


@program
def same_name_twice(mx):
    return mx.sym.Variable("a") + mx.sym.Variable("a")


@program
def constants(mx):
    s = mx.sym
    made = [
        s.zeros((2, 3), dtype="int32"),
        s.zeros([2, 3]),
        s.ones(3, name="o"),
        s.ones((2,), dtype=np.float16, attr={"__a__": "b"}),
    ]
    made += [
        s.full((2,), 3.5),
        s.full((2,), 3, dtype="int32", name="f"),
        s.arange(5),
        s.arange(0, None, infer_range=True),
    ]
    return s.Group([*made, s.arange(1, 5, 2, repeat=2, name="ar", dtype="int32")])


@program
def fluent(mx):
    x = mx.sym.Variable("x")
    made = [x.reshape((2, -1)), x.reshape(shape=(2, -1)), x.sum(), x.sum(axis=1), x.mean(0, True), x.transpose((1, 0))]
    made += [
        x.slice_axis(0, 0, 1),
        x.exp(),
        x.flatten(),
        x.expand_dims(1),
        x.softmax(),
        x.astype("int32"),
        x.clip(0, 1),
    ]
    made += [x.split(num_outputs=2)[0], x.relu(), x.one_hot(depth=3), x.take(mx.sym.Variable("i")), x.swapaxes(0, 1)]
    made += [
        x.norm(),
        x.round(),
        x.flatten(inplace=True),
        x.tile((2, 3)),
        x.repeat(2),
        x.max(),
        x.argmax(axis=1),
        x.abs(),
    ]
    made += [x.ones_like(), x.topk(k=2), x.log_softmax(), x.squeeze(), x.squeeze(1), x.slice((0,), (1,)), x.sign()]
    return mx.sym.Group(made)


@program
def losses(mx):
    x = mx.sym.Variable("x")
    s = mx.sym
    made = [
        s.SoftmaxOutput(x, name="sm"),
        s.LinearRegressionOutput(x, name="lin"),
        s.LogisticRegressionOutput(x),
        s.BlockGrad(x),
    ]
    return s.Group([*made, s.MAERegressionOutput(x), s.stop_gradient(x), s.MakeLoss(x), s.make_loss(x), s.Softmax(x)])


@program
def layers(mx):
    x = mx.sym.Variable("x")
    s = mx.sym
    made = [
        s.Dropout(x, 0.3),
        s.Dropout(x, p=0.3, mode="always", axes=(0,)),
        s.Embedding(x, input_dim=3, output_dim=4, name="e"),
    ]
    made += [
        s.Deconvolution(x, kernel=(2, 2), num_filter=3),
        s.InstanceNorm(x),
        s.identity(x),
        s.Pooling(x, global_pool=True),
    ]
    return s.Group([*made, s.dot(x, mx.sym.Variable("y"), transpose_a=True), s.dot(x), s.LRN(x, nsize=5)])


@program
def unrolled_lstm(mx):
    weights = {n: mx.sym.Variable(n) for n in ("i2h_weight", "i2h_bias", "h2h_weight", "h2h_bias")}
    data = mx.sym.Embedding(mx.sym.Variable("data"), input_dim=20, output_dim=8, name="embed")
    steps = mx.sym.SliceChannel(data, num_outputs=3, axis=1, squeeze_axis=True)
    h, c = mx.sym.Variable("h0"), mx.sym.Variable("c0")
    outputs = []
    for t in range(3):
        i2h = mx.sym.FullyConnected(
            steps[t], weights["i2h_weight"], weights["i2h_bias"], num_hidden=64, name=f"t{t}_i2h"
        )
        h2h = mx.sym.FullyConnected(h, weights["h2h_weight"], weights["h2h_bias"], num_hidden=64, name=f"t{t}_h2h")
        gates = mx.sym.SliceChannel(i2h + h2h, num_outputs=4, name=f"t{t}_slice")
        i, f, o = (mx.sym.Activation(gates[k], act_type="sigmoid") for k in (0, 1, 3))
        c = f * c + i * mx.sym.Activation(gates[2], act_type="tanh")
        h = o * mx.sym.Activation(c, act_type="tanh")
        outputs.append(h)
    net = mx.sym.Concat(*outputs, dim=0)
    return mx.sym.Group(
        [mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, num_hidden=20, name="pred"), name="softmax"), h, c]
    )


@program
def more_constants(mx):
    s = mx.sym
    made = [s.eye(3), s.eye(3, 4, 1, dtype="int32", name="q"), s.linspace(0, 1, 5), s.linspace(0, 1, 5, endpoint=False)]
    return s.Group(made)


@program
def random_draws(mx):
    low, high = mx.sym.Variable("low"), mx.sym.Variable("high")
    r = mx.sym.random
    made = [r.uniform(), r.uniform(low, high, shape=2), r.normal(0, 2, shape=(3, 4), dtype="float64", name="n")]
    made += [mx.sym.random_uniform(0, 1, shape=2), mx.sym.uniform(low=0, high=1, shape=2), mx.sym.normal(shape=(2,))]
    made += [r.gamma(2, 3, shape=3), r.gamma(low, high), r.poisson(4, shape=(2,)), r.exponential(2.0), r.randint(0, 5)]
    made += [
        r.negative_binomial(3, 0.5),
        r.generalized_negative_binomial(3, 0.5, shape=2),
        r.randn(2, 3),
        r.shuffle(low),
    ]
    return mx.sym.Group([*made, r.multinomial(low), r.multinomial(low, shape=3, get_prob=False)])


@program
def cuts(mx):
    a = mx.sym.Variable("a")
    made = [mx.sym.split_v2(a, 2), mx.sym.split_v2(a, (2, 3), axis=1), a.split_v2(3)]
    return mx.sym.Group([*made, mx.sym.histogram(a, mx.sym.Variable("b")), mx.sym.histogram(a, 10, (0, 1))])


@program
def initializers(mx):
    made = [mx.sym.Variable("a", init=mx.init.One()), mx.sym.Variable("b", init=mx.init.Constant(0.5))]
    made.append(mx.sym.Variable("c", init=mx.init.Xavier(factor_type="in", magnitude=2.34)))
    return mx.sym.Group([*made, mx.sym.Variable("d", init=mx.init.Uniform(0.1))])


@program
def custom_operator(mx):
    class Prop(mx.operator.CustomOpProp):
        def __init__(self, scale="1"):
            super().__init__(need_top_grad=False)

        def list_arguments(self):
            return ["data", "label"]

        def list_outputs(self):
            return ["output", "extra"]

        def list_auxiliary_states(self):
            return ["count"]

    mx.operator.register("recorded_softmax")(Prop)
    fc = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")
    named = mx.sym.Custom(data=fc, name="softmax", op_type="recorded_softmax", scale=2)
    return mx.sym.Group([named, mx.sym.Custom(fc, mx.sym.Variable("label"), op_type="recorded_softmax")])


@program
def namespaces(mx):
    a, b = mx.sym.Variable("a"), mx.sym.Variable("b")
    i = mx.sym._internal
    made = [
        i._plus_scalar(a, scalar=3),
        i._PlusScalar(a, scalar=3, name="x"),
        i._Plus(a, b),
        i._mul(a, b),
        i._zeros(shape=(2,)),
    ]
    return mx.sym.Group([*made, mx.sym.op.relu(a), mx.sym.ElementWiseSum(a, b), mx.sym.broadcast_plus(a, b)])


@program
def reloaded(mx):
    return mx.sym.load_json(batch_norm_own_states(mx).tojson())


@program
def escaped_texts(mx):
    x = mx.sym.Variable('a "b"\\c\t', attr={"__note__": 'line\n"quoted" \\ é'})
    return mx.sym.relu(x, name="a/b c")


@program
def many_arguments(mx):
    return mx.sym.add_n(*[mx.sym.Variable(f"x{i}") for i in range(12)])


def describe(mx, name):
    """What the program gives, in plain data."""
    with mx.name.NameManager():
        symbol = PROGRAMS[name](mx)
    return facts(symbol)


def facts(symbol):
    """What `symbol` says of itself, in plain data."""
    return {
        "json": symbol.tojson(),
        "arguments": symbol.list_arguments(),
        "outputs": symbol.list_outputs(),
        "aux": symbol.list_auxiliary_states(),
        "inputs": symbol.list_inputs(),
        "internals": symbol.get_internals().list_outputs(),
        "attr_dict": symbol.attr_dict(),
        "list_attr": symbol.list_attr(),
        "name": symbol.name,
        "repr": repr(symbol),
        "len": len(symbol),
        "debug_str": symbol.debug_str(),
    }

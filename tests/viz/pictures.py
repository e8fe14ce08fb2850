# SPDX-License-Identifier: Apache-2.0
"""Networks that are printed and plotted both by mxlite and by MXNet 1.9.1 (Python 3.8)."""

import contextlib
import io
import json
import os
import warnings


def mlp(mx):
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), name="fc1", num_hidden=128)
    net = mx.sym.Activation(net, name="relu1", act_type="relu")
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(net, name="fc2", num_hidden=10), name="softmax")


def lenet(mx):
    net = mx.sym.Variable("data")
    for i, filters in enumerate((20, 50)):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=f"conv{i}")
        net = mx.sym.Activation(net, act_type="tanh", name=f"tanh{i}")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{i}")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net, name="flat"), num_hidden=500, name="fc1")
    net = mx.sym.FullyConnected(mx.sym.Activation(net, act_type="tanh", name="tanh2"), num_hidden=10, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def mixed(mx):
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(5, 5), num_filter=20, name="conv1")
    net = mx.sym.BatchNorm(net, name="bn1")
    net = mx.sym.Pooling(net, pool_type="avg", kernel=(2, 2), name="pool1")
    net = mx.sym.LeakyReLU(net, act_type="leaky", name="leaky1")
    net = mx.sym.Reshape(mx.sym.Dropout(net, p=0.3, name="drop1"), shape=(0, -1), name="flat1")
    words = mx.sym.flatten(
        mx.sym.Embedding(mx.sym.Variable("idx"), input_dim=3, output_dim=4, name="embed"), name="flat2"
    )
    net = words + mx.sym.FullyConnected(net, num_hidden=8, no_bias=True, name="fc")
    return mx.sym.SoftmaxOutput(mx.sym.Concat(net, net * 2, dim=1, name="joined"), name="softmax")


def residual_unit(mx, data, filters, stride, same, name):
    first = mx.sym.BatchNorm(data, fix_gamma=False, eps=2e-5, name=name + "_bn1")
    first = mx.sym.Activation(first, act_type="relu", name=name + "_relu1")
    net = mx.sym.Convolution(
        first, num_filter=filters, kernel=(3, 3), stride=stride, pad=(1, 1), no_bias=True, name=name + "_conv1"
    )
    net = mx.sym.BatchNorm(net, fix_gamma=False, eps=2e-5, name=name + "_bn2")
    net = mx.sym.Activation(net, act_type="relu", name=name + "_relu2")
    net = mx.sym.Convolution(
        net, num_filter=filters, kernel=(3, 3), stride=(1, 1), pad=(1, 1), no_bias=True, name=name + "_conv2"
    )
    if not same:
        data = mx.sym.Convolution(
            first, num_filter=filters, kernel=(1, 1), stride=stride, no_bias=True, name=name + "_sc"
        )
    return net + data


def resnet20(mx):
    net = mx.sym.Variable("data")
    net = mx.sym.Convolution(net, num_filter=16, kernel=(3, 3), stride=(1, 1), pad=(1, 1), no_bias=True, name="conv0")
    for stage, filters in enumerate((16, 32, 64)):
        for unit in range(3):
            stride = (2, 2) if stage and not unit else (1, 1)
            net = residual_unit(mx, net, filters, stride, not stage or bool(unit), f"s{stage}u{unit}")
    net = mx.sym.Activation(mx.sym.BatchNorm(net, fix_gamma=False, name="bn1"), act_type="relu", name="relu1")
    net = mx.sym.Pooling(net, global_pool=True, kernel=(7, 7), pool_type="avg", name="pool1")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=10, name="fc1")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def split(mx):
    parts = mx.sym.split(mx.sym.Variable("x"), num_outputs=2, name="s")
    return mx.sym.Group([mx.sym.FullyConnected(parts[0], num_hidden=3, name="fc"), parts[1]])


def group(mx):
    net = mlp(mx)
    return mx.sym.Group([net, net.get_internals()["fc1_output"]])


SHAPES = {
    mlp: {"data": (2, 100)},
    lenet: {"data": (64, 1, 28, 28)},
    mixed: {"data": (2, 1, 28, 28), "idx": (2, 2)},
    resnet20: {"data": (32, 3, 32, 32)},
    split: {"x": (2, 4)},
    group: {"data": (2, 100)},
}


def printed(mx, net, **options):
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        mx.viz.print_summary(net, **options)
    return text.getvalue()


def describe(mx):
    """All tables and DOT texts, by a name."""
    found = {}
    for make, shape in SHAPES.items():
        with mx.name.NameManager(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = make(mx)
            name = make.__name__
            found[name + " table"] = printed(mx, net)
            found[name + " table, shapes"] = printed(mx, net, shape=shape)
            found[name + " table, narrow"] = printed(
                mx, net, shape=shape, line_length=70, positions=[0.3, 0.6, 0.8, 1.0]
            )
            if make not in (split, group):
                found[name + " plot"] = mx.viz.plot_network(net).source
                found[name + " plot, shapes"] = mx.viz.plot_network(net, shape=shape).source
                found[name + " plot, weights"] = mx.viz.plot_network(
                    net, title="T", shape=shape, hide_weights=False, node_attrs={"shape": "oval", "fixedsize": "false"}
                ).source
                found[name + " plot, types"] = mx.viz.plot_network(
                    net, shape=shape, dtype=dict.fromkeys(shape, "float32")
                ).source
    return found


def attempt(call):
    """What `call` gives, or None where it cannot."""
    try:
        return call()
    except (ValueError, IndexError):
        return None


def of_nets(mx, folder):
    """Tables and DOT texts of the networks of tests/golden/nets; control flow and custom operators without shapes."""
    with open(os.path.join(folder, "nets.json"), encoding="utf-8") as file:
        facts = json.load(file)
    found = {}
    for name, fact in facts.items():
        if name == "custom_op":
            continue
        net = mx.sym.load(os.path.join(folder, name + "-symbol.json"))
        shape = {key: tuple(size) for key, (_, size) in fact["inputs"].items()}
        dtype = {key: kind for key, (kind, _) in fact["inputs"].items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found[name + " table"] = printed(mx, net)
            found[name + " table, shapes"] = attempt(lambda net=net, shape=shape: printed(mx, net, shape=shape))
            for title, options in {
                "plain": {},
                "types": {"dtype": dtype},
                "both": {"shape": shape, "dtype": dtype},
                "weights": {"shape": shape, "hide_weights": False},
            }.items():
                found[f"{name} plot, {title}"] = attempt(
                    lambda net=net, options=options: mx.viz.plot_network(net, **options).source
                )
    return found

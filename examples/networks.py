# SPDX-License-Identifier: Apache-2.0
"""Three classic classifiers as Symbols: an MLP, LeNet and a pre-activation ResNet.

Every function returns a Symbol with the input ``data`` and one output, ``softmax_output`` of shape (N, classes).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import mxlite as mx


def mlp(num_classes: int = 10, hidden: Sequence[int] = (128, 64)) -> mx.sym.Symbol:
    """Fully connected layers with ReLU between them; the input of any shape (N, ...) is flattened."""
    net = mx.sym.Flatten(mx.sym.Variable("data"))
    for number, width in enumerate(hidden, 1):
        net = mx.sym.FullyConnected(net, num_hidden=width, name=f"fc{number}")
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{number}")
    net = mx.sym.FullyConnected(net, num_hidden=num_classes, name=f"fc{len(hidden) + 1}")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def lenet(num_classes: int = 10) -> mx.sym.Symbol:
    """LeCun's network of 1998 in its usual modern sizes, for images of shape (N, 1, 28, 28)."""
    net = mx.sym.Variable("data")
    for number, filters in enumerate((20, 50), 1):
        net = mx.sym.Convolution(net, kernel=(5, 5), num_filter=filters, name=f"conv{number}")
        net = mx.sym.Activation(net, act_type="tanh", name=f"tanh{number}")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{number}")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=500, name="fc1")
    net = mx.sym.Activation(net, act_type="tanh", name="tanh3")
    net = mx.sym.FullyConnected(net, num_hidden=num_classes, name="fc2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def resnet(num_classes: int = 10, depth: int = 20, widths: Sequence[int] = (16, 32, 64)) -> mx.sym.Symbol:
    """The pre-activation ResNet of He et al. 2016 for small images (N, C, H, W): 6n + 2 layers, three stages."""
    units, rest = divmod(depth - 2, 6)
    if rest or units < 1:
        raise ValueError(f"depth={depth}: a ResNet for small images has 6 n + 2 layers: 8, 14, 20, 26, ...")
    net = mx.sym.Variable("data")
    net = mx.sym.Convolution(net, num_filter=widths[0], kernel=(3, 3), pad=(1, 1), no_bias=True, name="conv0")
    for stage, width in enumerate(widths, 1):
        for unit in range(1, units + 1):
            first = unit == 1 and stage > 1
            net = _unit(net, width, stride=2 if first else 1, project=first, name=f"stage{stage}_unit{unit}")
    net = _bn_relu(net, "final")
    net = mx.sym.Pooling(net, global_pool=True, pool_type="avg", kernel=(1, 1), name="pool")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=num_classes, name="fc")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def _bn_relu(data: mx.sym.Symbol, name: str) -> mx.sym.Symbol:
    net = mx.sym.BatchNorm(data, fix_gamma=False, eps=2e-5, momentum=0.9, name=f"{name}_bn")
    return mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")


def _unit(data: mx.sym.Symbol, width: int, stride: int, project: bool, name: str) -> mx.sym.Symbol:
    """Two 3x3 convolutions, each after BatchNorm and ReLU; the shortcut is projected where the shape changes."""
    active = _bn_relu(data, f"{name}_a")
    net = mx.sym.Convolution(
        active, num_filter=width, kernel=(3, 3), stride=(stride, stride), pad=(1, 1), no_bias=True, name=f"{name}_conv1"
    )
    net = mx.sym.Convolution(
        _bn_relu(net, f"{name}_b"), num_filter=width, kernel=(3, 3), pad=(1, 1), no_bias=True, name=f"{name}_conv2"
    )
    if not project:
        return net + data
    shortcut = mx.sym.Convolution(
        active, num_filter=width, kernel=(1, 1), stride=(stride, stride), no_bias=True, name=f"{name}_shortcut"
    )
    return net + shortcut


NETWORKS: dict[str, Callable[..., mx.sym.Symbol]] = {"mlp": mlp, "lenet": lenet, "resnet": resnet}


def get_symbol(name: str, num_classes: int = 10) -> mx.sym.Symbol:
    """One of the networks by its name: ``mlp``, ``lenet`` or ``resnet``."""
    if name not in NETWORKS:
        raise ValueError(f"network {name!r} is none of {', '.join(NETWORKS)}")
    return NETWORKS[name](num_classes)

# SPDX-License-Identifier: Apache-2.0
"""A module on two CPU devices. spread.py runs it with mxlite; tests/golden/training/two_devices.json is MXNet 1.9.1:

../shared/oracle/python tests/module/two_devices.py > tests/golden/training/two_devices.json
"""

import json

import numpy as np


def facts(mx):
    """Parameters, outputs, gradients, metrics and states of four steps; plain MXNet code."""
    rng = np.random.RandomState(0)
    x, y = rng.rand(24, 5).astype("float32"), rng.randint(0, 3, 24).astype("float32")
    data, state = mx.sym.Variable("data"), mx.sym.Variable("state")
    hidden = mx.sym.Activation(mx.sym.FullyConnected(data, num_hidden=4, name="fc1"), act_type="tanh")
    hidden = hidden + 0.5 * state
    loss = mx.sym.SoftmaxOutput(mx.sym.FullyConnected(hidden, num_hidden=3, name="fc2"), name="softmax")
    symbol = mx.sym.Group([loss, mx.sym.BlockGrad(hidden)])
    shapes = {"fc1_weight": (4, 5), "fc1_bias": (4,), "fc2_weight": (3, 4), "fc2_bias": (3,)}
    module = mx.mod.Module(
        symbol, context=[mx.cpu(0), mx.cpu(1)], state_names=["state"], fixed_param_names=["fc1_bias"]
    )
    module.bind([("data", (8, 5))], [("softmax_label", (8,))], inputs_need_grad=True)
    module.init_params(arg_params={n: mx.nd.array(rng.rand(*s) - 0.5) for n, s in shapes.items()}, aux_params={})
    module.init_optimizer(kvstore="device", optimizer_params={"learning_rate": 0.5, "momentum": 0.9})
    module.set_states(value=0)
    metric = mx.metric.create(["acc", "ce"], output_names=["softmax_output"], label_names=["softmax_label"])
    found = {"rescale": module._optimizer.rescale_grad}
    for step in range(4):
        rows = slice(0, 8) if step % 2 else slice(8, 16)
        batch = mx.io.DataBatch([mx.nd.array(x[rows])], [mx.nd.array(y[rows])])
        module.forward(batch, is_train=True)
        module.update_metric(metric, batch.label)
        module.backward()
        module.update()
        found[f"output {step}"] = module.get_outputs()[0].asnumpy().tolist()
        found[f"gradient {step}"] = module.get_input_grads()[0].asnumpy().tolist()
        if step < 3:
            module.set_states(states=module.get_outputs(merge_multi_context=False)[1:])
    for name, parts in (
        ("output", module.get_outputs(False)[0]),
        ("gradient", module.get_input_grads(False)[0]),
        ("state", module.get_states(False)[0]),
    ):
        found[f"parts of {name}"] = [part.asnumpy().tolist() for part in parts]
    found["metric"] = [float(value) for value in metric.get()[1]]
    found.update((name, value.asnumpy().tolist()) for name, value in module.get_params()[0].items())
    return found


if __name__ == "__main__":
    import mxnet  # pyright: ignore[reportMissingImports]

    print(json.dumps(facts(mxnet)))

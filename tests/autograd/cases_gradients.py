# SPDX-License-Identifier: Apache-2.0
"""autograd.grad, higher orders, special numbers and dtypes. Runs in mxlite and in MXNet (Python 3.8); see record.py."""


def cases(mx, np):
    nd, ag = mx.nd, mx.autograd
    found = {}

    def case(f):
        found[f.__name__] = f
        return f

    def var(*shape, values=None, dtype="float32", req="write"):
        if values is None:
            values = np.arange(1, 1 + int(np.prod(shape))).reshape(shape)
        x = nd.array(values, dtype=dtype)
        x.attach_grad(req)
        return x

    @case
    def grad_of_one():
        x = var(2)
        with ag.record():
            y = x * x
        return ag.grad(y, x), x.grad

    @case
    def grad_of_several():
        x, w = var(2), var(2, req="add")
        w.grad[:] = 5
        with ag.record():
            y = x * x * w
        return ag.grad(y, [x, w], nd.array([1, 10])), x.grad, w.grad

    @case
    def grad_of_heads():
        x = var(2)
        with ag.record():
            y, z = x * x, x * 3
        return ag.grad([y, z], [x], [nd.array([1, 2]), None])

    @case
    def grad_of_a_leaf():
        x = var(2)
        return ag.grad(x, x)

    @case
    def grad_frees():
        x = var(2)
        with ag.record():
            y = x * x
        ag.grad(y, x)
        y.backward()

    @case
    def grad_for_a_result():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * y
        ag.grad(z, [y])

    @case
    def grad_for_an_unmarked_array():
        x, c = var(2), nd.ones(2)
        with ag.record():
            y = x * c
        ag.grad(y, [c])

    @case
    def grad_for_null():
        x = var(2, req="null")
        with ag.record():
            y = x * x
        ag.grad(y, x)

    @case
    def grad_for_what_is_not_reached():
        x, z = var(2), var(2)
        with ag.record():
            y = x * x
        ag.grad(y, [z])

    @case
    def grad_for_nothing():
        x = var(2)
        with ag.record():
            y = x * x
        ag.grad(y, [])

    @case
    def second_and_third_derivative():
        x = var(3)
        with ag.record():
            y = nd.sin(x)
            g = ag.grad(y, x, create_graph=True)[0]
            h = ag.grad(g, x, create_graph=True)[0]
        h.backward()
        return g, h, x.grad

    @case
    def second_derivative_outside_record():
        x = var(3)
        with ag.record():
            y = nd.log(x)
        g = ag.grad(y, x, create_graph=True)[0]
        g.backward()
        return g, x.grad

    @case
    def second_derivative_of_a_dense_layer():
        x, w = var(3, 2), var(4, 2)
        with ag.record():
            y = nd.FullyConnected(x, w, num_hidden=4, no_bias=True)
            g = ag.grad(y, x, create_graph=True)[0]
        g.backward()
        return g, x.grad, w.grad

    @case
    def loss_ignores_the_head_gradient():
        x = var(2, 2)
        with ag.record():
            y = nd.SoftmaxOutput(x, nd.array([0, 1]))
        y.backward(nd.ones((2, 2)) * 100)
        return x.grad

    @case
    def classifier():
        w, data, label = var(3, 2), nd.array([[1, 2], [3, 4]]), nd.array([0, 2])
        with ag.record():
            loss = -nd.pick(nd.log_softmax(nd.dot(data, w.T)), label)
        loss.backward()
        return w.grad

    @case
    def blocked():
        x = var(3)
        with ag.record():
            y = x * x
            z = nd.BlockGrad(y) * x + y.detach()
        z.backward()
        return x.grad

    @case
    def zero_gradients_are_written():
        out = []
        for f in (nd.BlockGrad, nd.floor, nd.zeros_like, lambda x: nd.argmax(x, axis=0), lambda x: (x > 1) * x):
            x = var(3)
            x.grad[:] = 5
            with ag.record():
                y = f(x)
            y.backward()
            out.append(x.grad)
        return out

    @case
    def not_a_number():
        x = var(3, values=[0.0, -1.0, float("nan")])
        with ag.record():
            y = nd.sqrt(x) + nd.log(x) + nd.relu(x) + nd.clip(x, -1, 1)
        y.backward()
        return y, x.grad

    @case
    def not_a_number_behind_where():
        x = var(2, values=[0.0, 4.0])
        with ag.record():
            y = nd.where(x > 1, nd.sqrt(x), x)
        y.backward()
        return y, x.grad

    @case
    def half_precision():
        x = var(2, dtype="float16")
        with ag.record():
            y = x * x
        y.backward()
        return x.grad

    @case
    def integers():
        out = []
        for dtype in ("int32", "uint8", "int64"):
            x = var(3, dtype=dtype)
            with ag.record():
                y = x * 100 * x
            y.backward()
            out.append(x.grad)
        return out

    @case
    def through_integers():
        x = var(3)
        with ag.record():
            y = x.astype("int32").astype("float32") * x + (x.astype("int32") * 2).astype("float32")
        y.backward()
        return x.grad

    @case
    def integer_into_float():
        x = var(3, dtype="int32")
        with ag.record():
            y = x.astype("float32") * 2.5
        y.backward()
        return x.grad

    @case
    def indices_have_no_gradient():
        x, i, j = var(3), var(2, values=[0, 2]), var(2, values=[0, 2], dtype="int32")
        with ag.record():
            y = nd.take(x, i) + nd.take(x, j)
        y.backward()
        return x.grad, i.grad, j.grad

    return found

# SPDX-License-Identifier: Apache-2.0
"""Scopes, modes and user code. Runs in mxlite and in MXNet (Python 3.8); see record.py."""

import threading


def cases(mx, np):
    nd, ag = mx.nd, mx.autograd
    found = {}

    def case(f):
        found[f.__name__] = f
        return f

    def var(*shape, req="write"):
        x = nd.array(np.arange(1, 1 + int(np.prod(shape))).reshape(shape))
        x.attach_grad(req)
        return x

    def state():
        return ag.is_recording(), ag.is_training()

    @case
    def states():
        seen = [state()]
        with ag.record():
            seen.append(state())
            with ag.predict_mode():
                seen.append(state())
        with ag.record(train_mode=False):
            seen.append(state())
            with ag.train_mode():
                seen.append(state())
            with ag.pause():
                seen.append(state())
            with ag.pause(train_mode=True):
                seen.append(state())
        seen.append(state())
        seen += [ag.set_recording(True), ag.set_recording(False), ag.set_training(True), ag.set_training(False)]
        return seen

    @case
    def switched_by_hand():
        x = var(2)
        before = ag.set_recording(True)
        y = x * x
        ag.set_recording(before)
        y.backward()
        return x.grad

    @case
    def paused():
        x = var(2)
        with ag.record():
            y = x * x
            with ag.pause():
                z = y * 2
            w = y + z
        w.backward()
        return x.grad

    @case
    def backward_in_pause():
        x = var(2)
        with ag.record(train_mode=False):
            y = x * x
            with ag.pause():
                y.backward()
            after = state()
        return x.grad, after

    @case
    def other_thread():
        x, seen = var(2), []

        def work():
            seen.append(state())
            y.backward()

        with ag.record():
            y = x * x
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        return x.grad, seen

    @case
    def a_scope_is_no_decorator():
        @ag.record()
        def f():
            return 1

        return f()

    def batch_norm(record, backward, **params):
        x, gamma, beta = var(3, 2), nd.ones(2) * 3, nd.zeros(2)
        mean, variance = nd.array([0.5, 1]), nd.array([2, 3])
        gamma.attach_grad()
        beta.attach_grad()
        with ag.record(train_mode=record):
            y = nd.BatchNorm(x, gamma, beta, mean, variance, **params)
        y.backward(nd.array([[1, 2], [3, 5], [4, 4]]), train_mode=backward)
        return y, x.grad, gamma.grad, beta.grad, gamma, mean, variance

    found["batch_norm"] = lambda: batch_norm(True, True, fix_gamma=False)
    found["batch_norm_fixed"] = lambda: batch_norm(True, True)
    found["batch_norm_predicting"] = lambda: batch_norm(False, False, fix_gamma=False)
    found["batch_norm_backward_predicting"] = lambda: batch_norm(True, False, fix_gamma=False)[1:5]

    @case
    def dropout_keeps_its_mask():
        same = []
        for record, backward in ((True, True), (True, False), (False, True)):
            x = nd.ones(64)
            x.attach_grad()
            with ag.record(train_mode=record):
                y = nd.Dropout(x, p=0.5)
            y.backward(train_mode=backward)
            same.append([bool((x.grad == y).min().asscalar()), bool((y == x).min().asscalar())])
        return same

    @case
    def drawn_numbers_stay():
        x = var(2)
        with ag.record():
            y = x * nd.random.uniform(shape=(2,))
            z = y * y
        z.backward()
        return bool(((x.grad - 2 * z / x).abs().max() < 1e-5).asscalar())

    # User code.

    log = []

    class Sigmoid(ag.Function):
        def forward(self, x):
            log.append(state())
            y = 1 / (1 + nd.exp(-x))
            self.save_for_backward(y)
            return y

        def backward(self, dy):
            log.append(state())
            (y,) = self.saved_tensors
            return dy * y * (1 - y)

    class Pair(ag.Function):
        def forward(self, a, b):
            self.save_for_backward(a, b)
            return a * b, a + b

        def backward(self, da, db):
            a, b = self.saved_tensors
            return da * b + db * 2, da * a + db * 3

    class Scaled(ag.Function):
        def __init__(self, factor):
            super().__init__()
            self.factor = factor

        def forward(self, x):
            return [x * self.factor]

        def backward(self, dy):
            return (dy * self.factor,)

    def function(forward, backward):
        class F(ag.Function):
            def forward(self, *xs):
                return forward(*xs)

            def backward(self, *ds):
                return backward(*ds)

        return F()

    @case
    def function_once():
        del log[:]
        x = var(3)
        with ag.record():
            y = Sigmoid()(x) * 2
        y.backward()
        x.grad.wait_to_read()
        return x.grad, y, list(log)

    @case
    def function_predicting():
        del log[:]
        x = var(3)
        with ag.record(train_mode=False):
            y = Sigmoid()(x)
        y.backward(train_mode=False)
        x.grad.wait_to_read()
        return list(log)

    @case
    def function_retained():
        x = var(3)
        with ag.record():
            y = Sigmoid()(x) * 2
        y.backward(retain_graph=True)
        y.backward()
        return x.grad

    @case
    def function_instance_twice():
        x, f = var(3), Sigmoid()
        with ag.record():
            f(f(x))

    @case
    def function_unrecorded():
        return Sigmoid()(nd.ones(2))

    @case
    def function_of_constants():
        with ag.record():
            y = Sigmoid()(nd.ones(2))
        y.backward()

    @case
    def function_with_two_outputs():
        x, w = var(3), var(3)
        with ag.record():
            both = Pair()(x * 2, w)
            z = both[0] + both[1] * 5
        z.backward()
        return x.grad, w.grad, type(both).__name__

    @case
    def function_with_one_output_used():
        x, w = var(3), var(3)
        with ag.record():
            z = Pair()(x, w)[1]
        z.backward()
        return x.grad, w.grad

    @case
    def function_with_a_constant():  # behind the variable; before it, MXNet's gradient is zero
        x, c = var(3), nd.ones(3)
        with ag.record():
            y = Pair()(x, c)[0]
        y.backward()
        return x.grad

    @case
    def function_with_state():
        x = var(3)
        with ag.record():
            y = Scaled(3)(x)
        y[0].backward()
        return x.grad, type(y).__name__

    @case
    def function_fresh():
        return Scaled(3)._used, len(Scaled(3).saved_tensors)

    @case
    def function_records_inside_for_itself():
        def forward(a):
            with ag.record():
                b = a * 3
            return b * 1

        x = var(3)
        with ag.record():
            y = function(forward, lambda d: d * 5)(x)
        y.backward()
        return x.grad

    @case
    def function_writes_its_input():
        def forward(a):
            a[:] = 3
            return a * 2

        x = var(3)
        with ag.record():
            y = function(forward, lambda d: d * 5)(x)
        y.backward()
        return x.grad, x, y

    @case
    def function_returns_a_view():
        x = var(3)
        with ag.record():
            y = function(lambda a: a.reshape((3, 1)), lambda d: d.reshape((3,)) * 5)(x)
        y.backward()
        return x.grad, y

    @case
    def function_returns_its_input():
        x = var(3)
        with ag.record():
            function(lambda a: a, lambda d: d)(x)

    @case
    def function_returns_integers_too():
        x = var(3)
        with ag.record():
            y, _ = function(lambda a: (a * 2, a.astype("int32")), lambda d, e: d * 5)(x)
        y.backward()
        return x.grad

    @case
    def function_gives_too_few_gradients():
        x, w = var(3), var(3)
        with ag.record():
            y = function(lambda a, b: a * b, lambda d: d)(x, w)
        y.backward()
        return x.grad

    @case
    def function_gives_a_wrong_shape():
        x = var(3)
        with ag.record():
            y = function(lambda a: a * 2, lambda d: nd.ones(7))(x)
        y.backward()
        return x.grad

    @case
    def function_gives_a_shape_to_broadcast():
        x = var(3)
        with ag.record():
            y = function(lambda a: a * 2, lambda d: nd.ones(1))(x)
        y.backward()
        return x.grad

    @case
    def function_raises_in_forward():
        def forward(a):
            raise KeyError("boom")

        x = var(3)
        with ag.record():
            function(forward, None)(x)

    @case
    def function_without_forward():
        class Empty(ag.Function):
            pass

        x = var(3)
        with ag.record():
            Empty()(x)

    class Square(mx.operator.CustomOp):
        def forward(self, is_train, req, in_data, out_data, aux):
            log.append((bool(is_train), list(req), state()))
            self.assign(out_data[0], req[0], in_data[0] * in_data[0])

        def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
            log.append((list(req), state()))
            self.assign(in_grad[0], req[0], 2 * in_data[0] * out_grad[0])

    @mx.operator.register("autograd_square")
    class SquareProp(mx.operator.CustomOpProp):
        def create_operator(self, ctx, shapes, dtypes):
            return Square()

    def custom(record):
        del log[:]
        x = var(3)
        with ag.record(train_mode=record):
            y = nd.Custom(x * 2, op_type="autograd_square") * 3
        y.backward()
        x.grad.wait_to_read()
        return x.grad, y, list(log)

    found["custom"] = lambda: custom(True)
    found["custom_predicting"] = lambda: custom(False)

    @case
    def custom_adds_up():
        x = var(3, req="add")
        for _ in range(2):
            with ag.record():
                y = nd.Custom(x, op_type="autograd_square")
            y.backward()
        return x.grad

    @case
    def custom_training_unrecorded():
        del log[:]
        with ag.train_mode():
            nd.Custom(nd.ones(2), op_type="autograd_square").wait_to_read()
        return list(log)

    return found

# SPDX-License-Identifier: Apache-2.0
"""Views, indexing, copies and writes that are recorded. Runs in mxlite and in MXNet (Python 3.8); see record.py."""


def cases(mx, np):
    nd, ag = mx.nd, mx.autograd
    found = {}

    def case(f):
        found[f.__name__] = f
        return f

    def var(*shape):
        x = nd.array(np.arange(1, 1 + int(np.prod(shape))).reshape(shape))
        x.attach_grad()
        return x

    def recorded(action):
        """What `action(x, y)` leads to, where y was computed from x."""

        def run():
            x = var(2)
            with ag.record():
                y = x * 2
                action(x, y)
                z = y * y
            z.backward()
            return x.grad, z

        return run

    def filled(action, *shape):
        """What `action(b, x)` leads to, where b is not recorded."""

        def run():
            x, b = var(2), nd.ones(shape or (2,))
            with ag.record():
                action(b, x)
                z = b * b
            z.backward()
            return x.grad, z

        return run

    def setitem(a, key, value):
        a[key] = value

    def iadd(a, value):
        a += value

    def imul(a, value):
        a *= value

    every = slice(None)
    found["write_leaf"] = recorded(lambda x, y: setitem(x, every, 1))
    found["add_to_leaf"] = recorded(lambda x, y: iadd(x, 1))
    found["write_result"] = recorded(lambda x, y: setitem(y, every, 1))
    found["write_result_with_recorded"] = recorded(lambda x, y: setitem(y, every, x))
    found["write_element_of_result"] = recorded(lambda x, y: setitem(y, 0, 1))
    found["write_slice_of_result"] = recorded(lambda x, y: setitem(y, slice(0, 1), nd.array([7])))
    found["write_view_of_result"] = recorded(lambda x, y: setitem(y[0:1], every, 7))
    found["add_to_result"] = recorded(lambda x, y: iadd(y, 1))
    found["out_is_result"] = recorded(lambda x, y: nd.broadcast_mul(x, x, out=y))
    found["out_is_leaf"] = recorded(lambda x, y: nd.broadcast_mul(y, y, out=x))
    found["write_whole_buffer"] = filled(lambda b, x: setitem(b, every, x * 3))
    found["write_whole_buffer_by_bounds"] = filled(lambda b, x: setitem(b, slice(0, 2), x * 3))
    found["write_whole_buffer_broadcast"] = filled(lambda b, x: setitem(b, every, x * 3), 3, 2)
    found["write_row_of_buffer"] = filled(lambda b, x: setitem(b, 0, x * 3), 2, 2)
    found["write_column_of_buffer"] = filled(lambda b, x: setitem(b, (every, 0), x * 3), 2, 2)
    found["write_places_of_buffer"] = filled(lambda b, x: setitem(b, [0, 1], x * 3))
    found["write_buffer_twice"] = filled(lambda b, x: (setitem(b, every, x), setitem(b, every, x)))
    found["multiply_buffer"] = filled(lambda b, x: imul(b, x))
    found["out_is_buffer"] = filled(lambda b, x: nd.broadcast_mul(x, x, out=b))
    found["out_is_view_of_buffer"] = filled(lambda b, x: nd.broadcast_mul(x, x, out=b[0]), 2, 2)
    found["copyto_buffer"] = filled(lambda b, x: x.copyto(b))

    @case
    def write_outside_record():
        x = var(2)
        x[:] = 5
        with ag.record():
            y = x * x
        y.backward()
        x[:] = 7
        return x.grad

    @case
    def buffer_of_another_dtype():
        x, b, c = var(3), nd.zeros(3, dtype="float64"), nd.zeros(3, dtype="float64")
        with ag.record():
            b[:] = x
            x.copyto(c)
            y = b * 2 + c
        y.backward()
        return x.grad, y

    @case
    def unrecorded_buffer_may_change():
        x, b, k = var(2), nd.zeros((2, 2)), nd.ones(2)
        with ag.record():
            b[0] = 5
            b[1] = k
            b += k
            b[nd.array([1])] = 3
            c = b * x
        c.backward()
        return x.grad

    @case
    def constant_in_use_is_not_written():
        x, b = var(2), nd.ones(2)
        with ag.record():
            y = b * x
            b += 4
        y.backward()

    @case
    def constant_is_free_after_backward():
        x, b = var(2), nd.ones(2)
        with ag.record():
            y = b * x
            y.backward()
            b[:] = 4
        return b

    @case
    def result_is_free_after_backward():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * 2
            z.backward()
            y[:] = 3
        return y

    @case
    def grad_array_inside_record():
        x = var(2)
        with ag.record():
            y = x * x
            y.backward()
            x.grad[:] = 3
            z = x.grad * x
        z.backward()
        return x.grad

    @case
    def update_inside_record():
        x, g = var(2), nd.ones(2)
        with ag.record():
            nd.sgd_update(x, g, lr=0.1, out=x)

    @case
    def update_of_unmarked_inside_record():
        x, g, m = nd.ones(2), nd.ones(2), nd.zeros(2)
        with ag.record():
            nd.sgd_mom_update(x, g, m, lr=0.1, out=x)
        return x, m

    @case
    def views():
        x = var(3, 2)
        with ag.record():
            y, z, r = x[0] * 2, x[1:3] * 3, x.reshape(2, 3) * 2
        ag.backward([y, z, r])
        return x.grad, y, z, r

    @case
    def view_made_before():
        x = var(3, 2)
        v = x[0]
        with ag.record():
            y = v * 2 + x[1]
        y.backward()
        return x.grad

    @case
    def only_a_view_made_before():
        x = var(3, 2)
        v = x[0]
        with ag.record():
            y = v * 2
        y.backward()

    @case
    def recorded_views_share_memory():
        x = var(3, 2)
        with ag.record():
            v, r = x[0], x.reshape(-1)
        v[:] = 9
        return x, r

    @case
    def write_recorded_view():
        x = var(3, 2)
        with ag.record():
            x[0][:] = 9

    @case
    def write_view_made_before():
        x = var(3, 2)
        v = x[0]
        with ag.record():
            v[:] = 9
            y = x * 2
        y.backward()
        return x, x.grad, y

    @case
    def head_is_a_view():
        x = var(3, 2)
        with ag.record():
            y = (x * x)[1]
        y.backward()
        return x.grad

    @case
    def view_taken_after_record():
        x = var(3, 2)
        with ag.record():
            y = x * x
        y[0].backward()

    @case
    def basic_selections():
        x = var(3, 4)
        with ag.record():
            ys = [x[:, 1] * 2, x[::2, ::-1] * 3, x[1, 2], x[None, 0], x[-1], x[..., 3], x[2:0:-1, 1:3] * 5, x[:]]
        ag.backward(ys)
        return x.grad, ys

    @case
    def advanced_selections():
        x = var(3, 4)
        with ag.record():
            ys = [
                x[[0, 0, 2]] * 2,
                x[nd.array([0, 0, 2])] * 3,
                x[nd.array([0, 1]), nd.array([1, 1])],
                x[[0, 2], [3, 0]] * 7,  # negative ones corrupt MXNet's memory on the way back
                x[np.array([[0, 1], [2, 2]])],
            ]
        ag.backward(ys)
        return x.grad, ys

    @case
    def mask():
        x = var(3, 2)
        with ag.record():
            y = nd.contrib.boolean_mask(x, nd.array([1, 0, 1])) * 2
        y.backward()
        return x.grad, y

    @case
    def boolean_index():
        x = var(3, 2)
        with ag.record():
            x[nd.array([1, 0, 1], dtype="bool")]

    @case
    def slices_by_operator():
        x = var(3, 4)
        with ag.record():
            ys = [
                nd.slice_axis(x, axis=1, begin=1, end=3) * 2,
                x.slice((0, 1), (2, 4)) * 3,
                nd.slice(x, begin=(2, 3), end=(None, 0), step=(-1, -2)),
            ]
        ag.backward(ys)
        return x.grad, ys

    @case
    def rearranged():
        x = var(2, 3)
        with ag.record():
            ys = [x.T * 2, x.flatten() * 3, x.expand_dims(0) * 4, x.expand_dims(0).squeeze() * 5, nd.moveaxis(x, 0, 1)]
            ys += nd.split_v2(x, 3, axis=1)
            ys += [x.expand_dims(0, inplace=True) * 4, x.flatten(inplace=True), x.reshape((0, -4, 1, -1)) * 6]
        ag.backward(ys)
        return x.grad

    @case
    def iterated():
        x = var(3, 2)
        with ag.record():
            total = nd.zeros(2)
            for i, row in enumerate(x):
                total = total + row * i
        total.backward()
        return x.grad

    @case
    def one_of_two_outputs():
        x = var(4)
        with ag.record():
            _, b = nd.split(x.reshape((2, 2)), 2, axis=0)
            z = b * 2
        z.backward()
        return x.grad

    @case
    def cast():
        x = var(3)
        with ag.record():
            y = x.astype("float64") * 2
            same = x.astype("float32", copy=False)
        y.backward()
        return x.grad, y, same is x

    @case
    def copies():
        x, b = var(3), nd.zeros(3)
        with ag.record():
            x.copyto(b)
            z = x.copy() * 3 + b * 2 + nd.array(x) * 4
        z.backward()
        return x.grad

    @case
    def other_device():
        x = var(3)
        with ag.record():
            y = x.as_in_context(mx.cpu(1)) * 2
            z = x.copyto(mx.cpu(1)) * 3
            w = x.as_in_context(mx.cpu(0))
        y.backward()
        first = x.grad.copy()
        z.backward()
        return first, x.grad, str(x.grad.context), str(y.context), w is x

    @case
    def filled_array():
        x = var(1)
        with ag.record():
            y = nd.full((2, 2), x)
        y.backward()
        return x.grad

    @case
    def looked_at():
        x = var(3)
        with ag.record():
            y = x * x
            z = y * y.sum().asscalar()
        z.backward()
        return x.grad

    @case
    def detached_shares_memory():
        x = var(3)
        d = x.detach()
        d[:] = 7
        return x, d.grad

    @case
    def through_numpy():
        x, b = var(2), nd.zeros(2)
        with ag.record():
            b[:] = x.asnumpy() * 2
            y = b * x
        y.backward()
        return x.grad

    return found

# SPDX-License-Identifier: Apache-2.0
"""Heads and variables of backward, and what is freed. Runs in mxlite and in MXNet (Python 3.8); see record.py."""


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
    def grad_is_zero_at_first():
        return var(2, 2).grad

    @case
    def unmarked_has_no_grad():
        return nd.ones(2).grad

    @case
    def a_result_has_no_grad():
        x = var(2)
        with ag.record():
            y = x * 2
        return y.grad

    @case
    def null_keeps_zeros():
        x, w = var(2, req="null"), var(2)
        with ag.record():
            y = x * x * w
        y.backward()
        return x.grad, w.grad

    @case
    def null_alone():
        x = var(2, req="null")
        with ag.record():
            y = x * x
        y.backward()

    @case
    def unknown_req():
        nd.ones(2).attach_grad("foo")

    @case
    def backward_twice():
        x = var(2)
        with ag.record():
            y = x * x
        y.backward()
        y.backward()

    @case
    def never_recorded():
        (var(2) * 2).backward()

    @case
    def head_is_a_leaf():
        x = var(2)
        x.backward()
        return x.grad

    @case
    def head_is_a_leaf_with_gradient():
        x = var(2)
        x.backward(nd.array([3, 4]))
        return x.grad

    @case
    def one_head_not_recorded():
        x = var(2)
        with ag.record():
            y = x * 2
        ag.backward([y, nd.ones(2)])

    @case
    def only_constants():
        with ag.record():
            y = nd.ones(2) * 2
        y.backward()

    @case
    def no_heads():
        ag.backward([])

    @case
    def head_gradient():
        x = var(2, 2)
        with ag.record():
            y = x * x
        y.backward(nd.array([[1, 2], [3, 4]]))
        return x.grad

    @case
    def head_gradient_of_other_shape_same_size():
        x = var(2, 3)
        with ag.record():
            y = x.sum(axis=1)
        y.backward(nd.array([[1, 2]]))
        return x.grad

    @case
    def head_gradient_too_small():
        x = var(3, 2)
        with ag.record():
            y = nd.dot(x, nd.ones((2, 2)))
        y.backward(nd.ones((3, 1)))
        return x.grad

    @case
    def head_gradient_of_other_dtype():
        x = var(2)
        with ag.record():
            y = x * 2
        y.backward(nd.ones(2, dtype="float64"))
        return x.grad

    @case
    def too_few_head_gradients():
        x = var(2)
        with ag.record():
            y, z = x * 2, x * 3
        ag.backward([y, z], [nd.ones(2)])

    @case
    def some_head_gradients():
        x = var(2)
        with ag.record():
            y, z = x * 2, x * 3
        ag.backward([y, z], [None, nd.array([5, 6])])
        return x.grad

    @case
    def heads_and_gradients_alone_or_in_lists():
        out = []
        for heads, grads in ((0, 0), (0, 1), (1, 0), (1, 1)):
            x, g = var(2), nd.array([3, 4])
            with ag.record():
                y = x * x
            ag.backward((y,) if heads else y, [g] if grads else g)
            out.append(x.grad)
        return out

    @case
    def head_and_what_it_depends_on():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * 3
        ag.backward([z, y, x])
        return x.grad

    @case
    def array_used_many_times():
        x = var(2)
        with ag.record():
            y = nd.broadcast_add(x, x)
            z = nd.add_n(x, x, y) * x
        z.backward()
        return x.grad

    @case
    def retained():
        x, w = var(2), var(2, req="add")
        with ag.record():
            y = x * x * w
        y.backward(retain_graph=True)
        y.backward(retain_graph=True)
        y.backward()
        return x.grad, w.grad

    @case
    def retained_then_freed():
        x = var(2)
        with ag.record():
            y = x * x
        y.backward(retain_graph=True)
        y.backward()
        y.backward()

    @case
    def freed_part():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * 3
        z.backward()
        y.backward()

    @case
    def freed_middle():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * 3
        y.backward()
        z.backward()

    @case
    def freed_middle_beside_another_way():
        x = var(2)
        with ag.record():
            y = x * x
            z = y + x
        y.backward()
        z.backward()

    @case
    def freed_array_becomes_a_constant():
        x = var(2)
        with ag.record():
            y = x * x
            y.backward()
            z = y * x
        z.backward()
        return x.grad

    @case
    def two_losses_one_trunk():
        x = var(2)
        with ag.record():
            trunk = nd.exp(x)
            a, b = trunk * 2, trunk * 3
        ag.backward([a, b])
        return x.grad

    @case
    def attach_inside_record_cuts():
        x = var(2)
        with ag.record():
            y = x * x
            y.attach_grad()
            z = y * 3
        z.backward()
        return x.grad, y.grad

    @case
    def attach_after_use():
        x = var(2)
        with ag.record():
            y = x * x
            z = y * 3
            y.attach_grad()
            w = z + y
        w.backward()
        return x.grad, y.grad

    @case
    def attach_again():
        x = var(2)
        first = x.grad
        with ag.record():
            y = x * x
        x.attach_grad()
        with ag.record():
            z = x * 3 + y
        z.backward()
        return x.grad, first

    @case
    def grad_array_is_written_in_place():
        x = var(2)
        g = x.grad
        g[:] = 9
        part = g[0:1]
        with ag.record():
            y = x * 3
        y.backward()
        return g, part

    @case
    def variable_may_die():
        x = var(2)
        g = x.grad
        with ag.record():
            y = x * x
        del x
        y.backward()
        return g

    @case
    def add_accumulates():
        x = var(2, req="add")
        for _ in range(2):
            with ag.record():
                y = x * x
            y.backward()
        first = x.grad.copy()
        x.grad[:] = 0
        with ag.record():
            y = x * x
        y.backward()
        return first, x.grad

    @case
    def fresh_grad():
        x = var(2)
        states = [bool(x._fresh_grad)]
        with ag.record():
            y = x * x
        y.backward()
        states.append(bool(x._fresh_grad))
        x._fresh_grad = False
        return [*states, bool(x._fresh_grad)]

    @case
    def marked():
        x, g = nd.ones(2), nd.zeros(2)
        ag.mark_variables(x, g, "add")
        with ag.record():
            y = x * 3
        y.backward(retain_graph=True)
        y.backward()
        return g, x.grad

    @case
    def marked_list():
        x, w, gs = nd.ones(2), nd.ones(2), [nd.zeros(2), nd.zeros(2)]
        ag.mark_variables([x, w], gs, ["write", "null"])
        with ag.record():
            y = x * 3 * w
        y.backward()
        return gs

    @case
    def marked_with_unknown_req():
        ag.mark_variables([nd.ones(2)], [nd.zeros(2)], "foo")

    return found

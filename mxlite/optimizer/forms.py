# SPDX-License-Identifier: Apache-2.0
"""One parameter's state: as MXNet keeps it, and as a part of a transformation's state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

#: A parameter's state as MXNet keeps it: None, one array, or a tuple of states.
State = Any


class Form(NamedTuple):
    """How MXNet arranges the state arrays of one optimizer.

    Attributes:
        name: The optimizer, for errors.
        slots: The arrays in MXNet's order.
        always_tuple: The state is a tuple of the slots in use. Otherwise it is a tuple with None for slots not in use,
            or the bare array where there is one slot only.
        master_first: A multi-precision state is (float32 weight, state), not the other way round.
    """

    name: str
    slots: tuple[str, ...]
    always_tuple: bool
    master_first: bool


def mx_state(form: Form, opt_state: Any, name: str, master: bool) -> State:
    """The state of `name` inside a transformation's `opt_state`; with `master` that of `master_weights`."""
    copies: Mapping[str, Any] = {}
    if master:
        opt_state, copies = opt_state
    found = dict(_slots(opt_state))
    parts = [found[slot].get(name) if slot in found else None for slot in form.slots]
    state: State
    if form.always_tuple:
        state = tuple(part for part in parts if part is not None)
    elif len(parts) > 1:
        state = tuple(parts)
    else:
        state = parts[0] if parts else None
    if name not in copies:
        return state
    return (copies[name], state) if form.master_first else (state, copies[name])


def with_mx_state(form: Form, opt_state: Any, name: str, state: State, master: bool) -> Any:
    """`opt_state` with MXNet's `state` for `name`. ValueError: it has another form."""
    if master:
        inner, copies = opt_state
        if name in copies:
            wide, state = _pair(form, name, state)
            copies = {**copies, name: wide}
        return with_mx_state(form, inner, name, state, False), copies
    found = dict(_slots(opt_state))
    live = [slot for slot in form.slots if slot in found]
    parts = list(state) if isinstance(state, tuple | list) else [state]
    if not form.always_tuple and len(parts) == len(form.slots):
        parts = [part for slot, part in zip(form.slots, parts, strict=True) if slot in found]
    if not live and all(part is None for part in parts):
        return opt_state
    if len(parts) != len(live) or any(part is None for part in parts):
        raise ValueError(f"{form.name}: the state of {name!r} needs {len(live)} arrays, got {_shown(state)}")
    for slot, part in zip(live, parts, strict=True):
        if tuple(part.shape) != tuple(found[slot][name].shape):
            raise ValueError(
                f"{form.name}: the state {slot!r} of {name!r} has shape {tuple(part.shape)}, "
                f"expected {tuple(found[slot][name].shape)}"
            )
    return _replaced(opt_state, name, dict(zip(live, parts, strict=True)))


def _pair(form: Form, name: str, state: State) -> tuple[Any, State]:
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise ValueError(f"{form.name}: the multi-precision state of {name!r} is a pair, got {_shown(state)}")
    wide, inner = state if form.master_first else state[::-1]
    return wide, inner


def _shown(state: State) -> str:
    if isinstance(state, tuple | list):
        return f"({', '.join(map(_shown, state))})"
    return "None" if state is None else f"array{tuple(state.shape)}"


def _slots(opt_state: Any) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """The ``(slot, {name: array})`` pairs in the nested tuples of a chain's state."""
    if isinstance(opt_state, Mapping):
        yield from opt_state.items()
    elif isinstance(opt_state, tuple):
        for part in opt_state:
            yield from _slots(part)


def _replaced(opt_state: Any, name: str, new: Mapping[str, Any]) -> Any:
    if isinstance(opt_state, Mapping):
        return {s: {**arrays, name: new[s]} if s in new else arrays for s, arrays in opt_state.items()}
    if isinstance(opt_state, tuple) and opt_state:
        parts = [_replaced(part, name, new) for part in opt_state]
        return type(opt_state)(*parts) if hasattr(opt_state, "_fields") else tuple(parts)
    return opt_state


def tree(f: Callable[[Any], Any], state: State) -> State:
    """`f` of every array in a state."""
    if isinstance(state, tuple | list):
        return tuple(tree(f, part) for part in state)
    return None if state is None else f(state)


def write(handles: State, new: State) -> None:
    """Write the arrays of `new` into the NDArrays of a state."""
    if isinstance(handles, tuple | list):
        for handle, value in zip(handles, new, strict=True):
            write(handle, value)
    elif handles is not None:
        handles._set(new)

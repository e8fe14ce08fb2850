# SPDX-License-Identifier: Apache-2.0
"""`mx.registry`, as MXNet 1.9.1 behaves."""

from __future__ import annotations

from typing import Any

import pytest

from mxlite import registry


class Base:
    def __init__(self, a: int = 1):
        self.a = a


@pytest.fixture
def factory() -> Any:
    class Thing(Base):
        """A base of its own for each test."""

    class One(Thing):
        pass

    class Two(Thing):
        pass

    register = registry.get_register_func(Thing, "thing")
    alias = registry.get_alias_func(Thing, "thing")
    create = registry.get_create_func(Thing, "thing")
    assert register(One) is One
    assert alias("x", "Y")(Two) is Two
    return Thing, One, Two, register, alias, create


def test_names(factory: Any) -> None:
    Thing, One, Two, *_ = factory
    assert registry.get_registry(Thing) == {"one": One, "x": Two, "y": Two}
    registry.get_registry(Thing).clear()
    assert len(registry.get_registry(Thing)) == 3
    assert registry.get_registry(int) == {}


@pytest.mark.parametrize(
    ("args", "kwargs", "a"),
    [
        (("ONE", 5), {}, 5),
        ((), {"thing": "one", "a": 7}, 7),
        (({"thing": "one", "a": 8},), {}, 8),
        (({"thing": "one"},), {"a": 3}, 3),
        (('{"thing": "one", "a": 9}',), {}, 9),
        (('["one", {"a": 10}]',), {}, 10),
    ],
)
def test_create(factory: Any, args: Any, kwargs: Any, a: int) -> None:
    made = factory[-1](*args, **kwargs)
    assert type(made) is factory[1] and made.a == a


def test_create_returns_an_instance(factory: Any) -> None:
    _, One, *_, create = factory
    one = One(3)
    assert create(one) is one
    with pytest.raises(AssertionError, match="thing is already an instance"):
        create(one, a=4)


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        (("two",), {}, r"two is not registered. Please register with thing.register first .*known: one, x, y"),
        (("on",), {}, "did you mean 'one'"),
        ((), {}, "needs the name"),
        ((5,), {}, "thing must be of string type, got int 5"),
        (('["one", {"a": 10}]',), {"a": 3}, "no further arguments"),
        (('["one"]',), {}, "is not of the form"),
        (("[one",), {}, "looks like JSON"),
        (({"thing": "one"}, 3), {}, "positional"),
    ],
)
def test_create_errors(factory: Any, args: Any, kwargs: Any, words: str) -> None:
    for kind in (AssertionError, ValueError):
        with pytest.raises(kind, match=words):
            factory[-1](*args, **kwargs)


def test_register_again(factory: Any) -> None:
    Thing, One, Two, register, alias, create = factory
    register(One)
    with pytest.warns(UserWarning, match="New thing .*Two registered with name one is overriding existing thing .*One"):
        register(Two, "One")
    assert type(create("one")) is Two
    register(Thing)
    assert create("thing").a == 1
    with pytest.raises(AssertionError, match="Can only register subclass of Thing"):
        register(dict)
    with pytest.raises(TypeError, match="takes a class"):
        register(3)
    with pytest.raises(ValueError, match="string"):
        alias(3)


def test_preserved(factory: Any) -> None:
    Thing, One, _, register, _, create = factory
    with registry.preserved(Thing):
        register(One, "new")
        assert type(create("new")) is One
    with pytest.raises(ValueError, match="new is not registered"):
        create("new")
    register(One, "newer")
    assert type(create("newer")) is One

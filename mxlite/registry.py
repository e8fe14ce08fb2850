# SPDX-License-Identifier: Apache-2.0
"""Classes by name: the registries of metrics, initializers and whatever else is created from a name (`mx.registry`)."""

from __future__ import annotations

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from .base import nearest

T = TypeVar("T", bound=type)


class RegistryError(ValueError, AssertionError):
    """A name that is not registered, or a class or argument that a registry cannot take.

    MXNet raises an AssertionError here; this is one, too.
    """


_registries: dict[type, dict[str, type]] = {}


def get_registry(base_class: type) -> dict[str, type]:
    """A copy of the registered classes of `base_class`, by lower-case name.

    Source: `mxnet.registry.get_registry`.
    """
    return dict(_registries.get(base_class, {}))


@contextlib.contextmanager
def preserved(base_class: type) -> Iterator[None]:
    """What is registered for `base_class` inside the ``with`` block is forgotten at its end."""
    before = get_registry(base_class)
    try:
        yield
    finally:
        _registries[base_class] = before


def get_register_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """A function ``register(klass, name=None)`` for subclasses of `base_class`, usable as a decorator.

    It files `klass` under `name`, or its own name, in lower case, and returns it. Another class under the same name is
    replaced, with a UserWarning. RegistryError: `klass` is no subclass of `base_class`. TypeError: it is no class.

    Args:
        base_class: what all registered classes derive from.
        nickname: what they are, for messages: "metric", "initializer", ...

    Source: `mxnet.registry.get_register_func`.
    """
    classes = _registries.setdefault(base_class, {})

    def register(klass: T, name: str | None = None) -> T:
        if not isinstance(klass, type):
            raise TypeError(f"{nickname}.register takes a class, got {klass!r}")
        if not issubclass(klass, base_class):
            raise RegistryError(f"Can only register subclass of {base_class.__name__} as {nickname}, got {klass}")
        key = _key(klass.__name__ if name is None else name, nickname)
        # Looked up again on every call: `preserved` swaps the dictionary.
        known = _registries.setdefault(base_class, classes)
        old = known.get(key)
        if old is not None and old is not klass:
            warnings.warn(
                f"New {nickname} {klass.__module__}.{klass.__name__} registered with name {key} is "
                f"overriding existing {nickname} {old.__module__}.{old.__name__}",
                UserWarning,
                stacklevel=2,
            )
        known[key] = klass
        return klass

    register.__doc__ = f"Make a class known to the {nickname} registry, under its own name or `name`, in lower case."
    return register


def get_alias_func(base_class: type, nickname: str) -> Callable[..., Callable[[T], T]]:
    """A function ``alias(*names)`` that gives a decorator, which registers a class under all these names.

    Args:
        base_class: what all registered classes derive from.
        nickname: what they are, for messages.

    Source: `mxnet.registry.get_alias_func`.
    """
    register = get_register_func(base_class, nickname)

    def alias(*aliases: str) -> Callable[[T], T]:
        keys = [_key(name, nickname) for name in aliases]

        def decorator(klass: T) -> T:
            for key in keys:
                register(klass, key)
            return klass

        return decorator

    alias.__doc__ = f"Decorator: make a class known to the {nickname} registry under the given names."
    return alias


def get_create_func(base_class: type, nickname: str) -> Callable[..., Any]:
    """A function ``create(name, *args, **kwargs)`` that makes an instance of a registered class.

    `name` is a registered name in any case; a JSON text ``["name", {arguments}]`` or ``{"NICKNAME": "name", ...}``;
    such a dictionary itself; or an instance, which is returned as it is. RegistryError: unknown name (with the
    nearest one), arguments beside an instance or a JSON text, another type, damaged JSON.

    Args:
        base_class: what all registered classes derive from.
        nickname: what they are, for messages and as the key of the dictionary form.

    Source: `mxnet.registry.get_create_func`.
    """

    def create(*args: Any, **kwargs: Any) -> Any:
        if args:
            name, *rest = args
        else:
            if nickname not in kwargs:
                raise RegistryError(f"{nickname}.create needs the name of a {nickname}")
            name, rest = kwargs.pop(nickname), []
        if isinstance(name, base_class):
            if rest or kwargs:
                raise RegistryError(f"{nickname} is already an instance. Additional arguments are invalid")
            return name
        if isinstance(name, dict):
            if rest:
                raise RegistryError(f"{nickname}.create takes no further positional arguments beside a dictionary")
            return create(**{**name, **kwargs})
        if not isinstance(name, str):
            raise RegistryError(f"{nickname} must be of string type, got {type(name).__name__} {name!r}")
        if name.startswith(("[", "{")):
            if rest or kwargs:
                raise RegistryError(f"{nickname}.create takes no further arguments beside the JSON text {name}")
            return _from_json(name)
        known = _registries.get(base_class, {})
        klass = known.get(name.lower())
        if klass is None:
            raise RegistryError(
                f"{name} is not registered. Please register with {nickname}.register first"
                f"{nearest(name.lower(), known)} (known: {', '.join(sorted(known))})"
            )
        return klass(*rest, **kwargs)

    def _from_json(text: str) -> Any:
        try:
            found = json.loads(text)
        except json.JSONDecodeError as e:
            raise RegistryError(f"{text} looks like JSON but is none: {e}") from None
        if isinstance(found, dict):
            return create(**found)
        if len(found) == 2 and isinstance(found[0], str) and isinstance(found[1], dict):
            return create(found[0], **found[1])
        raise RegistryError(f'{text} is not of the form ["name", {{arguments}}]')

    create.__doc__ = f"Make a {nickname} from its name, a JSON text, a dictionary, or return the instance given."
    return create


def _key(name: Any, nickname: str) -> str:
    if not isinstance(name, str):
        raise RegistryError(f"a {nickname} is registered under a string, got {name!r}")
    return name.lower()

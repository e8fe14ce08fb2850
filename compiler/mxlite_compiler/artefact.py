# SPDX-License-Identifier: Apache-2.0
"""Exported networks: one file with the compiled function, its parameters and its description; runs with jax alone.

The file is an uncompressed zip archive of three members:

* ``module.bin``: `jax.export` bytes of ``f(params, inputs) -> outputs``, two dicts of arrays in, a tuple out;
* ``params.npz``: the parameters by name (bfloat16 as uint16);
* ``meta.json``: names, shapes and dtypes of inputs and outputs, the dtypes of the parameters, the platforms.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.export
import numpy as np

from ._atomic import atomic_write
from .errors import MXNetError, nearest

FORMAT, VERSION = "mxlite-artefact", 1
Dim = int | str


@dataclass(frozen=True)
class Spec:
    """An array that goes in or comes out: its name, its shape with open sizes as text, its dtype."""

    name: str
    shape: tuple[Dim, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class Artefact:
    """An exported network.

    Attributes:
        exported: the function ``f(params, inputs)`` as `jax.export` keeps it.
        params: the parameters by name.
        inputs: what a call needs, in order.
        outputs: what it returns, in order.
        jax_version: the jax that exported it.
    """

    exported: jax.export.Exported
    params: Mapping[str, Any]
    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    jax_version: str = jax.__version__

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs."""
        return [spec.name for spec in self.inputs]

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs, such as ``softmax_output``."""
        return [spec.name for spec in self.outputs]

    @property
    def platforms(self) -> tuple[str, ...]:
        """What it runs on: some of cpu, cuda, tpu."""
        return tuple(self.exported.platforms)

    @cached_property
    def _program(self) -> Any:
        return jax.jit(self.exported.call)

    @cached_property
    def _device_params(self) -> Any:
        return jax.device_put(dict(self.params))

    def __call__(self, inputs: Mapping[str, Any] | None = None, **more: Any) -> tuple[jax.Array, ...]:
        """Run on arrays by input name, given as one mapping or as keywords; the outputs in order.

        Raises:
            MXNetError: an input is missing, unknown, or has the wrong shape or dtype; or the platform is not one of
                `platforms`.
        """
        given = {**(inputs or {}), **more}
        self._check_platform()
        arrays = self._check(given)
        return self._program(self._device_params, arrays)

    def _check_platform(self) -> None:
        backend = jax.default_backend()
        found = {"gpu": "cuda"}.get(backend, backend)
        if found not in self.platforms:
            raise MXNetError(f"exported for {', '.join(self.platforms)}, but jax runs on {found} here")
        wide = [s for s in (*self.inputs, *self.outputs) if s.dtype.endswith("64")]
        config: Any = jax.config
        if wide and not config.jax_enable_x64:
            raise MXNetError(f"{wide[0]} needs 64-bit types: call jax.config.update('jax_enable_x64', True) first")

    def _check(self, given: Mapping[str, Any]) -> dict[str, np.ndarray | jax.Array]:
        for name in given:
            if name not in self.input_names:
                legal = ", ".join(self.input_names)
                raise MXNetError(f"no input {name!r}{nearest(name, self.input_names)}; inputs are: {legal}")
        sizes: dict[str, tuple[int, str]] = {}
        arrays = {}
        for spec in self.inputs:
            if spec.name not in given:
                raise MXNetError(f"input {spec} is missing")
            arrays[spec.name] = _fit(given[spec.name], spec, sizes)
        return arrays

    def describe(self) -> str:
        """What it takes and returns, for people."""
        stored = sum(np.asarray(p).nbytes for p in self.params.values())
        return "\n".join(
            [
                *(f"input   {spec}" for spec in self.inputs),
                *(f"output  {spec}" for spec in self.outputs),
                f"params  {len(self.params)} arrays, {stored} bytes",
                f"runs on {', '.join(self.platforms)} (exported by jax {self.jax_version})",
            ]
        )

    def text(self) -> str:
        """The StableHLO module as text."""
        return self.exported.mlir_module()

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file, atomically. The same network gives the same bytes.

        Raises:
            MXNetError: the file cannot be written, or the package flatbuffers, which `jax.export` needs, is missing.
        """
        try:
            module = bytes(self.exported.serialize())
        except ImportError as e:
            raise MXNetError(_FLATBUFFERS) from e
        params = {name: np.asarray(value) for name, value in self.params.items()}
        meta = {
            "format": FORMAT,
            "version": VERSION,
            "inputs": [vars(spec) for spec in self.inputs],
            "outputs": [vars(spec) for spec in self.outputs],
            "params": {name: value.dtype.name for name, value in params.items()},
            "platforms": self.platforms,
            "jax": self.jax_version,
        }
        plain = {n: v.view(np.uint16) if v.dtype.name == "bfloat16" else v for n, v in params.items()}
        members = [
            ("meta.json", json.dumps(meta, indent=1).encode()),
            ("module.bin", module),
            ("params.npz", _zip([(f"{name}.npy", _npy(value)) for name, value in plain.items()])),
        ]
        atomic_write(path, _zip(members))


_FLATBUFFERS = "jax.export needs the package flatbuffers: pip install flatbuffers"


def _npy(value: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, value, allow_pickle=False)
    return out.getvalue()


def _zip(members: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)  # no time of writing: the bytes can be compared
    return out.getvalue()


def _fit(value: Any, spec: Spec, sizes: dict[str, tuple[int, str]]) -> np.ndarray | jax.Array:
    """`value` as the array that `spec` wants; `sizes` collects the open sizes and who gave them."""
    array = value if isinstance(value, jax.Array) else np.asarray(value)
    if array.dtype.name != spec.dtype:
        if not np.can_cast(array.dtype, spec.dtype, "same_kind"):
            raise MXNetError(f"input {spec}: an array of dtype {array.dtype.name} was given; cast it first")
        array = array.astype(spec.dtype)
    if array.ndim != len(spec.shape):
        raise MXNetError(f"input {spec}: an array of shape {array.shape} was given")
    for axis, (size, want) in enumerate(zip(array.shape, spec.shape, strict=True)):
        if isinstance(want, int):
            if size != want:
                raise MXNetError(f"input {spec}: axis {axis} of the array given is {size}, expected {want}")
        elif want.isidentifier():
            if size < 1:
                raise MXNetError(f"input {spec}: {want} is {size}, expected at least 1")
            first, owner = sizes.setdefault(want, (size, spec.name))
            if first != size:
                raise MXNetError(f"input {spec}: {want} is {size}, but {first} in {owner}")
    return array


def load_artefact(path: str | os.PathLike[str]) -> Artefact:
    """Read an exported network.

    Raises:
        MXNetError: the file cannot be read, is damaged, or was written by a newer version.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as e:
        raise MXNetError(f"cannot open {name!r}: {e.strerror or e}") from e
    members = _unzip(data, f"{name!r}", ("meta.json", "module.bin", "params.npz"))
    meta = _read_meta(members["meta.json"], name)
    params = _read_params(members["params.npz"], meta, name)
    try:
        exported = jax.export.deserialize(bytearray(members["module.bin"]))
    except ImportError as e:
        raise MXNetError(_FLATBUFFERS) from e
    except Exception as e:  # whatever a reader of foreign bytes raises
        raise MXNetError(
            f"jax {jax.__version__} cannot read the module of {name!r}, exported by jax {meta['jax']}: {e}"
        ) from e
    return Artefact(exported, params, _specs(meta, "inputs"), _specs(meta, "outputs"), meta["jax"])


def _unzip(data: bytes, name: str, wanted: Sequence[str] = ()) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            # Nothing is compressed, so nothing unpacks to more than the file holds.
            if any(i.compress_type != zipfile.ZIP_STORED for i in infos) or sum(i.file_size for i in infos) > len(data):
                raise MXNetError(f"{name} is damaged: its members are larger than the file")
            members = {info.filename: archive.read(info) for info in infos}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError) as e:
        if isinstance(e, MXNetError):
            raise
        raise MXNetError(f"{name} is no exported network: {e}") from None
    for member in wanted:
        if member not in members:
            raise MXNetError(f"{name} is no exported network: {member} is missing in it")
    return members


def _read_meta(data: bytes, name: str) -> dict[str, Any]:
    try:
        meta = json.loads(data)
        if meta["format"] != FORMAT:
            raise ValueError(f"format {meta['format']!r}")
        if meta["version"] > VERSION:
            raise MXNetError(f"{name!r} has format version {meta['version']}; this mxlite reads up to {VERSION}")
        for spec in (*_specs(meta, "inputs"), *_specs(meta, "outputs")):
            np.dtype(spec.dtype)
        dict.items(meta["params"])
        str.split(meta["jax"])
    except (KeyError, TypeError, ValueError, RecursionError) as e:
        raise MXNetError(f"{name!r}: meta.json is damaged: {e!r}") from None
    return meta


def _specs(meta: Mapping[str, Any], kind: str) -> tuple[Spec, ...]:
    return tuple(Spec(s["name"], tuple(s["shape"]), s["dtype"]) for s in meta[kind])


def _read_params(data: bytes, meta: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    members = _unzip(data, f"params.npz in {name!r}")
    params = {}
    for key, dtype in meta["params"].items():
        if f"{key}.npy" not in members:
            raise MXNetError(f"{name!r}: parameter {key!r} is missing")
        try:
            raw = np.lib.format.read_array(io.BytesIO(members[f"{key}.npy"]), allow_pickle=False)
            params[key] = raw.view(np.dtype(dtype))
        except (ValueError, TypeError, EOFError, OSError) as e:
            raise MXNetError(f"{name!r}: parameter {key!r} is damaged: {e}") from None
    return params

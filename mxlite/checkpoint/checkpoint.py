# SPDX-License-Identifier: Apache-2.0
"""`Checkpoint`: a training that is killed at any moment goes on with the last epoch that it finished."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..base import MXNetError
from ..model import load_params, save_checkpoint
from ..serialize import atomic_write, read_file
from . import record, state, workers

if TYPE_CHECKING:
    from ..module.base_module import BaseModule
    from ..module.module import Module
    from ..module.updates import UpdateRule

_ENDING = ".resume.json"


class Checkpoint:
    """Saves a training at the end of its epochs, and lets the same script, started again, go on.

        module.fit(train, num_epoch=90, checkpoint=mx.model.Checkpoint("run/net", keep=3))

    After epoch 3, counted from 1, there are::

        run/net-symbol.json        the network                              as MXNet writes and reads it
        run/net-0003.params        parameters, auxiliary states             as MXNet writes and reads it
        run/net-0003.states        the optimizer's arrays                   as MXNet writes and reads it
        run/net-0003.resume.json   update counts, rates, the scheduler; `mx.random`, `numpy.random` and `random`; where
                                   the iterators stand; arrays of `state_names`; size and SHA-256 of the others

    The last is written last, each atomically, so a checkpoint is complete or is not taken for one. A resumed training
    has the weights of one that was never interrupted, bit for bit on the same machine, if all random numbers come from
    those three generators and the iterators have `state_dict` and `load_state_dict`; one without them begins the epoch
    with its `reset()`. What callbacks and metrics of the script keep to themselves is theirs to keep.

    A `SequentialModule` has no symbol, and one ``run/net-0003.0.states`` for each module with an optimizer; a
    `BucketingModule` saves the symbol of its default bucket.

    Processes that train together (``kvstore="dist_sync"``) all call `fit` with the same `prefix`, on a disk that all of
    them see. Worker 0 writes, with what each of the others has to remember, and says from which epoch all go on.

    Args:
        prefix: path without the endings. Its folder must exist.
        period: save every so many epochs.
        keep: how many checkpoints are kept; the oldest go when a new one is complete. None keeps all.
        resume: whether `fit` begins with the newest complete checkpoint, if there is one. False begins anew, and what
            is there is never resumed from: the records of it are deleted, the other files stay.

    Raises:
        ValueError: `period` or `keep` is no positive number.
    """

    def __init__(self, prefix: str | os.PathLike[str], period: int = 1, keep: int | None = None, resume: bool = True):
        for name, value in (("period", period), ("keep", keep)):
            if not (value is None and name == "keep") and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a positive number, got {value!r}")
        self.prefix = os.fspath(prefix)
        self.period, self.keep, self.resume = period, keep, resume
        self._told: set[str] = set()

    def epochs(self) -> list[int]:
        """The epochs that have a record, whole or not, in order."""
        return sorted(self._numbered(re.escape(_ENDING)))

    def newest(self, logger: Any = logging) -> int | None:
        """The last epoch whose checkpoint is complete; a warning names each that is not. None when there is none."""
        for epoch in reversed(self.epochs()):
            try:
                return record.read(self._path(epoch, _ENDING)).epoch
            except record.Incomplete as e:
                logger.warning("Checkpoint of epoch %d is left out: %s", epoch, e)
        return None

    # Called by `fit`.

    def begin(self, module: BaseModule, epoch: int = 0, train_data: Any = None, eval_data: Any = None) -> int:
        """Restore the newest complete checkpoint, unless it is older than `epoch`.

        Args:
            module: bound, with parameters and optimizer.
            epoch: where the training would begin without a checkpoint.
            train_data, eval_data: the iterators; `train_data` is reset to the epoch that is next.

        Returns:
            The epoch to begin with.

        Raises:
            MXNetError: the checkpoint is one of another network, optimizer or batch size.
        """
        all_workers = workers.count(module._parts())
        newest = self._prepare(module.logger) if workers.rank(all_workers) == 0 else None
        found = workers.agreed(newest, all_workers)
        if found is None or found < epoch:
            return epoch
        path, iterators = self._path(found, _ENDING), _present(train_data, eval_data)
        try:
            self._restore(module, record.read(path), iterators)
        except (MXNetError, RuntimeError, ValueError) as e:
            seen = "" if all_workers == 1 else "All workers read what worker 0 has found. "
            raise MXNetError(
                f"cannot resume from {path!r}: {e}. {seen}Train it as it was, or give another prefix; "
                "Checkpoint(..., resume=False) begins anew"
            ) from e
        if train_data is not None:
            train_data.reset()
        module.logger.info('Resumed from "%s" at epoch %d', path, found)
        return found

    def _prepare(self, logger: Any) -> int | None:
        """Tidy up, and find the newest checkpoint."""
        self._clean()
        if self.resume:
            newest = self.newest(logger)
            if newest is not None:
                self._prune(newest)  # a run may have been killed before it came to that
            return newest
        for old in self.epochs():
            _remove(self._path(old, _ENDING))
        return None

    def end_epoch(self, module: BaseModule, epoch: int, train_data: Any = None, eval_data: Any = None) -> None:
        """Save, when it is time: every `period` epochs. The arguments are those of `save`."""
        if epoch % self.period == 0:
            self.save(module, epoch, train_data, eval_data)

    # By hand.

    def save(self, module: BaseModule, epoch: int, train_data: Any = None, eval_data: Any = None) -> None:
        """Write a checkpoint.

        Args:
            module: with parameters and optimizer.
            epoch: how many epochs are done.
            train_data, eval_data: the iterators, before the `reset` to the next epoch.

        Raises:
            MXNetError: a file cannot be written; it is named. Older checkpoints stay whole.
        """
        iterators = {name: state.iterator_state(it) for name, it in _present(train_data, eval_data).items()}
        for name, saved in iterators.items():
            if saved["position"] is None and name not in self._told:
                self._told.add(name)
                module.logger.info("%s cannot tell where it stands: a resumed epoch begins with its reset()", name)
        parts = module._parts()
        rules, all_workers = _rules(parts), workers.count(parts)
        own = {
            "iterators": iterators,
            "carried": [part.get_states() for part in parts],
            "keys": [None if part._placement is None else part._placement.state_dict() for part in parts],
            # Last: iterators that work ahead have come to rest by now.
            "random": state.random_state(),
        }
        held = {
            "optimizers": [state.optimizer_state(state.counting(rule.optimizer), module.logger) for rule in rules],
            "workers": workers.gathered(own, all_workers),
        }
        args, aux = module.get_params()
        if workers.rank(all_workers) > 0:
            return
        save_checkpoint(self.prefix, epoch, parts[0].symbol if len(parts) == 1 else None, args, aux)
        paths = self._states_paths(epoch, len(rules))
        for path, rule in zip(paths, rules, strict=True):
            atomic_write(path, rule.dumps())
        files = record.describe([self._path(epoch, ".params"), *paths])
        record.write(self._path(epoch, _ENDING), record.Record(epoch, files, held))
        self._prune(epoch)

    def _restore(self, module: BaseModule, found: record.Record, iterators: Mapping[str, Any]) -> None:
        args, aux = load_params(self.prefix, found.epoch)
        parts, saved = module._parts(), found.state
        rules, all_workers = _rules(parts), workers.count(parts)
        if len(rules) != len(saved["optimizers"]):
            raise MXNetError(f"it has {len(saved['optimizers'])} optimizers, this module has {len(rules)}")
        if len(saved["workers"]) != all_workers:
            raise MXNetError(f"{len(saved['workers'])} processes trained it together, now there are {all_workers}")
        own = saved["workers"][workers.rank(all_workers)]
        dumped = [read_file(path) for path in self._states_paths(found.epoch, len(rules))]
        # What can be refused comes before what changes something.
        for rule, kept in zip(rules, saved["optimizers"], strict=True):
            state.check_optimizer(state.counting(rule.optimizer), kept)
        both = {name: it for name, it in iterators.items() if name in own["iterators"]}
        for name, it in both.items():
            state.check_iterator(name, it, own["iterators"][name])
        module.set_params(args, aux)
        for rule, kept, data in zip(rules, saved["optimizers"], dumped, strict=True):
            rule.loads(data)
            state.load_optimizer(state.counting(rule.optimizer), kept, module.logger)
        for part, states, keys in zip(parts, own["carried"], own["keys"], strict=True):
            if states:
                part.set_states(states)
            if keys is not None and part._placement is not None:
                part._placement.load_state_dict(keys)
        for name, it in both.items():
            state.load_iterator(it, own["iterators"][name])
        state.load_random(own["random"])

    # Files.

    def _path(self, epoch: int, ending: str) -> str:
        return f"{self.prefix}-{epoch:04d}{ending}"

    def _states_paths(self, epoch: int, count: int) -> list[str]:
        return [self._path(epoch, ".states" if count == 1 else f".{i}.states") for i in range(count)]

    def _numbered(self, ending: str) -> dict[int, list[str]]:
        """The files ``PREFIX-EPOCH`` with an ending that matches, by epoch."""
        folder, name = os.path.split(self.prefix)
        pattern = re.compile(rf"{re.escape(name)}-(\d{{4,}}){ending}")
        found: dict[int, list[str]] = {}
        for entry in os.listdir(folder or ".") if os.path.isdir(folder or ".") else ():
            if match := pattern.fullmatch(entry):
                found.setdefault(int(match[1]), []).append(os.path.join(folder, entry))
        return found

    def _prune(self, newest: int) -> None:
        """Delete the oldest, up to the complete checkpoint `newest`: later ones are damaged, and count for nothing.

        The record goes last, so that a run killed here leaves nothing that is not found again.
        """
        if self.keep is None:
            return
        files = self._numbered(r"\.(params|(\d+\.)?states)")
        for epoch in [epoch for epoch in self.epochs() if epoch <= newest][: -self.keep]:
            for path in files.get(epoch, ()):
                _remove(path)
            _remove(self._path(epoch, _ENDING))

    def _clean(self) -> None:
        """Delete the temporary files of killed runs."""
        folder, name = os.path.split(self.prefix)
        pattern = re.compile(rf"\.{re.escape(name)}-(symbol\.json|\d{{4,}}\.[\w.]*)\.\w+\.tmp")
        for entry in os.listdir(folder or ".") if os.path.isdir(folder or ".") else ():
            if pattern.fullmatch(entry):
                with contextlib.suppress(OSError):
                    os.unlink(os.path.join(folder, entry))


def _rules(parts: Sequence[Module]) -> list[UpdateRule]:
    return [part._update_rule() for part in parts]


def _present(train_data: Any, eval_data: Any) -> dict[str, Any]:
    return {name: it for name, it in (("train_data", train_data), ("eval_data", eval_data)) if it is not None}


def _remove(path: str) -> None:
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    except OSError as e:
        raise MXNetError(f"cannot delete {path!r}: {e.strerror or e}") from e

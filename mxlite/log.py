# SPDX-License-Identifier: Apache-2.0
"""`mx.log`: loggers with a short head for each line: ``W1124 16:34:07 12835 train.py:main:55] message``."""

from __future__ import annotations

import logging
import sys
import warnings
from logging import CRITICAL as CRITICAL
from logging import DEBUG as DEBUG
from logging import ERROR as ERROR
from logging import INFO as INFO
from logging import NOTSET as NOTSET
from logging import WARNING as WARNING

#: The root logger, for messages that may come before the program has set up its log: ``logging.info`` would set it up
#: in its own way, and the program's ``basicConfig`` would do nothing.
ROOT = logging.getLogger()

_RESET = "\x1b[0m"


def _colour(level: int) -> str:
    return "\x1b[31m" if level >= WARNING else "\x1b[32m" if level >= INFO else "\x1b[34m"


class _Formatter(logging.Formatter):
    """Level (one letter), month and day, time, process, place, and the message; in colour on a terminal."""

    def __init__(self, colored: bool):
        super().__init__("%(message)s", datefmt="%m%d %H:%M:%S")
        self.colored = colored

    def format(self, record: logging.LogRecord) -> str:
        place = f"{record.pathname}:{record.funcName}:{record.lineno}]"
        head = f"{record.levelname[0]}{self.formatTime(record, self.datefmt)} {record.process} {place}"
        if self.colored:
            head = f"{_colour(record.levelno)}{head}{_RESET}"
        return f"{head} {super().format(record)}"


class _Handled:
    """Marks a logger that has its handler."""


def get_logger(
    name: str | None = None, filename: str | None = None, filemode: str | None = None, level: int = WARNING
) -> logging.Logger:
    """The logger `name`. The first call for a name gives it a handler and its level, later ones change nothing.

    Args:
        name: dotted name; the root logger by default, which gets no handler of this kind.
        filename: write the bare messages to this file; by default lines with heads go to stderr.
        filemode: how to open it; "a" by default.
        level: the lowest level that is logged.

    Source: `mx.log.get_logger`. Heads are coloured on a terminal only (in MXNet everywhere).
    """
    logger = logging.getLogger(name)
    if name is None or getattr(logger, "_mxlite", None) is _Handled:
        return logger
    if filename:
        handler: logging.Handler = logging.FileHandler(filename, filemode or "a")
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(_Formatter(colored=sys.stderr.isatty()))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger._mxlite = _Handled  # pyright: ignore[reportAttributeAccessIssue]
    return logger


def getLogger(
    name: str | None = None, filename: str | None = None, filemode: str | None = None, level: int = WARNING
) -> logging.Logger:
    """The old name of `get_logger`; warns of its deprecation."""
    warnings.warn("getLogger is deprecated, Use get_logger instead.", DeprecationWarning, stacklevel=2)
    return get_logger(name, filename, filemode, level)

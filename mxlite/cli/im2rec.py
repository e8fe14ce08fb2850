# SPDX-License-Identifier: Apache-2.0
"""``mxlite im2rec PREFIX ROOT``: lists of the pictures in a folder, and files of records from such lists.

``mxlite im2rec --list --recursive data/cats cats/`` writes ``data/cats.lst``; ``mxlite im2rec data/cats cats/`` packs
every list whose path begins with ``data/cats`` into a ``.rec`` and an ``.idx``. Both as MXNet's ``tools/im2rec.py``.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from mxlite_compiler._atomic import atomic_write

from ..base import MXNetError
from ..recordio import IRHeader, pack, pack_img
from ..recordio.framing import encode
from ..recordio.lists import Listed, read_list
from ..recordio.opencv import opencv
from ..recordio.pictures import decode

#: Pictures that a process packs at a time.
_CHUNK = 16


@dataclass(frozen=True)
class Packing:
    """How pictures become records; see the options of the command."""

    root: str
    pass_through: bool = False
    resize: int = 0
    center_crop: bool = False
    quality: int = 95
    color: int = 1
    encoding: str = ".jpg"
    pack_label: bool = False


def add_parser(commands: Any) -> None:
    """Enter the command into the command line."""
    p = commands.add_parser("im2rec", help="list the pictures of a folder, and pack them into a file of records")
    p.add_argument("prefix", metavar="PREFIX", help="of the .lst, .rec and .idx files")
    p.add_argument("root", metavar="ROOT", help="the folder of the pictures")
    lists = p.add_argument_group("making lists")
    lists.add_argument("--list", action="store_true", help="make a list, not records")
    lists.add_argument("--exts", nargs="+", default=[".jpeg", ".jpg", ".png"], metavar=".EXT", help="of pictures")
    lists.add_argument("--chunks", type=_positive, default=1, metavar="N", help="make so many lists")
    lists.add_argument("--train-ratio", type=_share, default=1.0, metavar="X", help="share of PREFIX_train.lst")
    lists.add_argument("--test-ratio", type=_share, default=0.0, metavar="X", help="share of PREFIX_test.lst")
    lists.add_argument("--recursive", action="store_true", help="folders below, too; each is a class with a number")
    shuffled = {"action": argparse.BooleanOptionalAction, "default": True}
    lists.add_argument("--shuffle", **shuffled, help="whether the list is shuffled, always in the same way")
    records = p.add_argument_group("making records")
    records.add_argument("--pass-through", action="store_true", help="take the files as they are")
    records.add_argument("--resize", type=_size, default=0, metavar="SIZE", help="of the shorter side")
    records.add_argument("--center-crop", action="store_true", help="cut out the square in the middle first")
    records.add_argument("--quality", type=int, default=95, metavar="N", help="of a JPEG 1 to 100, of a PNG 0 to 9")
    records.add_argument("--num-thread", type=_positive, default=1, metavar="N", help="work in so many processes")
    colours = {1: "in colour", 0: "grey", -1: "as it is"}
    told = ", ".join(f"{number} {what}" for number, what in colours.items())
    records.add_argument("--color", type=int, default=1, choices=[-1, 0, 1], help=told)
    records.add_argument("--encoding", default=".jpg", choices=[".jpg", ".png"], help="how pictures are stored")
    packed = {"action": argparse.BooleanOptionalAction, "default": False}
    records.add_argument("--pack-label", **packed, help="all labels of the list, not only the first")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make lists or records. 1 when pictures were left out; MXNetError tells what does not work."""
    if not os.path.isdir(args.root):
        raise MXNetError(f"root: {args.root!r} is no folder")
    if args.list:
        make_lists(args)
        return 0
    names = {name: getattr(args, name) for name in Packing.__dataclass_fields__}
    broken = 0
    for path in lists_of(args.prefix):
        broken += pack_list(path, Packing(**names), args.num_thread)
    if broken:
        print(f"{broken} pictures could not be packed; they are named above", file=sys.stderr)
    return int(broken > 0)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _size(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pixels")
    return int(text)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share from 0 to 1")
    return share


# Lists.


def make_lists(args: argparse.Namespace) -> None:
    """Write the lists of the pictures of a folder."""
    if args.train_ratio + args.test_ratio > 1:
        raise MXNetError(f"--train-ratio {args.train_ratio:g} and --test-ratio {args.test_ratio:g} are more than 1")
    found = list(pictures(args.root, args.recursive, {ext.lower() for ext in args.exts}))
    if not found:
        below = "" if args.recursive else "; --recursive looks in the folders below, too"
        raise MXNetError(f"{args.root!r} holds no pictures {', '.join(args.exts)}{below}")
    if args.shuffle:
        random.Random(100).shuffle(found)  # MXNet's seed: the list is the same
    size = -(-len(found) // args.chunks)
    for number in range(args.chunks):
        name = args.prefix + (f"_{number}" if args.chunks > 1 else "")
        chunk = found[number * size : (number + 1) * size]
        for ending, part in _split(chunk, size, args.train_ratio, args.test_ratio):
            atomic_write(f"{name}{ending}.lst", "".join(x.line() for x in part).encode("utf-8", "surrogateescape"))
            print(f"wrote {name}{ending}.lst: {len(part)} pictures")


def _split(chunk: list[Listed], size: int, train: float, test: float) -> Iterator[tuple[str, list[Listed]]]:
    """The parts of a list of `size` pictures, with the endings of their names."""
    if train == 1:
        yield "", chunk
        return
    tests, trains = int(size * test), int(size * train)
    if test:
        yield "_test", chunk[:tests]
    if train + test < 1:
        yield "_val", chunk[tests + trains :]
    yield "_train", chunk[tests : tests + trains]


def pictures(root: str, recursive: bool, exts: set[str]) -> Iterator[Listed]:
    """The pictures of a folder in the order of their names; each folder below is a class."""
    classes: dict[str, int] = {}
    number = 0
    for folder, below, names in os.walk(root, followlinks=True):
        below.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.splitext(name)[1].lower() in exts and os.path.isfile(path):
                label = classes.setdefault(folder, len(classes))
                yield Listed(number, (float(label),), os.path.relpath(path, root))
                number += 1
        if not recursive:
            return
    for folder, label in classes.items():
        print(os.path.relpath(folder, root), label)


# Records.


def lists_of(prefix: str) -> list[str]:
    """The lists whose path begins with `prefix`. MXNetError when there are none."""
    folder = prefix if os.path.isdir(prefix) else os.path.dirname(prefix)
    try:
        names = sorted(os.listdir(folder or "."))
    except OSError as e:
        raise MXNetError(f"cannot list {folder!r}: {e.strerror or e}") from e
    found = [path for path in (os.path.join(folder, name) for name in names) if path.endswith(".lst")]
    found = [path for path in found if path.startswith(prefix) and os.path.isfile(path)]
    if not found:
        raise MXNetError(f"there is no list {prefix}*.lst: make it with --list first")
    return found


def pack_list(path: str, packing: Packing, processes: int) -> int:
    """Pack the pictures of a list into a ``.rec`` and an ``.idx`` beside it; returns how many could not be packed.

    Both files appear when they are whole. MXNetError when they cannot be written, or no picture can be packed.
    """
    listed = list(read_list(path))
    stem = os.path.splitext(path)[0]
    broken: list[str] = []
    index: list[str] = []

    def pieces() -> Iterator[bytes]:
        at = 0
        for item, record in _progress(_packed(listed, packing, processes), len(listed), os.path.basename(stem)):
            if isinstance(record, str):
                broken.append(record)
                print(f"skipped {os.path.join(packing.root, item.path)}: {record}", file=sys.stderr)
                continue
            index.append(f"{item.number}\t{at}\n")
            piece = encode(record)
            at += len(piece)
            yield piece
        if not index:
            raise MXNetError(f"{path!r}: none of {len(listed)} pictures could be packed")

    atomic_write(f"{stem}.rec", pieces())
    atomic_write(f"{stem}.idx", "".join(index).encode())
    print(f"wrote {stem}.rec and .idx: {len(index)} pictures" + (f", {len(broken)} left out" if broken else ""))
    return len(broken)


def pack_one(item: Listed, packing: Packing) -> bytes | str:
    """The record of a picture, or what is wrong with it."""
    labels = list(item.labels)
    # As in MXNet, one label is no vector.
    label = labels if packing.pack_label and len(labels) > 1 else labels[0]
    header = IRHeader(0, label, item.number, 0)
    try:
        content = Path(packing.root, item.path).read_bytes()
        if packing.pass_through:
            return pack(header, content)
        picture = decode(content, packing.color)
        if packing.center_crop:
            picture = _square(picture)
        if packing.resize:
            picture = _resized(picture, packing.resize)
        return pack_img(header, picture, packing.quality, packing.encoding)
    except OSError as e:
        return str(e.strerror or e)
    except MXNetError as e:
        return str(e)


def _square(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _resized(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with a shorter side of `side`."""
    cv2 = opencv()
    if cv2 is None:
        raise MXNetError("--resize needs opencv-python-headless, which is not installed: pip install 'mxlite[image]'")
    height, width = picture.shape[:2]
    size = (side, height * side // width) if height > width else (width * side // height, side)
    return cv2.resize(picture, size)


def _packed(listed: Sequence[Listed], packing: Packing, processes: int) -> Iterator[tuple[Listed, bytes | str]]:
    """Each picture and its record, or what is wrong with it, in the order of the list."""
    work = partial(pack_one, packing=packing)
    if processes == 1:
        yield from zip(listed, map(work, listed), strict=True)
        return
    # Processes are begun anew: one that is forked would have the locks of JAX's threads, but not the threads.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield from zip(listed, _in_order(pool, work, listed, 4 * processes), strict=True)
        except BrokenProcessPool:
            raise MXNetError("a process that packs pictures has died; with --num-thread 1 there is none") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, work: Callable[[Listed], bytes | str], items: Iterable[Listed], ahead: int
) -> Iterator[bytes | str]:
    """What `work` makes of each, in order; only so much is done ahead of what is taken."""
    left = iter(items)
    coming: deque[Any] = deque()
    while True:
        while len(coming) < ahead and (chunk := list(islice(left, _CHUNK))):
            coming.append(pool.submit(_each, work, chunk))
        if not coming:
            return
        yield from coming.popleft().result()


def _each(work: Callable[[Listed], bytes | str], chunk: list[Listed]) -> list[bytes | str]:
    return [work(item) for item in chunk]


def _progress(items: Iterable[Any], total: int, name: str) -> Iterable[Any]:
    """With a bar on a terminal, where tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return items
    return tqdm(items, name, total, unit="picture", disable=None)

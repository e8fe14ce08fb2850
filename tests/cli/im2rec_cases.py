# SPDX-License-Identifier: Apache-2.0
"""What MXNet's tools/im2rec.py (`record_im2rec.py`) and ``mxlite im2rec`` (`test_im2rec.py`) are told."""

#: The pictures, below a folder.
PICTURES = ["cats/b.png", "cats/a.jpg", "cats/small/z.png", "dogs/x.JPG", "dogs/y.png", "top.png", "dogs/q.jpeg"]
#: prefix -> options, to make lists.
LISTS = {
    "all": ["--recursive"],
    "flat": [],
    "plain": ["--recursive", "--no-shuffle"],
    "exts": ["--recursive", "--exts", ".png"],
    "split": ["--recursive", "--train-ratio", "0.5", "--test-ratio", "0.2"],
    "chunk": ["--recursive", "--chunks", "2"],
    "both": ["--recursive", "--chunks", "2", "--train-ratio", "0.6"],
}
#: prefix -> options, to pack the list "plain", or, where the name says so, one with two labels.
RECORDS = {
    "pass": ["--pass-through"],
    "jpeg": ["--quality", "80"],
    "resized": ["--resize", "16", "--encoding", ".png", "--quality", "3"],
    "cropped": ["--center-crop", "--resize", "12", "--encoding", ".png", "--quality", "9"],
    "grey": ["--color", "0", "--encoding", ".png", "--quality", "9"],
    "two_packed": ["--pack-label", "--pass-through"],
    "two_first": ["--pass-through"],
}


def list_for(prefix, plain):
    """The list to pack, made of the text of the list "plain"."""
    if not prefix.startswith("two"):
        return plain
    return "".join("\t".join([*line.split("\t")[:2], "7.5", line.split("\t")[2]]) for line in plain.splitlines(True))

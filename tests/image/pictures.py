# SPDX-License-Identifier: Apache-2.0
"""Pictures and files for the cases. Runs in Python 3.8, too."""

import os
import struct
import zlib


def noise(np, height, width, seed=0):
    """uint8 (height, width, 3)."""
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype("uint8")


def smooth(np, height, width):
    """uint8 (height, width, 3): a wave of each colour, as photographs are."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 5.0 + y / 9.0), np.cos(x / 7.0 - y / 4.0), np.sin(y / 3.0)]
    return np.stack([127.5 + 120 * wave for wave in waves], 2).astype("uint8")


def png(pixels):
    """The content of a PNG file with `pixels`, uint8 (height, width, 3), red first."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + pixels[i].tobytes() for i in range(height))
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*part) for part in parts)


def _chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def photograph(orientation, first=True):
    """The content of a JPEG file, which a camera held so (EXIF, 1 to 8) wrote; its EXIF data first, or after JFIF's."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/image/picture.jpg"), "rb") as f:
        data = f.read()
    entry = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    head = b"Exif\0\0II*\0" + struct.pack("<I", 8) + entry
    at = 2 if first else 20
    return data[:at] + b"\xff\xe1" + struct.pack(">H", len(head) + 2) + head + data[at:]


def flat(np, number, height=6, width=8):
    """A picture whose colours all are ten times its number."""
    return np.full((height, width, 3), 10 * number, "uint8")


def write_records(mx, np, folder, name, labels, index=True):
    """Records with flat pictures, numbered; their paths as keywords of an iterator."""
    paths = {"path_imgrec": os.path.join(folder, name + ".rec"), "path_imgidx": os.path.join(folder, name + ".idx")}
    file = mx.recordio.MXIndexedRecordIO(paths["path_imgidx"], paths["path_imgrec"], "w")
    for i, label in enumerate(labels):
        file.write_idx(i, mx.recordio.pack((0, label, i, 0), png(flat(np, i))))
    file.close()
    if not index:
        del paths["path_imgidx"]
    return paths


def write_list(np, folder, name, labels):
    """Picture files and a list of them, whose keys begin with 100; the keywords of an iterator."""
    lines = []
    for i, label in enumerate(labels):
        with open(os.path.join(folder, f"{name}{i}.png"), "wb") as f:
            f.write(png(flat(np, i)))
        numbers = label if isinstance(label, (list, tuple)) else [label]
        lines.append("\t".join([str(100 + i)] + [str(x) for x in numbers] + [f"{name}{i}.png"]))
    path = os.path.join(folder, name + ".lst")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    return {"path_imglist": path, "path_root": folder}

# SPDX-License-Identifier: Apache-2.0
"""``python im2rec.py PREFIX ROOT ...`` is ``mxlite im2rec PREFIX ROOT ...``, for programs that look for MXNet's script.

`mx.test_utils.get_im2rec_path` tells where this file is.
"""

from __future__ import annotations

import sys

from mxlite.cli import main

if __name__ == "__main__":
    sys.exit(main(["im2rec", *sys.argv[1:]]))

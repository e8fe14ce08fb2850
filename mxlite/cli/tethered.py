# SPDX-License-Identifier: Apache-2.0
"""``python tethered.py COMMAND ARGUMENT ...`` becomes the command, and is killed when its parent ends. Linux only.

A file to be run, not imported: doing the same between fork and exec is not safe in a process with threads.
"""

import ctypes
import os
import signal
import sys

#: Number of the option of prctl by which a process is sent a signal when its parent ends.
PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    os.execvp(sys.argv[1], sys.argv[1:])

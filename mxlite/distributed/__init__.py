# SPDX-License-Identifier: Apache-2.0
"""Jobs of several processes, the workers: joining one, knowing one's rank, summing arrays over all of them.

Importing mxlite joins the job that the environment describes (``mxlite launch`` sets the variables), so a training
script needs no line for it. `initialize` does it by hand.
"""

from __future__ import annotations

import os

from .collectives import allreduce as allreduce
from .collectives import broadcast as broadcast
from .job import barrier as barrier
from .job import describe as describe
from .job import initialize as initialize
from .job import is_initialized as is_initialized
from .job import join as _join
from .job import launching as launching
from .job import num_workers as num_workers
from .job import rank as rank

_join(os.environ)

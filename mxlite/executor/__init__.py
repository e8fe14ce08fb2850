# SPDX-License-Identifier: Apache-2.0
"""`Executor`: a Symbol bound to arrays, and the training step that it holds back."""

from .bind import allocate as allocate
from .bind import bind as bind
from .bind import grad_reqs as grad_reqs
from .bind import simple_bind as simple_bind
from .executor import Executor as Executor
from .layout import Batch as Batch
from .mesh import Placement as Placement
from .mesh import distinct as distinct
from .mesh import unsplittable as unsplittable

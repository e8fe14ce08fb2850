# SPDX-License-Identifier: Apache-2.0
"""The operators, one file a family. Importing the package registers them all."""

from . import activation as activation
from . import align as align
from . import boolean_mask as boolean_mask
from . import boxes as boxes
from . import broadcast as broadcast
from . import contrib as contrib
from . import control_flow as control_flow
from . import conv as conv
from . import copying as copying
from . import correlation as correlation
from . import creation as creation
from . import ctc as ctc
from . import deformable as deformable
from . import deformable_roi as deformable_roi
from . import dot as dot
from . import elemwise as elemwise
from . import extend as extend
from . import factor as factor
from . import fft as fft
from . import finite as finite
from . import hawkes as hawkes
from . import image as image
from . import image_codec as image_codec
from . import image_color as image_color
from . import index as index
from . import joining as joining
from . import linalg as linalg
from . import loss as loss
from . import multi_optim as multi_optim
from . import multibox as multibox
from . import nn as nn
from . import norm as norm
from . import optim as optim
from . import optim_contrib as optim_contrib
from . import patches as patches
from . import pdf as pdf
from . import pool as pool
from . import proposal as proposal
from . import random as random
from . import reduce as reduce
from . import reshape as reshape
from . import resize as resize
from . import rnn as rnn
from . import roi as roi
from . import sampling as sampling
from . import sequence as sequence
from . import slicing as slicing
from . import sorting as sorting
from . import sparse as sparse
from . import transformer as transformer
from . import transpose as transpose
from . import triangles as triangles
from . import upsample as upsample

sparse.add_sparse_names()  # names of operators of all families

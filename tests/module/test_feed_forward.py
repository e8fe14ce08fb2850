# SPDX-License-Identifier: Apache-2.0
"""`mx.model.FeedForward`; its trainings are compared with MXNet's in test_family.py."""

from __future__ import annotations

import pickle
from typing import Any, cast

import numpy as np
import pytest

import mxlite as mx
from tests.module import family

pytestmark = pytest.mark.filterwarnings("ignore:mxnet.model.FeedForward has been deprecated")


def _net():
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc"), name="softmax")


def _made(**options):
    return mx.model.FeedForward(_net(), **options)


def test_it_is_deprecated():
    with pytest.warns(DeprecationWarning, match=r"Please use mxnet\.mod\.Module instead"):
        _made()


def test_create_save_load_predict(tmp_path):
    seen = []
    net = mx.model.FeedForward.create(
        _net(),
        family.X,
        family.Y,
        num_epoch=2,
        learning_rate=0.1,
        epoch_end_callback=lambda epoch, symbol, args, aux: seen.append((epoch, sorted(args), aux)),
    )
    assert seen == [(epoch, ["fc_bias", "fc_weight"], {}) for epoch in (0, 1)]
    wanted = net.predict(family.X)
    assert wanted.shape == (8, 3)
    prefix = str(tmp_path / "a")
    net.save(prefix)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a-0002.params", "a-symbol.json"]
    again = mx.model.FeedForward.load(prefix, 2)
    assert again.begin_epoch == 2
    for iterator in (family.X, mx.nd.array(family.X), mx.io.NDArrayIter(family.X, None, 3)):
        np.testing.assert_allclose(again.predict(iterator), wanted, rtol=1e-6)
    assert again.predict(mx.io.NDArrayIter(family.X, None, 3), num_batch=1).shape == (3, 3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(again)).predict(family.X), again.predict(family.X))


def test_parameters_that_the_symbol_lacks_are_left_out_on_request():
    given = {"zz": mx.nd.ones(1), "fc_bias": mx.nd.ones(3)}
    kept = _made(arg_params=given, aux_params={}, allow_extra_params=True).arg_params
    assert kept is not None and list(kept) == ["fc_bias"]


MISTAKES = {
    "no epochs": (lambda: _made().fit(family.X, family.Y), TypeError, "num_epoch"),
    "no labels": (lambda: _made(num_epoch=1).fit(family.X), ValueError, "y must be specified"),
    "few labels": (lambda: _made(num_epoch=1).fit(family.X, family.Y[:3]), ValueError, "8 and 3"),
    "wide labels": (lambda: _made(num_epoch=1).fit(family.X, np.ones((8, 2))), ValueError, "1D or 2D"),
    "no data": (lambda: _made(num_epoch=1).fit(3), TypeError, "X must be DataIter"),
    "no parameters": (lambda: _made().predict(family.X), AssertionError, "call fit"),
    "nothing to save": (lambda: _made().save("x", 1), AssertionError, "call fit"),
    "no epoch to save": (lambda: _made().save("x"), AssertionError, "give the epoch"),
    "unknown option": (lambda: _made(num_epoch=1, zzz=1).fit(family.X, family.Y), TypeError, "zzz"),
    "no symbol": (lambda: mx.model.FeedForward(cast(Any, 3)), TypeError, "takes a Symbol"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    call, kind, words = MISTAKES[mistake]
    with pytest.raises(kind, match=words):
        call()


def test_a_feed_forward_network_of_buckets_trains_as_a_bucketing_module():
    """MXNet 1.9.1 has the argument, but cannot share the arrays of buckets of different lengths."""
    generate = family.bags(mx)
    net = mx.model.FeedForward(
        lambda length: generate(length)[0], num_epoch=2, initializer=mx.init.One(), learning_rate=0.1
    )
    with pytest.raises(AssertionError, match="depends on the data's buckets; call fit"):
        net.symbol.list_arguments()
    with pytest.raises(TypeError, match="NDArrayIter has no default_bucket_key"):
        net.fit(mx.io.NDArrayIter(np.zeros((4, 5)), np.zeros(4), 2))
    module = mx.mod.BucketingModule(generate, default_bucket_key=5)
    batches = family.bag_iter(mx, (3, 5, 2))
    batches.default_bucket_key = 5
    net.fit(batches)
    batches.reset()
    module.fit(batches, num_epoch=2, initializer=mx.init.One(), optimizer_params={"learning_rate": 0.1})
    trained, wanted = cast(Any, net.arg_params), module.get_params()[0]
    for name, value in wanted.items():
        np.testing.assert_array_equal(trained[name].asnumpy(), value.asnumpy())
    assert net.symbol.list_arguments() == generate(5)[0].list_arguments()
    np.testing.assert_array_equal(net.predict(batches), module.predict(batches).asnumpy())

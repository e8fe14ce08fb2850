# SPDX-License-Identifier: Apache-2.0
"""`mx.contrib.amp`: its lists, its switch, its loss scaler, and what it says of mistakes."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import mxlite as mx
from mxlite.contrib import amp

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "amp"
FC = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=3, name="fc")


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    yield
    amp.reset()


def test_lists() -> None:
    for kind, recorded in json.loads((GOLDEN / "lists.json").read_text()).items():
        for dtype, want in recorded.items():
            found = getattr(amp, f"list_{kind}")(dtype)
            assert json.loads(json.dumps(found)) == want, (kind, dtype)
    with pytest.raises(AssertionError, match="Only target_dtype float16 and bfloat16 are supported"):
        amp.list_lp16_ops("float32")
    assert amp.list_lp16_ops("float16") == amp.lists.symbol_fp16.FP16_FUNCS
    amp.list_lp16_ops("float16").clear()
    assert amp.list_lp16_ops("float16")


def test_init_says_so_and_takes_lists(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert amp.init() is None  # type: ignore[func-returns-value]
    assert caplog.messages == ["Using AMP"]
    amp.init("bfloat16", target_precision_ops=["exp"], fp32_ops=["FullyConnected"])
    module: Any = mx.mod.Module(mx.sym.exp(FC, name="e"), label_names=None)
    module.bind([("data", (2, 4))], for_training=False)
    text = module._network.tojson(remove_amp_cast=False)
    assert "fc_output_amp_cast_bfloat16" in text and "fc_weight_amp_cast" not in text
    assert "amp_cast" not in module.symbol.tojson(remove_amp_cast=False)
    with pytest.raises(AssertionError, match="Only target_dtype"):
        amp.init("float64")


def test_trainers_wait_for_gluon() -> None:
    sgd = mx.optimizer.create("sgd")
    with pytest.raises(AssertionError, match=r"AMP not initialized, did you forget to call amp\.init\(\)\?"):
        amp.init_trainer(sgd)
    amp.init()
    for call in (amp.init_trainer, amp.unscale):
        with pytest.raises(
            TypeError, match="AMP is currently only compatible with Gluon Trainer, which mxlite does not"
        ):
            call(sgd)
        with pytest.raises(TypeError, match="should be a Gluon Trainer or an optimizer, instead is <class 'int'>"):
            call(3)
    with pytest.raises(AttributeError, match="no attribute '_amp_loss_scaler'"), amp.scale_loss(mx.nd.ones(1), sgd):
        pass
    trainer = SimpleNamespace(_amp_loss_scaler=amp.loss_scaler.LossScaler())
    with amp.scale_loss(mx.nd.ones(1), trainer) as one, amp.scale_loss([mx.nd.ones(1)] * 2, trainer) as two:
        assert one.asscalar() == two[1].asscalar() == 65536


def test_loss_scaler() -> None:
    """The numbers that MXNet 1.9.1 gave for the same gradients."""
    scaler = amp.loss_scaler.LossScaler()
    good = [SimpleNamespace(_grad=[mx.nd.array([1.0])]), SimpleNamespace(_grad=None)]
    bad = [mx.nd.array([1.0]), mx.nd.array([float("inf")])]
    seen = [(scaler.has_overflow(g), scaler.loss_scale, scaler._next_loss_scale) for g in (good, good, bad, good)]
    assert seen == [
        (False, 65536.0, 65536.0),
        (False, 65536.0, 65536.0),
        (True, 65536.0, 32768.0),
        (False, 32768.0, 32768.0),
    ]
    scaler._scale_seq_len = 2
    seen = [(scaler.has_overflow(good), scaler.loss_scale, scaler._unskipped) for _ in range(5)]
    assert seen == [
        (False, 32768.0, 0),
        (False, 65536.0, 1),
        (False, 65536.0, 0),
        (False, 131072.0, 1),
        (False, 131072.0, 0),
    ]
    scaler._loss_scale = scaler._next_loss_scale = 2.0**24
    assert [(scaler.has_overflow(good), scaler.loss_scale) for _ in range(3)] == [(False, 2.0**24)] * 3
    with pytest.raises(ValueError, match="there are no gradients to look at"):
        scaler.has_overflow([])


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "dtype": ({"target_dtype": "float64"}, "Only target_dtype float16 and bfloat16 are supported currently, as text"),
    "no list": ({"fp32_ops": "exp"}, "fp32_ops should be a list of strs, got 'exp'"),
    "unknown": (
        {"fp32_ops": ["FullyConected"]},
        "fp32_ops: 'FullyConected' is none of the operators that can be moved",
    ),
    "twice": (
        {"fp32_ops": ["FullyConnected"], "target_dtype_ops": ["FullyConnected"]},
        r"Common ops in target_dtype_ops and fp32_ops: \['FullyConnected'\]",
    ),
    "conditional": ({"conditional_fp32_ops": ["Activation"]}, r"should be a list of \(str, str, list of str\)"),
    "short": ({"conditional_fp32_ops": [("Activation", "act_type")]}, r"should be a list of \(str, str, list of str\)"),
    "data": ({"data_names": ["dta"]}, "data_names: 'dta' is no input.*data"),
    "text": ({"data_names": "data"}, "data_names should be a list of strs, got 'data'"),
    "excluded": ({"excluded_sym_names": "fc"}, "excluded_sym_names should be a list of strs"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str) -> None:
    keywords, message = MISTAKES[name]
    with pytest.raises(AssertionError, match=message):
        amp.convert_symbol(FC, **keywords)


def test_mistakes_of_types() -> None:
    with pytest.raises(AssertionError, match="First argument to convert_symbol should be Symbol, got str"):
        amp.convert_symbol("fc")  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="First argument to convert_model should be Symbol, got str"):
        amp.convert_model("fc", {}, {})  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="aux_params should be a dict of NDArrays by name, got list"):
        amp.convert_model(FC, {}, [])  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="takes a BucketingModule, got Symbol"):
        amp.amp.convert_bucketing_module(FC)  # type: ignore[arg-type]


def test_bucketing_modules() -> None:
    def bucket(length: int) -> Any:
        total = mx.sym.sum(mx.sym.Variable("data"), axis=1)
        fc = mx.sym.FullyConnected(total, num_hidden=3, name="fc")
        return mx.sym.softmax(fc, name="softmax"), ("data",), None

    old = mx.mod.BucketingModule(bucket, default_bucket_key=3)
    old.bind([("data", (2, 3, 4))], for_training=False)
    old.init_params(mx.init.One())
    new = amp.amp.convert_bucketing_module(old, cast_optional_params=True)
    new.bind([mx.io.DataDesc("data", (2, 3, 4))], for_training=False)
    new.set_params(*old.get_params())
    assert new.get_params()[0]["fc_weight"].dtype.__name__ == "float16"
    shapes = [mx.io.DataDesc("data", (2, 1, 4))]
    new.forward(mx.io.DataBatch([mx.nd.ones((2, 1, 4))], None, 0, None, 1, shapes), is_train=False)
    assert new.get_outputs()[0].asnumpy().ravel().tolist() == pytest.approx([1 / 3] * 6)

# SPDX-License-Identifier: Apache-2.0
"""Draws cases of indexing, assignment, views, arithmetic and gradients at random, and records what MXNet answers.

ORACLE tests/nd/draw.py tests/golden/nd/drawn.json

Each case is a family, a setup, a statement or expression, and the names to look at afterwards. Left out is what breaks
MXNet 1.9.1 itself: negative indices in arrays that are assigned through or differentiated write into foreign memory,
and an empty selection is sometimes an empty array, sometimes one of several errors.
"""

import importlib
import json
import os
import random
import sys
import warnings

SHAPES = [(5,), (3, 4), (2, 3, 4), (1, 3)]
DTYPES = ["float32", "float64", "float16", "uint8", "int8", "int32", "int64"]
#: How many cases of each family are kept.
COUNTS = {"read": 30, "gather": 24, "view": 24, "assign": 36, "scatter": 14, "chain": 15, "operator": 45,
          "in place": 20, "function": 12, "gradient": 12, "refused": 8}  # fmt: skip
OPERATORS = ["+", "-", "*", "/", "%", "**", "==", "!=", "<", "<=", ">", ">="]
FUNCTIONS = ["add", "subtract", "multiply", "divide", "modulo", "power", "equal", "greater", "lesser_equal", "maximum",
             "minimum", "logical_and", "logical_xor"]  # fmt: skip


class Drawer:
    """Draws sources with one random generator."""

    def __init__(self, np, seed):
        self.np, self.r = np, random.Random(seed)

    def pick(self, *choices):
        return self.r.choice(choices)

    def array(self, name, shape, dtype="float32"):
        return f"{name}=mx.nd.array(np.arange({int(self.np.prod(shape))}).reshape({shape!r}),dtype={dtype!r})"

    def slice(self, n):
        """A slice of an axis of size n that is not empty."""
        while True:
            ends = [None, *range(-n - 1, n + 2)]
            start, stop, step = self.r.choice(ends), self.r.choice(ends), self.pick(None, None, 1, 2, -1, -2)
            if range(*slice(start, stop, step).indices(n)):
                text = [("" if p is None else str(p)) for p in (start, stop, step)]
                return ":".join(text if step else text[:2])

    def indices(self, n, shape, negative):
        low = -n if negative else 0
        numbers = [self.r.randint(low, n - 1) for _ in range(int(self.np.prod(shape)))]
        values = self.np.array(numbers).reshape(shape).tolist()
        kind = self.pick("list", "np", "nd")
        if kind == "list":
            return repr(values)
        dtype = self.pick("int32", "int64", "float32", "int8" if kind == "np" or min(numbers) < 0 else "uint8")
        return f"{'np' if kind == 'np' else 'mx.nd'}.array({values},dtype={dtype!r})"

    def key(self, shape, advanced=False, negative=True, new_axes=True):
        """A key with at most one Ellipsis; an advanced one has an index array at least."""
        axes = self.r.randint(1, len(shape))
        chosen = self.r.randrange(axes) if advanced else -1
        picked = self.pick((2,), (1,), (3,), (2, 2))
        items = []
        for axis, n in enumerate(shape[:axes]):
            if axis == chosen or (advanced and self.r.random() < 0.3):
                items.append(self.indices(n, picked, negative))
            elif self.r.random() < 0.4:
                items.append(str(self.r.randint(-n if negative or not advanced else 0, n - 1)))
            else:
                items.append(self.slice(n))
        if new_axes and self.r.random() < 0.25:
            items.insert(self.r.randint(0, len(items)), "None")
        if axes < len(shape) and self.r.random() < 0.3:
            items.append("...")
        return ",".join(items) + ("," if len(items) == 1 and self.r.random() < 0.2 else "")

    def value(self, shape):
        """A value that fits into a selection of a shape: mostly of a shape that broadcasts to it."""
        if self.r.random() < 0.25:
            return self.pick("5", "2.5", "-1", "True", "np.float32(3)", "np.int64(4)", "np.float64(1.5)")
        given = [self.pick(n, n, 1) for n in shape[self.r.randint(0, len(shape)) :]] or [1]
        size = int(self.np.prod(given))
        numbers = f"np.arange(100,{100 + size}).reshape({tuple(given)!r})"
        dtype = self.pick("float32", "float64", "int32")
        return self.pick(
            f"{numbers}.astype({dtype!r})", f"{numbers}.tolist()", f"mx.nd.array({numbers},dtype={dtype!r})"
        )

    def operand(self):
        kind = self.r.random()
        if kind < 0.4:
            return self.pick("2", "-3", "1.5", "-2.7", "True", "np.float32(1.5)", "np.int32(2)", "np.int64(-2)",
                             "np.float64(2.5)", "300", "16777217")  # fmt: skip
        shape = self.pick((2, 3), (3,), (1, 3), (2, 1), (1,), (2,), (1, 2, 3))
        # Odd numbers: an integer divided by 0 ends MXNet.
        numbers = f"(2*np.arange({int(self.np.prod(shape))})-3).reshape({shape!r})"
        if kind < 0.85:
            return f"mx.nd.array({numbers},dtype={self.r.choice(DTYPES)!r})"
        return self.pick(f"{numbers}.astype('float32')", "'a'", "[1,2,3]")

    def selected(self, shape, key):
        key = key.replace("mx.nd", "np").replace("float32", "int32")
        return eval(f"np.zeros({shape!r})[{key}].shape", {"np": self.np})

    def case(self, family):
        shape = self.r.choice(SHAPES)
        numbers = f"a=mx.nd.array((2*np.arange(6)-5).reshape((2,3)),dtype={self.r.choice(DTYPES)!r})"
        if family == "read":
            return self.array("a", shape), f"a[{self.key(shape)}]", []
        if family == "gather":
            return self.array("a", shape, self.r.choice(DTYPES)), f"a[{self.key(shape, True)}]", []
        if family == "view":
            key = self.key(shape, self.r.random() < 0.15)
            return self.array("a", shape), f"r=a[{key}];" + self.pick("r[:]=-1", "a[:]=7"), ["a", "r"]
        if family in ("assign", "scatter"):
            # A new axis behind an index array moves the axes of the selection away from where numpy has them.
            key = self.key(shape, family == "scatter", family == "assign", family == "assign")
            value = self.value(self.selected(shape, key))
            return self.array("a", shape, self.pick("float32", "int32", "float64")), f"a[{key}]={value}", ["a"]
        if family == "chain":
            last = self.pick("r[:]=-1", "r[0]=a[0]", "r[...]=9", "r[0:1]=mx.nd.array([8])")
            second = self.pick("0", "-1", "...", "()", ":1")
            return self.array("a", shape), f"r=a[{self.slice(shape[0])}][{second}];{last}", ["a", "r"]
        if family == "operator":
            sides = ["a", self.operand()]
            self.r.shuffle(sides)
            return numbers, f" {self.r.choice(OPERATORS)} ".join(sides), []
        if family == "in place":
            target = self.pick("a", "a", "r")
            return f"{numbers};r=a[1]", f"{target} {self.r.choice(OPERATORS[:6])}= {self.operand()}", ["a", "r"]
        if family == "function":
            sides = ["a", self.operand()]
            self.r.shuffle(sides)
            return numbers, f"mx.nd.{self.r.choice(FUNCTIONS)}({','.join(sides)})", []
        setup = f"{self.array('x', shape)};x.attach_grad({self.pick('write', 'add')!r})"
        if family == "gradient":
            key = self.key(shape, self.r.random() < 0.5, False)
            lines = [f"z={self.pick('x', 'x*2', 'x*x', 'x.reshape((0,-1))', 'x[:]')}" if len(shape) == 2 else "z=x*x",
                     f"y=z[{key}]", f"w={self.pick('y', 'y*y', 'y.sum()', 'y[0]')}"]  # fmt: skip
        else:
            key = self.key(shape, False, False)
            lines = [self.pick(f"x[{key}]=1", f"y=x*2;y[{key}]=1", f"y=mx.nd.zeros(x.shape);y[{key}]=x[{key}]", "x+=1",
                               "y=x*1;y+=x", "y=mx.nd.zeros(x.shape);y[:]=x"), "w=x*3"]  # fmt: skip
        body = "".join(f"\\n  {line}" for line in lines).replace('"', "'").replace("'", '"')
        return setup, f"exec('with mx.autograd.record():{body}\\nw.backward()')", ["x.grad"]


def draw(np, seed=20):
    """The cases: [family, setup, source, names]."""
    drawer = Drawer(np, seed)
    return [[family, *drawer.case(family)] for family, count in COUNTS.items() for _ in range(count)]


def answer(mx, np, setup, source, names):
    """What a case gives: the value, or the class of the error; and the named arrays afterwards."""
    describe = importlib.import_module("record" if "record" in sys.modules else "tests.nd.record").describe
    env = {"mx": mx, "np": np}
    exec(setup, env)  # noqa: S102 - our own cases
    found = {}
    try:
        try:
            code = compile(source, "case", "eval")
        except SyntaxError:
            exec(source, env)  # noqa: S102
        else:
            found["value"] = describe(mx, np, eval(code, env))
    except Exception as e:  # noqa: BLE001 - whatever it is, it is the answer
        found["error"] = type(e).__name__
    for name in names:
        found[name] = describe(mx, np, eval(name, env)) if name.split(".")[0] in env else None
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    mxnet, numpy = importlib.import_module("mxnet"), importlib.import_module("numpy")
    importlib.import_module("record")
    numpy.seterr(all="ignore")
    recorded = [[*case, answer(mxnet, numpy, *case[1:])] for case in draw(numpy)]
    with open(sys.argv[1], "w") as f:
        f.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in recorded) + "\n]\n")

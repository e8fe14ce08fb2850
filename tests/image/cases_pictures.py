# SPDX-License-Identifier: Apache-2.0
"""Functions on pictures. Runs in Python 3.8, too."""

from pictures import noise, photograph, png, smooth


def cases(mx, np, folder):
    """Functions of no arguments by name. Before each, both generators are seeded."""
    image = mx.image
    small = mx.nd.array(noise(np, 17, 19), dtype="uint8")
    wave = mx.nd.array(smooth(np, 40, 33), dtype="uint8")
    data = png(noise(np, 5, 7))
    found = {}

    def case(name, function):
        found[name] = function

    for interp in (0, 1, 2, 3, 4, 9, 10):
        case(f"resize_short {interp}", lambda i=interp: image.resize_short(wave, 13, i))
        case(f"random_crop up {interp}", lambda i=interp: image.random_crop(small, (25, 11), i))
        case(f"fixed_crop {interp}", lambda i=interp: image.fixed_crop(wave, 3, 4, 21, 15, (9, 11), i))
    for interp in range(5):
        for w, h in ((7, 9), (40, 30), (11, 60)):
            case(f"imresize {interp} {w}x{h}", lambda i=interp, w=w, h=h: image.imresize(small, w, h, i))
        case(f"imresize float {interp}", lambda i=interp: image.imresize(small.astype("float32"), 11, 30, interp=i))
    # A scale that is rounded twice: the operator picks OpenCV's pixels.
    odd = mx.nd.array(noise(np, 14, 18), dtype="uint8")
    for interp in range(5):
        case(f"operator {interp}", lambda i=interp: mx.nd._internal._cvimresize(odd, w=51, h=18, interp=i))
    case("imresize default", lambda: image.imresize(small, 5, 4))
    case("imresize text", lambda: image.imresize(small, "5", "4"))
    case("imresize grey", lambda: image.imresize(small[:, :, 0:1], 5, 4))
    case("imresize five channels", lambda: image.imresize(mx.nd.ones((4, 4, 5), dtype="uint8"), 5, 4))
    case("imresize nothing", lambda: image.imresize(small, 0, 4))
    case("imresize a fraction", lambda: image.imresize(small, 5.7, 4))
    case("imresize two dimensions", lambda: image.imresize(small[0], 5, 4))
    case("imresize unknown", lambda: image.imresize(small, 5, 4, 8))
    case("imresize numpy", lambda: image.imresize([1, 2], 5, 4))
    case("resize_short unknown", lambda: image.resize_short(small, 5, 7))
    case("resize_short a fraction", lambda: image.resize_short(small, 5.5))

    def into(dtype, shape):
        out = mx.nd.zeros(shape, dtype=dtype)
        found = image.imresize(small, 5, 4, out=out)
        return [out, found is out]

    case("imresize out", lambda: into("uint8", (4, 5, 3)))
    case("imresize out dtype", lambda: into("float32", (4, 5, 3)))
    case("imresize out shape", lambda: into("uint8", (4, 6, 3)))
    for kind in range(5):
        case(f"border {kind}", lambda k=kind: image.image.copyMakeBorder(small, 1, 2, 3, 4, k))
    case("border value", lambda: image.image.copyMakeBorder(small.astype("float32"), 1, 2, 3, 4, type=0, value=4.5))
    case("border values", lambda: image.image.copyMakeBorder(small, 1, 0, 0, 4, type=0, values=(1, 2, 300)))
    case("border unknown", lambda: image.image.copyMakeBorder(small, 1, 2, 3, 4, 5))
    case("border negative", lambda: image.image.copyMakeBorder(small, -1, 2, 3, 4))
    sizes = [((640, 480), (720, 120)), ((360, 1000), (480, 500)), ((10, 10), (5, 5)), ((10.5, 20), (30, 5.5))]
    case("scale_down", lambda: [image.scale_down(a, b) for a, b in sizes])
    case("fixed_crop", lambda: image.fixed_crop(small, 1, 2, 5, 4))
    case("fixed_crop over the edge", lambda: image.fixed_crop(small, 15, 14, 9, 9))
    case("fixed_crop same size", lambda: image.fixed_crop(small, 1, 2, 5, 4, (5, 4), 77))
    case("fixed_crop beyond", lambda: image.fixed_crop(small, 30, 2, 5, 4))
    case("fixed_crop nothing", lambda: image.fixed_crop(small, 3, 2, 0, 4))
    case("fixed_crop a fraction", lambda: image.fixed_crop(small, 1.5, 2, 5, 4))
    case("fixed_crop numpy", lambda: mx.nd.array(image.fixed_crop(small.asnumpy(), 1, 2, 3, 2)))
    case("center_crop", lambda: image.center_crop(small, (5, 4)))
    case("center_crop up", lambda: image.center_crop(small, (25, 20)))
    case("center_crop a sliver", lambda: image.center_crop(small, (50, 1)))
    case("center_crop a number", lambda: image.center_crop(small, 5))
    case("random_crop", lambda: [image.random_crop(small, (5, 4)) for _ in range(4)])
    for name, area in (("least", 0.5), ("range", (0.1, 0.9)), ("never", (5, 6.0)), ("mostly", (0.9, 1.2))):
        case(
            "random_size_crop " + name,
            lambda a=area: [image.random_size_crop(small, (5, 4), a, (0.5, 2)) for _ in range(4)],
        )
    case("random_size_crop keyword", lambda: image.random_size_crop(small, (5, 4), 0.1, (0.5, 2), foo=1))
    case("imdecode", lambda: image.imdecode(data))
    case("imdecode bytearray", lambda: image.imdecode(bytearray(data), to_rgb=0))
    case("imdecode numpy", lambda: image.imdecode(np.frombuffer(data, "uint8"), 0))
    case("imdecode array", lambda: image.imdecode(mx.nd.array(np.frombuffer(data, "uint8"), dtype="uint8"), flag=0))
    for orientation in (1, 3, 6):
        case(f"imdecode photograph {orientation}", lambda o=orientation: image.imdecode(photograph(o)))
        case(f"imdecode photograph {orientation} grey", lambda o=orientation: image.imdecode(photograph(o), 0))
        case(f"imdecode photograph {orientation} late", lambda o=orientation: image.imdecode(photograph(o, False)))
    case("imdecode text", lambda: image.imdecode("file.png"))
    case("imdecode list", lambda: image.imdecode([1, 2]))
    case("imdecode keyword", lambda: image.imdecode(data, foo=1))
    case("imdecode flag", lambda: image.imdecode(data, flag=-1))
    case("imread nowhere", lambda: image.imread("/nowhere/picture.png"))
    _colours(mx, np, case)
    _turns(mx, np, case)
    return found


def _colours(mx, np, case):
    floats = mx.nd.array(noise(np, 4, 5), dtype="float32")
    mean, std = mx.nd.array([1, 2, 3]), mx.nd.array([4, 5, 6])

    def normalized(src, *args):
        src = src.copy()
        found = mx.image.color_normalize(src, *args)
        return [found, found is src]

    case("color_normalize", lambda: normalized(floats, mean, std))
    case("color_normalize mean", lambda: normalized(floats, mean))
    case("color_normalize std", lambda: normalized(floats, None, std))
    case("color_normalize nothing", lambda: normalized(floats, None))
    case("color_normalize numbers", lambda: normalized(floats, 1.5, 2))
    case("color_normalize uint8 numbers", lambda: normalized(floats.astype("uint8"), 3, 2))
    case("color_normalize uint8", lambda: normalized(floats.astype("uint8"), mean))
    case("color_normalize shapes", lambda: normalized(floats, mx.nd.ones((2, 4, 5, 3))))


def _turns(mx, np, case):
    image = mx.image
    wave = mx.nd.array(smooth(np, 7, 9).transpose(2, 0, 1), dtype="float32")
    batch = mx.nd.stack(wave, wave[:, ::-1])
    for zoom in ({}, {"zoom_in": True}, {"zoom_out": True}):
        name = "".join(zoom)
        for degrees in (0, 30, -75, 90, 200):
            case(f"imrotate {degrees} {name}", lambda d=degrees, z=zoom: image.imrotate(wave, d, **z))
        case("imrotate batch " + name, lambda z=zoom: image.imrotate(batch, mx.nd.array([20, -50]), **z))
        case("random_rotate " + name, lambda z=zoom: image.random_rotate(wave, (-90, 90), **z))
        case("random_rotate batch " + name, lambda z=zoom: image.random_rotate(batch, (-90, 90), **z))
    case("imrotate one angle", lambda: image.imrotate(batch, 45))
    case("imrotate both", lambda: image.imrotate(wave, 3, True, True))
    case("imrotate uint8", lambda: image.imrotate(wave.astype("uint8"), 3))
    case("imrotate numpy", lambda: image.imrotate(wave.asnumpy(), 3))
    case("imrotate two dimensions", lambda: image.imrotate(wave[0], 3))
    case("imrotate angles", lambda: image.imrotate(wave, mx.nd.array([3])))
    case("imrotate angles of a batch", lambda: image.imrotate(batch, mx.nd.array([3])))

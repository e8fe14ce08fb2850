# SPDX-License-Identifier: Apache-2.0
"""`ImageIter` and `ImageDetIter`: which rows come when, under which draws. Runs in Python 3.8, too."""

from pictures import write_list, write_records

SHAPE = (3, 6, 8)
BOXES = [
    [2, 5, 0, 0.1, 0.2, 0.5, 0.6],
    [2, 5, 1, 0.3, 0.3, 0.9, 0.8, 2, 0.05, 0.7, 0.15, 0.95],
    [3, 5, 99, 1, 0.3, 0.3, 0.9, 0.8, 0, 0.1, 0.1, 0.4, 0.4, 2, 0.5, 0.5, 0.8, 0.8],
    [2, 5, 3, 0.2, 0.2, 0.7, 0.7],
]


def cases(mx, np, folder):
    """Functions of no arguments by name. Before each, both generators are seeded."""
    found = {}
    indexed = write_records(mx, np, folder, "ten", range(10))
    records = {"path_imgrec": indexed["path_imgrec"]}
    listed = write_list(np, folder, "ten", range(10))
    vectors = write_list(np, folder, "two", [[50 + i, i] for i in range(4)])
    other = dict(indexed, path_imglist=folder + "/other.lst")
    with open(other["path_imglist"], "w") as f:
        f.writelines(f"{i}\t{50 + i}\tnothing.png\n" for i in reversed(range(10)))

    def case(name, epochs=3, **options):
        found[name] = lambda: _epochs(mx, np, epochs, options)

    for source, paths in (("records", records), ("index", indexed), ("list", listed)):
        for handle in ("pad", "discard", "roll_over"):
            for shuffle in (False, True):
                name = "{} {}{}".format(source, handle, " shuffled" if shuffle else "")
                case(name, 4, batch_size=4, shuffle=shuffle, last_batch_handle=handle, **paths)
    case("exact", batch_size=5, **records)
    case("a batch of more than all", batch_size=16, **records)
    case("a batch of more than all rolls over", 2, batch_size=16, last_batch_handle="roll_over", **records)
    case("a batch of more than all is discarded", batch_size=16, last_batch_handle="discard", **records)
    for part in range(4):
        case(f"part {part}", 2, batch_size=2, part_index=part, num_parts=3, **indexed)
        case(f"part {part} shuffled", 2, batch_size=2, part_index=part, num_parts=4, shuffle=True, **indexed)
    case("part of records", batch_size=2, num_parts=2, **records)
    case("more parts than pictures", batch_size=2, num_parts=20, **indexed)
    case("labels of a list", 1, batch_size=4, **other)
    case("vectors", 1, batch_size=2, label_width=2, **vectors)
    case("vectors as numbers", 1, batch_size=2, **vectors)
    case("numbers as vectors", 1, batch_size=2, label_width=3, **records)
    case("vectors too short", 1, batch_size=2, label_width=3, **vectors)
    rows = [[3, "ten3.png"], [1.5, "ten1.png"], [[7], "ten2.png"]]
    case("imglist", 2, batch_size=2, imglist=rows, path_root=folder)
    case("imglist vectors", 1, batch_size=2, label_width=2, imglist=[[1, 2, "ten3.png"], [[3, 4], "ten1.png"]],
         path_root=folder)  # fmt: skip
    case("imglist integers", 1, batch_size=2, dtype="int64", imglist=rows, path_root=folder)
    case("imglist empty", 1, batch_size=2, imglist=[], path_root=folder)
    case(
        "augmented",
        2,
        batch_size=3,
        resize=9,
        rand_crop=True,
        rand_mirror=True,
        brightness=0.3,
        pca_noise=0.1,
        **indexed,
    )
    case("no augmenters", 1, batch_size=3, aug_list=[], **indexed)
    case("augmenters of another size", 1, batch_size=3, aug_list=[mx.image.ForceResizeAug((3, 3))], **indexed)
    case("names", 1, batch_size=5, data_name="x", label_name="y", **records)
    case("nothing", batch_size=2)
    case("two dimensions", batch_size=2, data_shape=(6, 8), **records)
    case("one channel", batch_size=2, data_shape=(1, 6, 8), **records)
    case("dtype", batch_size=2, dtype="uint8", **records)
    case("keyword", batch_size=2, foo=1, **records)
    case("no such records", batch_size=2, path_imgrec=folder + "/none.rec")
    case("no such index", batch_size=2, path_imgrec=records["path_imgrec"], path_imgidx=folder + "/none.idx")
    case("no such list", batch_size=2, path_imglist=folder + "/none.lst", path_root=folder)
    case("no such picture", 1, batch_size=2, imglist=[[1, "none.png"]], path_root=folder)
    case("no picture", 1, batch_size=2, imglist=[[1, "ten.lst"]], path_root=folder)
    found["reset in between"] = lambda: _resets(mx, np, indexed)
    found["steps"] = lambda: _steps(mx, np, indexed)
    found["hooks"] = lambda: _hooks(mx, listed)
    _detection(mx, np, folder, found)
    return found


def _rows(np, batch):
    numbers = batch.data[0].asnumpy()[:, 0, 0, 0]
    return [[round(float(x), 3) for x in numbers], batch.label[0], batch.pad]


def _epochs(mx, np, epochs, options, kind="ImageIter"):
    it = getattr(mx.image, kind)(**dict({"data_shape": SHAPE}, **options))
    found = [[[name, list(shape)] for name, shape in it.provide_data + it.provide_label], it.num_image]
    for _ in range(epochs):
        found.append([_rows(np, batch) for batch in it])
        it.reset()
    return found


def _resets(mx, np, paths):
    found = []
    for handle in ("pad", "discard", "roll_over"):
        it = mx.image.ImageIter(4, SHAPE, last_batch_handle=handle, shuffle=True, **paths)
        found.append(_rows(np, it.next()))
        it.reset()
        found += [_rows(np, batch) for batch in it]
        it.reset()
        it.reset()
        found.append(_rows(np, it.next()))
        it.hard_reset()
        found += [_rows(np, batch) for batch in it]
    return found


def _steps(mx, np, paths):
    it = mx.image.ImageIter(2, SHAPE, **paths)
    label, data = it.next_sample()
    second, _ = it.next_sample()
    picture = it.imdecode(data)
    return [
        label, second, picture, it.augmentation_transform(picture),
        it.postprocess_data(it.augmentation_transform(picture)), _rows(np, it.next()), it.cur, it.seq,
    ]  # fmt: skip


def _hooks(mx, paths):
    told = []

    class Told(mx.image.ImageIter):
        def next_sample(self):
            told.append("next_sample")
            return super().next_sample()

        def read_image(self, fname):
            told.append("read " + fname)
            return super().read_image(fname)

        def imdecode(self, s):
            told.append("imdecode")
            return super().imdecode(s)

        def check_valid_image(self, data):
            told.append("check")
            if told.count("check") == 2:
                raise RuntimeError("not this one")
            return super().check_valid_image(data)

        def augmentation_transform(self, data):
            told.append("augment")
            return super().augmentation_transform(data)

        def postprocess_data(self, datum):
            told.append("postprocess")
            return super().postprocess_data(datum)

    batch = Told(3, SHAPE, **paths).next()
    return [told, batch.label[0]]


def _detection(mx, np, folder, found):
    indexed = write_records(mx, np, folder, "boxes", BOXES)

    def case(name, epochs=2, **options):
        found["boxes " + name] = lambda: _epochs(mx, np, epochs, options, "ImageDetIter")

    for handle in ("pad", "discard", "roll_over"):
        case(handle, batch_size=3, last_batch_handle=handle, **indexed)
    case("shuffled", batch_size=2, shuffle=True, **indexed)
    case("augmented", batch_size=2, rand_crop=0.8, rand_pad=0.5, rand_mirror=True, mean=True, **indexed)
    case("records", batch_size=2, path_imgrec=indexed["path_imgrec"])
    case("keyword", batch_size=2, label_width=3, **indexed)
    listed = {"path_root": folder}
    case("list", 1, batch_size=2, imglist=[[BOXES[0], "ten1.png"], [BOXES[1], "ten2.png"]], **listed)
    wrong = {
        "short": [2, 5, 0, 0.1, 0.2, 0.5], "header": [1, 5, 0, 0.1, 0.2, 0.5, 0.6], "spare": BOXES[0] + [1, 2],
        "empty": [2, 5, 0, 0.5, 0.2, 0.5, 0.6], "flat": [2, 5, 0, 0.1, 0.6, 0.5, 0.6], "number": 3,
    }  # fmt: skip
    for name, label in wrong.items():
        case("label " + name, 1, batch_size=1, imglist=[[label, "ten1.png"]], **listed)
    for name, label in {
        "class below 0": [[-1, 0.1, 0.1, 0.4, 0.4]], "no width": [[0, 0.4, 0.1, 0.1, 0.4]],
        "no height": [[0, 0.1, 0.4, 0.4, 0.1]], "one of two": [[0, 0.4, 0.1, 0.1, 0.4], [0, 0.1, 0.1, 0.4, 0.4]],
        "too many": [[0, 0.1, 0.1, 0.4, 0.4]] * 4, "too long": [[0, 0.1, 0.1, 0.4, 0.4, 0.5]],
        "one dimension": [0, 0, 0, 1, 1],
    }.items():  # fmt: skip
        case("made " + name, 1, batch_size=2, aug_list=[_instead(mx, np, label)], **indexed)
    found["boxes shapes"] = lambda: _shapes(mx, indexed)
    for name, wanted in {
        "fewer": (2, 5), "longer": (5, 6), "shorter": (5, 4), "one number": (5,), "three numbers": (5, 6, 7),
    }.items():  # fmt: skip
        found["boxes reshape " + name] = lambda w=wanted: mx.image.ImageDetIter(2, SHAPE, **indexed).reshape(None, w)
    found["boxes sync"] = lambda: _synced(mx, indexed)
    found["boxes sync a number"] = lambda: mx.image.ImageDetIter(2, SHAPE, **indexed).sync_label_shape(3)
    found["boxes invalid"] = lambda: _invalid(mx, np, indexed)
    found["boxes drawn"] = lambda: [
        mx.nd.array(picture) for picture in mx.image.ImageDetIter(2, SHAPE, **indexed).draw_next((9, 200, 9), 1)
    ]
    for name, options in {
        "drawn in random colours": {}, "drawn normalized": {"mean": True, "std": True, "thickness": 1},
        "drawn wrapping": {"mean": np.array([1, 2, 300]), "clip": False, "thickness": 1}, "drawn wrong": {"mean": 3},
    }.items():  # fmt: skip
        found["boxes " + name] = lambda o=options: [
            mx.nd.array(picture) for picture in mx.image.ImageDetIter(2, SHAPE, **indexed).draw_next(**o)
        ]


def _instead(mx, np, label):
    class Instead(mx.image.DetAugmenter):
        def __call__(self, src, boxes):
            return src, np.array(label, "float32")

    return Instead()


def _shapes(mx, paths):
    it = mx.image.ImageDetIter(2, SHAPE, **paths)
    found = [list(it.label_shape)]
    it.reshape(label_shape=(5, 5))
    found += [list(it.label_shape), it.next().label[0]]
    it.reshape((3, 9, 9))
    return [*found, list(it.data_shape), [list(shape) for _, shape in it.provide_data + it.provide_label]]


def _synced(mx, paths):
    a, b = (mx.image.ImageDetIter(2, SHAPE, **paths) for _ in range(2))
    b.reshape(label_shape=(6, 5))
    return [a.sync_label_shape(b) is b, list(a.label_shape), list(b.label_shape)]


def _invalid(mx, np, paths):
    class Strict(mx.image.ImageDetIter):
        def check_valid_image(self, data):
            if data[0].asnumpy()[0, 0, 0] == 10:
                raise RuntimeError("not this one")

    return [_rows(np, batch) for batch in Strict(2, SHAPE, **paths)]

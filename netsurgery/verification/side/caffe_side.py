"""Runs nets in pycaffe. Started in a Python that has Caffe, which may be old: it imports nothing of netsurgery's, and keeps to what
Python 2.7 understands.

Reads requests from stdin, one line of JSON each, and answers each with one line of JSON on stdout, until stdin ends:

    {"do": "probe"}                                            what is here
    {"do": "judge", "layers": [TEXT, ..]}                      for each layer, as text of its own, why this Caffe cannot have it, or null
    {"do": "run", "prototxt": FILE, "weights": FILE or null, "feeds": NPZ, "values": NPZ, "blobs": [..], "fresh": bool,
     "names": [..], "phase": "TEST", "level": 0, "stages": [..]}
                                                               a forward; the blobs that are there, in "names"
    {"do": "time", "prototxt": FILE, "weights": FILE or null, "shapes": [[NAME, [..]], ..], "rounds": N}
                                                               seconds of a forward, and of each layer, in "layers"

Members of the npz files are counted, their blobs named by "names" beside them: a blob's name may hold what a file's may not. A net stays
loaded until another one is asked for; `fresh` loads it anew, so that what it keeps between forwards starts from zero.
"""

import json
import os
import shutil
import sys
import traceback

os.environ.setdefault("GLOG_minloglevel", "2")

MYPY = False
if MYPY:
    from typing import Any, Dict, List  # noqa: F401

LOADED = {}  # type: Dict[str, Any]


class RefusedError(Exception):
    """A request that cannot be met."""


def stand_in(names):
    # type: (List[str]) -> None
    """Empty modules in place of what caffe.io imports and no net needs."""
    import types

    def missing(*_, **__):
        # type: (*Any, **Any) -> None
        raise RefusedError("caffe.io is not complete here: scikit-image and scipy are not installed")

    for name in names:
        module = types.ModuleType(name)
        for function in ("resize", "zoom", "imread", "imsave"):
            setattr(module, function, missing)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def imported():
    # type: () -> Any
    if "caffe" not in LOADED:
        try:
            import skimage.io
            import skimage.transform  # noqa: F401
        except ImportError:
            stand_in(["skimage", "skimage.io", "skimage.transform"])
        try:
            import scipy.ndimage  # noqa: F401
        except ImportError:
            stand_in(["scipy", "scipy.ndimage"])
        try:
            import caffe
        except Exception as error:
            raise RefusedError("import caffe: {}: {}".format(type(error).__name__, error))
        LOADED["caffe"] = caffe
    return LOADED["caffe"]


def probe(request):
    # type: (Dict[str, Any]) -> Dict[str, Any]
    import google.protobuf
    import numpy

    caffe = imported()
    versions = {
        "caffe": str(getattr(caffe, "__version__", "unknown")),
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "protobuf": google.protobuf.__version__,
    }
    told = {"versions": versions, "file": caffe.__file__, "batch_statistics": batch_statistics(caffe)}
    if hasattr(caffe, "layer_type_list"):
        told["layers"] = sorted(caffe.layer_type_list())
    return told


PAIR = """
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 1 } } }
layer { name: "y" type: "BatchNorm" bottom: "x" top: "y" batch_norm_param { use_global_stats: false } }
"""


def batch_statistics(caffe):
    # type: (Any) -> bool
    """Whether BatchNorm works out the mean of the batch: a build for inference alone may have left that out."""
    import tempfile

    if "BatchNorm" not in getattr(caffe, "layer_type_list", list)():
        return True
    folder = tempfile.mkdtemp(prefix="netsurgery-")
    try:
        path = os.path.join(folder, "pair.prototxt")
        with open(path, "w") as file:
            file.write(PAIR)
        net = caffe.Net(path, caffe.TEST)
    finally:
        shutil.rmtree(folder)
    net.blobs["x"].data[...] = [[1], [3]]
    net.forward()
    return bool(abs(net.blobs["y"].data.sum()) < 1e-3)


def judge(request):
    # type: (Dict[str, Any]) -> Dict[str, Any]
    from google.protobuf import text_format

    caffe = imported()
    types = set(caffe.layer_type_list()) if hasattr(caffe, "layer_type_list") else None
    told = []  # type: List[Any]
    for text in request["layers"]:
        net = caffe.proto.caffe_pb2.NetParameter()
        try:
            text_format.Merge(text, net)
        except text_format.ParseError as error:
            told.append(str(error))
            continue
        lacking = sorted({str(layer.type) for layer in net.layer} - types) if types is not None else []
        told.append("it has no layer type {}".format(", ".join(lacking)) if lacking else None)
    return {"problems": told}


def load(request):
    # type: (Dict[str, Any]) -> Any
    """The net, ready to be run."""
    caffe = imported()
    files = [str(request[kind]) for kind in ("prototxt", "weights") if request.get(kind)]
    stamps = [(path, os.stat(path).st_size, os.stat(path).st_mtime) for path in files]
    key = [stamps, request.get("phase"), request.get("level"), request.get("stages")]
    if request.get("fresh") or LOADED.get("key") != key:
        LOADED.pop("net", None)  # the old one goes before the new one comes
        caffe.set_mode_cpu()
        phase = caffe.TRAIN if request.get("phase") == "TRAIN" else caffe.TEST
        if request.get("level") or request.get("stages"):
            more = {"level": int(request.get("level") or 0), "stages": [str(s) for s in request.get("stages") or []]}
            if len(files) > 1:
                more["weights"] = files[1]
            LOADED["net"] = caffe.Net(files[0], phase, **more)
        else:  # as every pycaffe understands it
            LOADED["net"] = caffe.Net(*(files + [phase]))
        LOADED["key"] = key
    return LOADED["net"]


def run(request):
    # type: (Dict[str, Any]) -> Dict[str, Any]
    import numpy

    net = load(request)
    with open(request["feeds"], "rb") as file:
        arrays = numpy.load(file)
        feeds = [(str(name), arrays[str(i)]) for i, name in enumerate(request["names"])]
    for name, array in feeds:
        if name not in net.blobs:
            raise RefusedError("the net has no blob '{}'".format(name))
        net.blobs[name].reshape(*array.shape)
    net.reshape()
    for name, array in feeds:
        net.blobs[name].data[...] = array
    net.forward()
    blobs = [name for name in request["blobs"] if name in net.blobs]
    values = {str(i): net.blobs[name].data for i, name in enumerate(blobs)}
    with open(request["values"], "wb") as file:
        numpy.savez(file, **values)
    return {"names": blobs}


def timed(request):
    # type: (Dict[str, Any]) -> Dict[str, Any]
    import time

    import numpy

    net = load(request)
    for name, shape in request["shapes"]:
        net.blobs[str(name)].reshape(*[int(n) for n in shape])
    net.reshape()
    for name, _ in request["shapes"]:
        net.blobs[str(name)].data[...] = numpy.random.randn(*net.blobs[str(name)].data.shape)  # noqa: NPY002
    clock = getattr(time, "perf_counter", time.time)
    layers = [str(name) for name in net._layer_names]
    totals = []  # type: List[float]
    each = [[] for _ in layers]  # type: List[List[float]]
    for _ in range(request["rounds"] + 1):
        begin = clock()
        net.forward()
        totals.append(clock() - begin)
        for i in range(len(layers)):
            begin = clock()
            net._forward(i, i)
            each[i].append(clock() - begin)
    middle = [float(numpy.median(seconds[1:])) for seconds in each]
    return {"layers": layers, "seconds": middle, "total": float(numpy.median(totals[1:]))}


def answer(line):
    # type: (str) -> Dict[str, Any]
    try:
        request = json.loads(line)
        return dict({"probe": probe, "judge": judge, "run": run, "time": timed}[request["do"]](request), ok=True)
    except RefusedError as error:
        return {"ok": False, "stage": "refused", "error": str(error)}
    except BaseException as error:
        problem = "{}: {}".format(type(error).__name__, error)
        return {"ok": False, "stage": "failed", "error": problem, "trace": traceback.format_exc()[-3000:]}


def main():
    # type: () -> None
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Caffe prints is no answer
    while True:
        line = sys.stdin.readline()
        if not line:
            break
        out.write(json.dumps(answer(line)) + "\n")
        out.flush()
    os._exit(0)


if __name__ == "__main__":
    main()

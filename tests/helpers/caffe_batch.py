"""Runs many nets in pycaffe, each in a child of its own: what Caffe aborts on ends the child. Run with the Python that has Caffe:

    python caffe_batch.py FOLDER        each FOLDER/*/ holds net.prototxt, perhaps net.caffemodel, and feeds.npz with names.json

For each it writes values.npz with all blobs, in the order of values.json; or refusal.txt, Caffe's last words. `again.npz`, if there, holds
a second set of inputs, for values of a second forward, after the first, in again_values.npz; `arrays.npy` what a MemoryData layer is set.
"""

import json
import os
import signal
import sys

sys.path.insert(0, os.environ["CAFFE_SIDE"])

import caffe_side
import numpy


def fed(net, path, names):
    arrays = numpy.load(path)
    for i, name in enumerate(names):
        net.blobs[name].reshape(*arrays[str(i)].shape)
    net.reshape()
    for i, name in enumerate(names):
        net.blobs[name].data[...] = arrays[str(i)]


def compute(caffe, folder):
    os.chdir(folder)
    with open("names.json") as file:
        told = json.load(file)
    files = [name for name in ("net.prototxt", "net.caffemodel") if os.path.exists(name)]
    if "stages" in told or "phase" in told:
        phase = caffe.TRAIN if told.get("phase") == "TRAIN" else caffe.TEST
        more = {"weights": files[1]} if len(files) > 1 else {}
        net = caffe.Net(files[0], phase, stages=[str(s) for s in told.get("stages", [])], **more)
    else:
        net = caffe.Net(*(files + [caffe.TEST]))
    if os.path.exists("arrays.npy"):
        arrays = numpy.load("arrays.npy")
        net.set_input_arrays(arrays, numpy.zeros((len(arrays), 1, 1, 1), numpy.float32))
    for feeds, values in (("feeds.npz", "values"), ("again.npz", "again_values")):
        if os.path.exists(feeds):
            fed(net, feeds, told["names"])
            net.forward()
            names = list(net.blobs)
            numpy.savez(values + ".npz", **{str(i): net.blobs[name].data for i, name in enumerate(names)})
            with open(values + ".json", "w") as file:
                json.dump(names, file)


def main():
    caffe = caffe_side.imported()
    caffe.set_mode_cpu()
    root = os.path.abspath(sys.argv[1])
    for name in sorted(os.listdir(root)):
        folder = os.path.join(root, name)
        child = os.fork()
        if not child:
            code = 1
            try:
                log = os.open(os.path.join(folder, "log.txt"), os.O_CREAT | os.O_WRONLY)
                os.dup2(log, 2)
                os.dup2(log, 1)
                compute(caffe, folder)
                code = 0
            except BaseException as error:
                os.write(2, (f"{type(error).__name__}: {error}").encode())
            os._exit(code)
        ending = os.waitpid(child, 0)[1]
        if ending:
            with open(os.path.join(folder, "log.txt")) as file:
                lines = [line for line in file.read().splitlines() if "Check failure stack" not in line]
            with open(os.path.join(folder, "refusal.txt"), "w") as file:
                killed = os.WIFSIGNALED(ending) and os.WTERMSIG(ending) != signal.SIGABRT  # by which Caffe itself ends
                file.write("\n".join(lines[-4:] + [f"ended by signal {os.WTERMSIG(ending)}"] * killed))


if __name__ == "__main__":
    main()

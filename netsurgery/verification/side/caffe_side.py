"""Runs a net in pycaffe. Started by on_caffe.py in a Python that has Caffe, which may be old: it imports nothing of netsurgery's, and
keeps to what Python 2.7 understands. Reads a request (JSON) on stdin, writes one line of JSON as answer to stdout.
"""

import json
import os
import sys

os.environ.setdefault("GLOG_minloglevel", "2")


def main():
    # type: () -> None
    request = json.loads(sys.stdin.read())
    answer = sys.stdout
    sys.stdout = sys.stderr  # what Caffe prints is no answer
    import caffe
    import numpy

    told = {
        "caffe": str(getattr(caffe, "__version__", "unknown")),
        "python": sys.version.split()[0],
        "file": caffe.__file__,
    }
    if "prototxt" in request:
        caffe.set_mode_cpu()
        net = caffe.Net(str(request["prototxt"]), str(request["weights"]), caffe.TEST)
        feeds = numpy.load(request["feeds"])
        for name in feeds.files:
            net.blobs[str(name)].reshape(*feeds[name].shape)
        net.reshape()
        for name in feeds.files:
            net.blobs[str(name)].data[...] = feeds[name]
        net.forward()
        there = [name for name in request["blobs"] if name in net.blobs]
        numpy.savez(request["values"], **{str(i): net.blobs[name].data.copy() for i, name in enumerate(there)})
        told["blobs"] = there
    answer.write(json.dumps(told) + "\n")
    answer.flush()


if __name__ == "__main__":
    main()

"""Runs pycaffe scripts one after another in one process: `python caffe_scripts.py FOLDER ...`; each writes out.npz into its folder, or
error.txt."""

from __future__ import annotations

import os
import runpy
import sys
import traceback
from pathlib import Path

from netsurgery.pycaffe.finder import install


def main() -> None:
    install(force=True)
    for folder in sys.argv[1:]:
        os.chdir(folder)
        before, path = set(sys.modules), list(sys.path)
        sys.argv = ["script.py", "out.npz"]
        sys.path.insert(0, folder)
        try:
            runpy.run_path("script.py", run_name="__main__")
        except BaseException:
            Path("error.txt").write_text(traceback.format_exc())
        sys.path[:] = path
        for name in set(sys.modules) - before:  # the scripts' own modules, which may bear the same names
            if str(getattr(sys.modules[name], "__file__", "")).startswith(folder):
                del sys.modules[name]


if __name__ == "__main__":
    main()

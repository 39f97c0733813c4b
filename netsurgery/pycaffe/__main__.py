"""python -m netsurgery.pycaffe SCRIPT [ARGUMENT ...]: runs a script of yesterday, in which `import caffe` finds this package."""

from __future__ import annotations

import sys

from .script import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

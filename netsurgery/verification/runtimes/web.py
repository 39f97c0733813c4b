"""ONNX models in onnxruntime-web, WebAssembly in Node: what a browser computes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import UnavailableError
from .onnx_model import OnnxModel

if TYPE_CHECKING:
    from .base import Array, Feeds

FOLDER = "NETSURGERY_WEB"
"""Names the folder whose node_modules hold onnxruntime-web, in place of the usual one."""

SCRIPT = """
const fs = require("fs"), path = require("path");
const ort = require("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const [folder] = process.argv.slice(1);
const at = name => path.join(folder, name);
const types = {float32: Float32Array, uint8: Uint8Array, int32: Int32Array};
(async () => {
  const asked = JSON.parse(fs.readFileSync(at("asked.json")));
  const session = await ort.InferenceSession.create(fs.readFileSync(at("model.onnx")));
  const feeds = {};
  asked.feeds.forEach(({name, type, shape}, i) => {
    const bytes = fs.readFileSync(at(`in${i}`));
    const data = new types[type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    feeds[name] = new ort.Tensor(type, data, shape);
  });
  const values = await session.run(feeds, asked.outputs);
  const told = asked.outputs.map((name, i) => {
    const {data, type, dims} = values[name];
    fs.writeFileSync(at(`out${i}`), Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    return {type, shape: dims};
  });
  fs.writeFileSync(at("told.json"), JSON.stringify(told));
})().catch(error => { console.error(String(error.message || error)); process.exit(1); });
"""


class Web(OnnxModel):
    """A model in onnxruntime-web; each run is a process of its own."""

    name = "onnxruntime-web"

    @staticmethod
    def library() -> Any:
        node, folder = shutil.which("node"), place()
        if node is None:
            raise UnavailableError(
                "Node is not there", expected="`node` among the programs", fix="install Node 18 or newer"
            )
        if not (folder / "node_modules" / "onnxruntime-web").is_dir():
            raise UnavailableError(
                f"onnxruntime-web is not in {folder}",
                expected="its node_modules",
                fix=f"npm install --prefix {folder} onnxruntime-web",
            )
        return node

    @cached_property
    def versions(self) -> Mapping[str, str]:
        about = json.loads((place() / "node_modules" / "onnxruntime-web" / "package.json").read_text())
        return {"onnxruntime-web": about["version"]}

    def open(self, extra: Collection[str]) -> Any:
        return self.whole(extra).SerializeToString()

    def compute(self, instance: Any, asked: Sequence[str], feeds: Feeds) -> Mapping[str, Array]:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            (folder / "model.onnx").write_bytes(instance)
            inputs = [{"name": n, "type": a.dtype.name, "shape": a.shape} for n, a in feeds.items()]
            (folder / "asked.json").write_text(json.dumps({"feeds": inputs, "outputs": list(asked)}))
            for i, array in enumerate(feeds.values()):
                (folder / f"in{i}").write_bytes(np.ascontiguousarray(array).tobytes())
            done = subprocess.run(
                [self.engine, "-e", SCRIPT, str(folder)],
                cwd=place(),
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
            )
            if done.returncode:
                raise RuntimeError(done.stderr.strip()[-600:])
            told = json.loads((folder / "told.json").read_text())
            return {
                blob: np.frombuffer((folder / f"out{i}").read_bytes(), x["type"]).reshape(x["shape"])
                for i, (blob, x) in enumerate(zip(asked, told, strict=True))
            }


def place() -> Path:
    """The folder whose node_modules hold onnxruntime-web."""
    from platformdirs import user_data_path

    return Path(os.environ.get(FOLDER) or user_data_path("netsurgery", appauthor=False) / "web")


open_model = Web.of

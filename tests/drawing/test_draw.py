"""netsurgery draw: the graph says what the file says, and every format can be had."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import browser
import pytest
import seeing
from seeing import NET, color_net, digits

import netsurgery
from netsurgery.drawing.describe import describe, detail
from netsurgery.drawing.graph import to_graph
from netsurgery.formats.load import from_text
from netsurgery.summary import summarize

TEXT = r"""
name: "</script><script>document.title='taken'</script>"
layer { name: "in\"put" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 pad_h: 1 pad_w: 0 stride: 2 group: 1 dilation: 2 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "halves" type: "Slice" bottom: "conv" top: "a" top: "b" slice_param { slice_point: 1 } }
layer { name: "pool" type: "Pooling" bottom: "a" top: "pool" pooling_param { pool: AVE global_pooling: true } }
layer { name: "odd" type: "Oddity" bottom: "b" top: "odd" }
layer { name: "<b>last</b>" type: "InnerProduct" bottom: "odd" top: "last" inner_product_param { num_output: 5 } }
"""

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
needs_browser = pytest.mark.skipif(browser.CHROMIUM is None, reason="no chromium here")


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return lambda *words: seeing.call(monkeypatch, capsys, *words)


@pytest.fixture
def net() -> netsurgery.Net:
    return from_text(TEXT)


def test_layers_in_place_stand_at_the_blob_that_the_file_names(net: netsurgery.Net) -> None:
    description = describe(net)
    graph = to_graph(net, description)
    edges = {
        (graph.nodes[a]["label"].split("\\n")[0], graph.nodes[b]["label"].split("\\n")[0]) for a, b, _ in graph.edges
    }
    assert {("conv", "bn"), ("bn", "conv"), ("conv", "relu"), ("relu", "conv"), ("conv", "halves")} <= edges
    assert graph.ranks == [["blob conv", "layer 2", "layer 3"]]
    assert [node.host for node in description.nodes] == [0, 1, 1, 1, 4, 5, 6, 7]
    assert (1, 4) in {(a, b) for a, b, _ in description.edges}
    assert {node.layer.name: node.colour for node in description.nodes}["relu"] == "#90EE90"


def test_edges_bear_shapes_at_the_size_that_is_asked_for(net: netsurgery.Net) -> None:
    sizes = lambda d: [node.tops[0].size for node in d.nodes]  # noqa: E731
    assert sizes(describe(net))[:2] == ["1x3x16x12", "1x4x7x4"]
    assert sizes(describe(net, {"data": (2, 3, 32, 12)}))[:2] == ["2x3x32x12", "2x4x15x4"]
    # behind a layer that is not supported nothing is known, and the net is drawn all the same
    assert sizes(describe(net))[-2:] == ["", ""]
    assert " 1x4x7x4 " in to_graph(net, describe(net)).source()


def test_windows_are_told_in_short(net: netsurgery.Net) -> None:
    assert [detail(layer) for layer in net.layers] == ["", "4 3x3 s2 p1x0 d2", "", "", "", "global AVE", "", "5"]


@needs_dot
def test_every_format_is_written_by_the_command(tmp_path: Path, command: Command) -> None:
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF", "dot": b"digraph", "html": b"<!doctype html>"}
    for format, head in begins.items():
        path = tmp_path / f"net.{format}"
        assert command("draw", NET[0], "-o", path)[0] == 0
        assert path.read_bytes().startswith(head)
    assert command("draw", NET[0], "-o", tmp_path / "net", "--format", "svg", "--horizontal")[0] == 0
    wide, high = re.search(r'width="(\d+)pt" height="(\d+)pt"', (tmp_path / "net").read_text()).groups()  # type: ignore[union-attr]
    assert int(wide) > int(high)
    assert "prob" in netsurgery.draw(digits())._repr_svg_()
    code, _, err = command("draw", NET[0], "-o", tmp_path / "net.bmp")
    assert code == 2
    assert err == (
        "error: the format 'bmp' of a drawing\n  expected: one of: svg, png, pdf, dot, html\n"
        "  fix: end the file's name in .svg, or name the format: --format svg\n"
    )
    assert not (tmp_path / "net.bmp").exists()


def test_the_page_needs_no_graphviz(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("draw", NET[0], "-o", tmp_path / "net.html")[0] == 0
    assert command("draw", NET[0], "-o", tmp_path / "net.svg")[0] == 2


def test_the_page_says_what_inspect_says(tmp_path: Path, command: Command) -> None:
    assert command("draw", *NET, "--image", seeing.DIGITS / "sample_3.png", "-o", tmp_path / "net.html")[0] == 0
    page = (tmp_path / "net.html").read_text()
    said = json.loads(re.search(r'id="net">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    rows = summarize(digits())["layers"]
    assert [(x["name"], x["parameters"], x["macs"]) for x in said["layers"]] == [
        (row["name"], row["parameters"], row["macs"]) for row in rows
    ]
    assert said["layers"][1]["tops"] == [{"name": "conv1", "shape": [1, 12, 24, 24]}]
    assert [title.split(",")[0] for title, _ in said["layers"][1]["pictures"]] == ["filters", "activations of conv1"]
    assert len(page) < 3 << 20
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_an_image_needs_weights(net: netsurgery.Net) -> None:
    with pytest.raises(netsurgery.NetsurgeryError, match="activations of an image need weights"):
        netsurgery.draw(net, image="nowhere.png")
    drawing = netsurgery.draw(color_net(), image=str(seeing.DIGITS / "canvas.overlay.png"))
    assert drawing.render("html").count(b"data:image/png") >= 4


def test_pixels_are_fed_as_it_is_said_and_shown_on_the_page_alone(tmp_path: Path, command: Command) -> None:
    image = ("--image", seeing.DIGITS / "sample_3.png")
    pages = []
    for scale, said in ((1, "gray of 0 to 1"), (255, "gray of 0 to 255")):
        code, _, err = command("draw", *NET, *image, "--raw-scale", scale, "-o", tmp_path / "net.html")
        assert code == 0 and f"pixels are fed as {said}\n" in err
        pages.append((tmp_path / "net.html").read_text())
    strongest = [
        re.findall(r"activations of conv1, strongest first, all 12, up to ([0-9.e+]+)", page) for page in pages
    ]
    assert float(strongest[1][0]) > 100 * float(strongest[0][0])
    code, _, err = command("draw", *NET, *image, "-o", tmp_path / "net.svg", "-q")
    assert code == 2 and err == (
        "error: activations of an image in a drawing of the format 'svg'\n"
        "  expected: the page, which alone shows them\n"
        "  fix: end the file's name in .html, or leave out the image\n"
    )


@needs_browser
@pytest.mark.parametrize(("width", "height"), [(1300, 900), (390, 844)])
def test_the_page_works_in_a_browser(net: netsurgery.Net, tmp_path: Path, width: int, height: int) -> None:
    """A click shows the layer; names are text, whatever they are; nothing is fetched; nothing is wider than the window."""
    path = tmp_path / "net.html"
    netsurgery.draw(net, path)
    script = """(() => {
      const node = [...document.querySelectorAll(".node")].find(n => n.textContent.includes("conv"));
      node.dispatchEvent(new MouseEvent("click", { bubbles: true }));
      const box = document.querySelector(".node rect").getBoundingClientRect();
      return [document.querySelectorAll(".node").length, document.querySelector("#layer h2").textContent,
        document.querySelector("#layer pre").textContent.includes("dilation: 2"), document.querySelectorAll("tbody tr").length,
        document.documentElement.scrollWidth <= innerWidth, box.width > 20, document.querySelectorAll("b").length,
        document.title.includes("</script>")];
    })()"""
    found = browser.visit(path, script, width, height)
    assert found.value == [8, "conv", True, 8, True, True, 0, True]
    assert found.complaints == []
    assert found.requests == [path.as_uri()]


@needs_browser
def test_hundreds_of_layers_stay_usable(tmp_path: Path) -> None:
    """200 residual blocks of three layers and a branch: laid out when the page has loaded, in seconds."""
    lines = ['layer { name: "data" type: "Input" top: "x0" input_param { shape { dim: 1 dim: 4 dim: 8 dim: 8 } } }']
    lines += [
        f'layer {{ name: "c{k}" type: "Convolution" bottom: "x{k}" top: "c{k}" convolution_param {{ num_output: 4 kernel_size: 1 }} }}'
        f'layer {{ name: "r{k}" type: "ReLU" bottom: "c{k}" top: "c{k}" }}'
        f'layer {{ name: "e{k}" type: "Eltwise" bottom: "x{k}" bottom: "c{k}" top: "x{k + 1}" }}'
        for k in range(200)
    ]
    path = tmp_path / "deep.html"
    netsurgery.draw(from_text("\n".join(lines)), path)
    found = browser.visit(path, '[document.querySelectorAll(".node").length, performance.now()]')
    assert found.value[0] == 601
    assert found.value[1] < 20_000

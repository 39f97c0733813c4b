"""netsurgery.to_torch: nets as PyTorch modules, at every size, with Caffe's names."""

from __future__ import annotations

from pathlib import Path

import cases
import numpy as np
import pytest

import netsurgery
from netsurgery.formats.load import from_text

torch = pytest.importorskip("torch")

CASES = cases.find("conformance", "conformance-forks")


def test_there_are_cases() -> None:
    assert len(CASES) >= 150


@pytest.mark.parametrize("case", CASES, ids=cases.name)
def test_a_net_in_pytorch_gives_caffes_numbers(case: Path) -> None:
    net = cases.load(case)
    if case.parent.name == "surgery":
        net = netsurgery.convolutionalize(net)
    module = netsurgery.to_torch(net)
    for inputs, outputs in cases.runs(case):
        feeds = {k: torch.from_numpy(np.asarray(v, np.float32)) for k, v in inputs.items() if k in module.inputs}
        with torch.no_grad():
            tops = module(**feeds)
        compared = 0
        for blob, top in tops.items():
            if blob in outputs:
                assert cases.difference(top.numpy().astype(np.float32), outputs[blob]) == "", blob
                compared += 1
        assert compared


def test_parameters_learn_under_caffes_names(tmp_path: Path) -> None:
    net = netsurgery.initialize(
        from_text(
            'input: "data" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 4\n'
            'layer { name: "conv/1" type: "Convolution" bottom: "data" top: "c"'
            " convolution_param { num_output: 2 kernel_size: 3 } }\n"
            'layer { name: "relu" type: "ReLU" bottom: "c" top: "c" }\n'
            'layer { name: "ip" type: "InnerProduct" bottom: "c" top: "y" inner_product_param { num_output: 2 } }'
        ),
        1,
        "random",
    )
    module = netsurgery.to_torch(net)
    assert sorted(name for name, _ in module.named_parameters()) == [
        "conv_1.blob0", "conv_1.blob1", "ip.blob0", "ip.blob1",
    ]  # fmt: skip
    assert module.layers == {"conv/1": "conv_1", "ip": "ip"}
    x = torch.randn(2, 3, 4, 4)
    before = module(x)["y"].square().sum()
    before.backward()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter -= 0.001 * parameter.grad
    after = module(data=x)["y"].square().sum()
    assert after < before
    torch.save(module.state_dict(), tmp_path / "state.pt")
    twin = netsurgery.to_torch(net)
    twin.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert torch.equal(twin(x)["y"], module(x)["y"])


def test_what_is_called_wrongly_is_told() -> None:
    net = from_text(
        'input: "a" input_shape { dim: 1 dim: 3 }\nlayer { name: "r" type: "ReLU" bottom: "a" top: "b" }',
    )
    module = netsurgery.to_torch(net)
    with pytest.raises(netsurgery.NetsurgeryError, match="expected: tensors for: a"):
        module(x=torch.zeros(1, 3))

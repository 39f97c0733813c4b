"""Include and exclude rules select the layers that Caffe selects."""

from __future__ import annotations

import pytest

from netsurgery.errors import NetsurgeryError, ParseError
from netsurgery.formats.prototxt.phases import filter_net
from netsurgery.formats.prototxt.text import parse
from netsurgery.formats.prototxt.typed import resolve
from netsurgery.message import Message


def read(text: str) -> Message:
    return resolve(parse(text, "net.prototxt"), "NetParameter")


NET = read(
    """
    name: "n"
    layer { name: "always" }
    layer { name: "train" include { phase: TRAIN } }
    layer { name: "test" include { phase: TEST } }
    layer { name: "not train" exclude { phase: TRAIN } }
    layer { name: "either" include { phase: TRAIN stage: "a" } include { phase: TEST stage: "b" } }
    layer { name: "neither" exclude { stage: "a" } exclude { stage: "b" } }
    layer { name: "a and b" include { stage: "a" stage: "b" } }
    layer { name: "no c" include { not_stage: "c" } }
    layer { name: "from 1" include { min_level: 1 } }
    layer { name: "to 2" include { max_level: 2 } }
    layer { name: "1 to 2" include { min_level: 1 max_level: 2 } }
    layer { name: "any" include { } }
    layer { name: "none" exclude { } }
    """
)


def names(net: Message) -> set[str]:
    return {layer.last("name") for layer in net.all("layer")}


def test_by_default_the_test_phase_counts() -> None:
    assert names(filter_net(NET)) == {"always", "test", "not train", "neither", "no c", "to 2", "any"}


def test_the_train_phase() -> None:
    assert names(filter_net(NET, "TRAIN")) == {"always", "train", "neither", "no c", "to 2", "any"}


def test_stages() -> None:
    always = {"always", "test", "not train", "to 2", "any"}
    assert names(filter_net(NET, stages=["a"])) == always | {"no c"}
    assert names(filter_net(NET, stages=["a", "b"])) == always | {"either", "a and b", "no c"}
    assert names(filter_net(NET, stages=["c"])) == always | {"neither"}


def test_levels() -> None:
    always = {"always", "test", "not train", "neither", "no c", "any"}
    assert names(filter_net(NET, level=1)) == always | {"from 1", "to 2", "1 to 2"}
    assert names(filter_net(NET, level=2)) == always | {"from 1", "to 2", "1 to 2"}
    assert names(filter_net(NET, level=3)) == always | {"from 1"}
    assert names(filter_net(NET, level=-1)) == always | {"to 2"}


def test_of_the_files_own_state_only_the_stages_count() -> None:
    net = read(
        """state { phase: TRAIN level: 5 stage: "a" }
        layer { name: "train" include { phase: TRAIN } } layer { name: "5" include { min_level: 5 } }
        layer { name: "a" include { stage: "a" } } layer { name: "a and b" include { stage: "a" stage: "b" } }"""
    )
    assert names(filter_net(net)) == {"a"}
    assert names(filter_net(net, "TRAIN", 5, ["b"])) == {"train", "5", "a", "a and b"}


def test_all_else_stays_and_so_does_a_net_that_loses_no_layer() -> None:
    filtered = filter_net(NET)
    assert [f for f in filtered.fields if f.name != "layer"] == [f for f in NET.fields if f.name != "layer"]
    assert filter_net(filtered) is filtered


def test_both_kinds_of_rules_are_refused() -> None:
    net = read('layer {\nname: "d" type: "Data"\ninclude { phase: TRAIN }\nexclude { phase: TEST } }')
    with pytest.raises(ParseError) as caught:
        filter_net(net)
    assert str(caught.value) == (
        "net.prototxt:4: layer 'd' (Data): both include and exclude rules\n"
        "  expected: only one of the two, as Caffe requires\n"
        "  fix: write the exclude rules as include rules (phase: TRAIN excluded is phase: TEST included)"
    )


def test_an_unknown_phase_is_refused() -> None:
    with pytest.raises(NetsurgeryError) as caught:
        filter_net(NET, "test")
    assert str(caught.value) == "there is no phase 'test'\n  expected: TEST or TRAIN"

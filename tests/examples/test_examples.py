"""The examples and the contract say the same: every address, command and key that an example names exists."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import cli
from engine.core import config, contract
from engine.feed.encoder import Encoder, PacketTemplate, SubscriptionSpec
from engine.feed.orders import COMMANDS, REPLIES
from engine.feed.schema import ROOT, Schema
from engine.jam.parameters import registry_of
from engine.net.osc import DATAGRAM

HERE = Path(__file__).resolve().parents[2]
EXAMPLES = HERE / "examples"
README = (EXAMPLES / "README.md").read_text()
TEXTS = sorted(
    p
    for p in EXAMPLES.rglob("*")
    if p.suffix in {".md", ".pd", ".scd", ".pde", ".cpp", ".h", ".html", ".js", ".cs", ".maxpat", ".py"} and p.is_file()
)


def festival() -> Schema:
    card = contract.read_card(HERE / "models/festival/festival.onnx")
    return Schema(card, registry_of(card))


SCHEMA = festival()
ADDRESSES = {ROOT + a.path for a in SCHEMA.addresses()} | {ROOT + c.path for c in (*COMMANDS, *REPLIES)}


def named(text: str) -> set[str]:
    """Addresses of ours in a text; one that ends in a slash is the beginning of some."""
    return set(re.findall(rf"{ROOT}/[\w./]*[\w/]", text))


def exists(address: str) -> bool:
    return any(known.startswith(address) for known in ADDRESSES) if address.endswith("/") else address in ADDRESSES


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: str(p.relative_to(EXAMPLES)))
def test_every_address_exists(path: Path):
    assert [a for a in sorted(named(path.read_text())) if not exists(a)] == []


def test_an_address_that_is_not_there_would_be_found():
    assert named(f'x("{ROOT}/act/0/h/000") {ROOT}/layer/9/mean, {ROOT}/act/.') == {
        f"{ROOT}/act/0/h/000",
        f"{ROOT}/layer/9/mean",
        f"{ROOT}/act/",
    }
    assert exists(f"{ROOT}/act/0/h/000")
    assert exists(f"{ROOT}/act/")
    assert not exists(f"{ROOT}/layer/9/mean")
    assert not exists(f"{ROOT}/act/0/h")


def test_the_receivers_name_the_addresses_they_are_about():
    for path, least in {
        "README.md": 20,
        "supercollider/algoritmo.scd": 8,
        "processing/Algoritmo/Algoritmo.pde": 4,
        "processing/AlgoritmoSmooth/AlgoritmoSmooth.pde": 3,
        "openframeworks/src/ofApp.cpp": 4,
        "max/algoritmo.maxpat": 14,
        "supercollider/smooth.scd": 4,
        "browser/index.html": 10,
        "resolume/resolume.py": 4,
    }.items():
        assert len(named((EXAMPLES / path).read_text())) >= least, path


# --- Pure Data: an address is spread over boxes ---------------------------------------------------------------------------


class Patch:
    """The boxes of a Pure Data patch and the cables between them."""

    def __init__(self, text: str) -> None:
        self.boxes: list[list[str]] = []  # the words of each box: kind, then what stands in it
        self.arrays: list[str] = []
        self.cables: dict[tuple[int, int], list[int]] = {}
        depth = 0
        for record in re.findall(r"#(.*?);\n", text.replace("\\$", "$"), re.DOTALL):
            kind, *words = record.split()
            if kind == "N":
                depth += 1
            elif words[0] == "restore":
                depth -= 1
                self.boxes.append(["graph"])
            elif words[0] == "array":
                self.arrays.append(words[1])
            elif depth == 1 and words[0] == "connect":
                a, outlet, b, _ = map(int, words[1:])
                self.cables.setdefault((a, outlet), []).append(b)
            elif depth == 1 and words[0] != "coords":
                self.boxes.append([words[3], *words[4:]] if words[0] == "obj" else [words[0], *words[3:]])

    def find(self, *words: str) -> list[int]:
        """Boxes that begin with these words."""
        return [n for n, box in enumerate(self.boxes) if box[: len(words)] == list(words)]

    def paths(self) -> Iterator[tuple[str, list[str]]]:
        """Follow what comes in; yield each address that has been taken apart, and the box it then comes to."""
        waiting = [(n, "") for n in self.find("oscparse")]
        while waiting:
            number, path = waiting.pop()
            box = self.boxes[number]
            if box[0] == "route":
                steps = [(outlet, f"{path}/{word}") for outlet, word in enumerate(box[1:])]
            elif box[0] in ("oscparse", "t", "r") or box[:2] == ["list", "trim"]:
                steps = [(outlet, path) for outlet in range(3)]
            elif box[0] == "s":
                waiting += [(n, path) for n in self.find("r", box[1])]
                continue
            else:
                yield path, box
                continue
            waiting += [(to, further) for outlet, further in steps for to in self.cables.get((number, outlet), [])]


PATCH = Patch((EXAMPLES / "puredata/algoritmo.pd").read_text())


def test_pure_data_routes_only_what_is_sent():
    found = [(path, box) for path, box in PATCH.paths() if box[0] != "spigot"]
    assert len(found) >= 14
    for path, box in found:
        if box[0] == "list":  # the rest of the address becomes a name
            parts = int(box[2])
            assert any(re.fullmatch(re.escape(path) + r"(/\w+)" + f"{{{parts}}}", known) for known in ADDRESSES), path
        else:
            assert path in ADDRESSES, path


def test_pure_data_names_arrays_and_sliders_after_what_is_sent():
    names = PATCH.arrays + [word for box in PATCH.boxes if box[0] == "hsl" for word in box if word.startswith("layer-")]
    assert len(PATCH.arrays) == 6
    assert len(names) == 6 + 2 * 6  # a slider has the name as its receiver and as its label
    assert {f"{ROOT}/{name.replace('-', '/')}" for name in names} <= ADDRESSES


def test_pure_data_sends_orders_that_are_understood():
    orders = ["/" + "/".join(PATCH.boxes[n][1:]) for n in PATCH.find("oscformat")]
    assert sorted(orders) == [f"{ROOT}/panic", f"{ROOT}/param/temperature"]
    assert set(orders) <= ADDRESSES


# --- sizes ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "layers", "units"),
    [
        ("processing/Algoritmo/Algoritmo.pde", r"LAYERS = (\d+);", r"UNITS = (\d+);"),
        ("openframeworks/src/ofApp.h", r"LAYERS = (\d+);", r"UNITS = (\d+);"),
        ("browser/index.html", r"const LAYERS = \[([^]]*)\]", r"UNITS = (\d+),"),
    ],
)
def test_pictures_are_as_large_as_the_network(path: str, layers: str, units: str):
    text = (EXAMPLES / path).read_text()
    hidden = [v for v in SCHEMA.vectors if v.signal == "h"]
    count = re.search(layers, text)[1]
    assert (int(count) if count.isdecimal() else count.count("/h/000")) == len(hidden)
    assert {int(re.search(units, text)[1])} == {v.size for v in hidden}


def test_sizes_in_the_readme_are_those_of_the_feed():
    template = PacketTemplate(Encoder(SCHEMA), SubscriptionSpec())
    assert max(map(len, template.datagrams)) <= DATAGRAM
    assert f"at most {DATAGRAM} bytes" in README
    assert f"about {round(SCHEMA.floats, -3)} floats or {round(sum(map(len, template.datagrams)), -3) // 1000} kB" in README


# --- the README -----------------------------------------------------------------------------------------------------------


def commands() -> list[list[str]]:
    found = []
    for path in TEXTS:
        for line in re.findall(r"(?m)^[^`\n]*?\b(algoritmo (?:replay|jam) .*)$", path.read_text()):
            found.append(shlex.split(re.split(r"[;*`]|, f |\",?$", line)[0].strip())[1:])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_parses(words: list[str]):
    arguments = cli._parser().parse_args(words)
    config.load(None, arguments.set)


def test_the_quick_start_begins_with_a_replay():
    first = re.search(r"```sh\n(.*?)\n```", README)[1]
    assert first == "algoritmo replay examples/session --loop"
    assert len(commands()) >= 7


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", README, re.DOTALL))
def test_every_configuration_is_accepted(block: str):
    loaded = config.Config.model_validate(tomllib.loads(block))
    assert loaded.osc.targets
    for target in loaded.osc.targets:
        assert set(target.signals) <= set(SCHEMA.signals)


def test_signals_named_in_the_readme_are_all_there_are():
    line = next(line for line in README.splitlines() if line.startswith("signals = ["))
    assert set(re.findall(r'"(\w+)"', line)) == set(SCHEMA.signals)


def test_every_link_leads_somewhere():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("#")]
    assert len(links) >= 6
    for link in links:
        assert (EXAMPLES / link).exists(), link
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in re.findall(r"(?m)^#+ (.*)$", README)}
    assert {link[1:] for link in re.findall(r"\]\((#[^)]+)\)", README)} <= anchors


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_of_the_recipes_is_python(block: str):
    compile(block, "README.md", "exec")


def test_resolume_is_told_of_scalars_alone():
    told = runpy.run_path(str(EXAMPLES / "resolume/resolume.py"))["MAP"]
    assert set(told) <= {ROOT + s.path for s in SCHEMA.scalars}
    assert all(address.startswith("/composition/") for address in told.values())

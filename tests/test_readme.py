"""The README and the program say the same: commands, keys, parameters, addresses, networks.

python -m tests.test_readme    # writes the table of networks and the list of modes anew
"""

import importlib
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from engine import cli
from engine.audio import library
from engine.core import config, contract
from engine.feed.orders import COMMANDS
from engine.feed.schema import ROOT, Schema
from engine.jam.modes import CLASSES
from engine.jam.parameters import registry_of
from engine.transport import sources

HERE = Path(__file__).parent.parent
README = (HERE / "README.md").read_text()
FESTIVAL = contract.read_card(HERE / "models/festival/festival.onnx")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[list[str]]:
    """Every `algoritmo ...` of the code blocks, as words."""
    lines = [part.strip() for block in blocks("sh") for line in block.splitlines() for part in line.split("&&")]
    return [shlex.split(line)[1:] for line in lines if re.match(r"(\.venv/bin/)?algoritmo ", line)]


def options(name: str, parser=None) -> set[str]:
    """The options and commands of the parser of one command."""
    parser = parser or cli._parser()
    below = next(a for a in parser._actions if a.choices)
    return {option for action in below.choices[name]._actions for option in action.option_strings}


def test_the_two_commands_come_first():
    assert blocks("sh")[:2] == [
        "python3 -m venv .venv && .venv/bin/pip install -e . && .venv/bin/algoritmo jam --demo\n",
        "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest\n",
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_parses_and_its_settings_are_keys(words):
    if words[0] in cli.ELSEWHERE:
        importlib.import_module(cli.ELSEWHERE[words[0]][0])._parser().parse_args(words[1:])
        return
    arguments = cli._parser().parse_args(words)
    config.load(None, getattr(arguments, "set", []))


def test_settings_named_in_the_text_are_keys():
    settings = [s.strip("'") for s in re.findall(r"`--set ([a-z][^`\s]+=[^`]+)`", README)]
    assert len(settings) >= 3
    for setting in settings:
        config.load(None, [setting])


def test_the_command_table_is_the_programs():
    below = next(a for a in cli._parser()._actions if a.choices)
    table = README[README.index("## Commands") : README.index("## How it works")]
    named = set(re.findall(r"\| `algoritmo (\w+)", table)) | {"evaluate", "data"}
    assert named == set(below.choices)
    for row in re.findall(r"\| `algoritmo (\w+)[^|]*\|([^|]*)\|", table):
        assert set(re.findall(r"--\w+", row[1])) <= options(row[0]) | {"--help"}, row[0]


def _keys() -> set[str]:
    """Every key of the configuration with its section."""
    found = set()

    def walk(data: dict, prefix: str) -> None:
        for key, value in data.items():
            found.add(prefix + key)
            if isinstance(value, tuple) and value and isinstance(value[0], dict):
                value = value[0]
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")

    walk(config.Config().model_dump(), "")
    return found


def test_every_key_named_exists():
    keys = _keys()
    sections = {key.split(".")[0] for key in keys}
    named = {word for word in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", README) if word.split(".")[0] in sections}
    named -= {"session.wav", "session.mid"}
    assert len(named) >= 15
    assert named <= keys | {parameter.id for parameter in sources.parameters()}  # of a section that has live ones, too


def test_every_toml_example_loads(tmp_path):
    for block in blocks("toml"):
        (tmp_path / "example.toml").write_text(block)
        tomllib.loads(block)
        config.load(tmp_path / "example.toml")


def test_every_parameter_of_the_table_exists():
    registry = registry_of(FESTIVAL)
    table = README[README.index("| parameter |") : README.index("From a controller")]
    named = re.findall(r"`([a-z.]+)`", table)
    assert len(named) >= 10
    patches = config.Config().patches
    knobs = {knob.id for track, patch in patches.items() for knob in library.knobs(track, library.load(patch))}
    knobs |= {f"{track}.patch" for track in patches}
    assert [name for name in named if name not in registry and name not in knobs] == []
    for block in blocks("toml"):
        assert set(tomllib.loads(block).get("midi", {}).get("cc", {})) <= set(registry.index)


def test_every_address_exists():
    registry = registry_of(FESTIVAL)
    known = {ROOT + address.path for address in Schema(FESTIVAL, registry).addresses()}
    known |= {ROOT + command.path for command in COMMANDS}
    named = set(re.findall(rf"{ROOT}(?:/\w+)+", README))
    assert len(named) >= 15
    assert named <= known


def row(card: contract.Card) -> str:
    """The README's line on a network."""
    data = ", ".join(d["name"] for d in card.training.get("data", []))
    return f"| `{card.name}` | {card.description} | {data} | {card.figures['valid_nats_per_step']:.2f} |"


HEAD = "| name | what it is | trained on | nats per step |\n|---|---|---|---|\n"


def networks() -> tuple[str, str]:
    """The README's lines on the networks, as written and as the cards have them."""
    written = README[README.index(HEAD) + len(HEAD) :].split("\n\n")[0]
    return written, "\n".join(row(contract.read_card(path)) for path in sorted((HERE / "models").glob("*/*.onnx")))


def test_the_networks_are_those_shipped():
    written, shipped = networks()
    assert written == shipped, "python -m tests.test_readme writes the table anew"


WAYS = "Ways to play together (`jam.mode`):\n\n"


def modes() -> tuple[str, str]:
    """The README's list of modes, as written and as they declare themselves; the one that is the default first."""
    written = README[README.index(WAYS) + len(WAYS) :].split("\n\n")[0]
    first = config.Jam().mode
    return written, "\n".join(f"- `{m.name}`: {m.about}" for m in sorted(CLASSES, key=lambda m: (m.name != first, m.number)))


def test_the_modes_are_told_in_their_own_words():
    written, declared = modes()
    assert written == declared, "python -m tests.test_readme writes the list anew"
    (comment,) = re.findall(r"^mode = .*# (.*)$", (HERE / "config.toml").read_text(), re.MULTILINE)
    assert comment == registry_of(FESTIVAL)["mode"].doc
    (examples,) = re.findall(r"`/algoritmo/mode` with ([^,]*, [^,]*),", (HERE / "examples/README.md").read_text())
    assert set(re.findall(r"`(\w+)`", examples)) == {mode.name for mode in CLASSES}
    assert f"Set the mode: {', '.join(mode.name for mode in CLASSES)} |" in (HERE / "engine/feed/OSC.md").read_text()


def test_the_parameters_of_the_modes_are_in_the_table():
    table = README[README.index("| parameter |") : README.index("From a controller")]
    assert {parameter.id for mode in CLASSES for parameter in mode.parameters} <= set(re.findall(r"`([a-z.]+)`", table))


def test_files_it_points_to_exist():
    headings = {"#" + h.lower().replace(" ", "-") for h in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert target in headings or (HERE / target).exists(), target


if __name__ == "__main__":
    (HERE / "README.md").write_text(README.replace(*networks()).replace(*modes()))

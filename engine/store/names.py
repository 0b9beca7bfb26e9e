"""Names from word lists: nobody is asked for one, so that nobody can write one.

Runs on: booth process. Each name is two words, of a colour or a mood and of something that sounds or flies; the lists have no
word that would not do on a wall, alone or beside any other.
"""

from __future__ import annotations

FIRST = (
    "amber", "bold", "bright", "calm", "clear", "cobalt", "copper", "coral", "crimson", "dawn", "deep", "dusty",
    "early", "easy", "electric", "fern", "gentle", "golden", "green", "hazel", "indigo", "ivory", "jade", "late",
    "lemon", "light", "lilac", "lucky", "lunar", "mellow", "mint", "misty", "ochre", "olive", "opal", "pearl",
    "plum", "polar", "quick", "quiet", "rapid", "rosy", "ruby", "saffron", "silver", "sky", "slow", "soft",
    "solar", "spring", "still", "sunny", "swift", "teal", "tidal", "tiny", "velvet", "violet", "warm", "wavy",
    "wide", "wild", "winter", "young",
)  # fmt: skip
SECOND = (
    "accordion", "albatross", "alto", "banjo", "bell", "bongo", "breeze", "canyon", "cello", "chime", "cicada", "clarinet",
    "comet", "cricket", "cymbal", "dolphin", "drum", "echo", "falcon", "fiddle", "finch", "firefly", "flute", "fox",
    "gong", "guitar", "harp", "heron", "horn", "island", "kazoo", "kettle", "lark", "lute", "lynx", "magpie",
    "mandolin", "maraca", "marimba", "meadow", "moth", "oboe", "ocean", "organ", "otter", "owl", "piano", "piccolo",
    "planet", "raven", "reed", "river", "robin", "sparrow", "swallow", "swan", "tabla", "thunder", "tuba", "violin",
    "whale", "whistle", "willow", "wren",
)  # fmt: skip


def name_of(number: int) -> str:
    """Return the name of a number, of any size: "amber accordion"."""
    return f"{FIRST[number % len(FIRST)]} {SECOND[number // len(FIRST) % len(SECOND)]}"

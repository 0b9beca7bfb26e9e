"""Algoritmo in TouchDesigner: builds a component with everything in it, from text.

1. algoritmo replay examples/session --loop --config examples/smooth.toml
2. In TouchDesigner: a Text DAT with this file as its text (or its File parameter), then Run Script in its menu.

It makes /project1/algoritmo: an OSC In CHOP with a channel for each number (algoritmo/smooth/track/drums/envelope, 0 to 1,
sixty times a second), `voices`, which picks out those that the picture needs, and a Script TOP that draws them: a bar is a
turn, each voice a light as far out as its pitch is high and as large as it is loud. Export any channel to anything else.
"""

import numpy as np

PORT = 9010
SIZE = 720  # pixels
VOICES = {
    "track/drums": (0.90, 0.62, 0.00),
    "track/bass": (0.34, 0.71, 0.91),
    "track/chords": (0.00, 0.62, 0.45),
    "track/pad": (0.80, 0.47, 0.65),
    "track/lead": (0.94, 0.89, 0.26),
    "player": (1.00, 0.96, 0.86),
}
FADE = 0.93  # what of the picture before is still there


def picture(before, bar, voices):
    """Return the next picture, (SIZE, SIZE, 4) float32 0..1, after the one `before`; `voices`: (loud, pitch) by name."""
    out = before * np.float32(FADE)
    out[..., 3] = 1.0
    turn = 2 * np.pi * (bar - 0.25)
    for name, colour in VOICES.items():
        loud, pitch = voices.get(name, (0.0, 0.5))
        away = 0.46 * SIZE * (0.2 + 0.75 * pitch)
        x, y = SIZE / 2 + away * np.cos(turn), SIZE / 2 - away * np.sin(turn)
        wide = 3 + 0.03 * SIZE * loud
        reach = int(4 * wide)
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        right, bottom = min(int(x) + reach, SIZE), min(int(y) + reach, SIZE)
        rows, columns = np.mgrid[top:bottom, left:right]
        glow = loud * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * wide * wide))
        place = out[top:bottom, left:right, :3]
        np.clip(place + 0.6 * glow[..., None] * np.array(colour), 0, 1, out=place)
    return out


# The Script TOP's callbacks; they find `picture` in the Text DAT that this file is.
CALLBACKS = """
import numpy as np

def onSetupParameters(scriptOp):
    return

def onCook(scriptOp):
    channels, made = op('voices'), op('program').module

    def of(path):
        channel = channels['algoritmo/smooth/' + path]
        return float(channel) if channel is not None else 0.0

    before = scriptOp.fetch('before', None)
    if before is None:
        before = np.zeros((made.SIZE, made.SIZE, 4), np.float32)
    voices = {name: (of(name + '/envelope'), of(name + '/pitch')) for name in made.VOICES}
    after = made.picture(before, of('bar/phase'), voices)
    scriptOp.store('before', after)
    scriptOp.copyNumpyArray(after)
"""


def build(parent, text):
    """Make the component in `parent`; `text`: this file's."""
    old = parent.op("algoritmo")
    if old is not None:
        old.destroy()
    home = parent.create("baseCOMP", "algoritmo")
    channels = home.create("oscinCHOP", "osc")
    channels.par.port = PORT
    voices = home.create("selectCHOP", "voices")
    voices.inputConnectors[0].connect(channels)
    voices.par.channames = "*/smooth/*/envelope */smooth/*/pitch */smooth/bar/phase"
    program = home.create("textDAT", "program")
    program.text = text
    callbacks = home.create("textDAT", "callbacks")
    callbacks.text = CALLBACKS
    screen = home.create("scriptTOP", "picture")
    screen.par.callbacks = callbacks
    clock = home.create("executeDAT", "each_frame")
    clock.par.framestart = True
    clock.text = "def onFrameStart(frame):\n    op('picture').cook(force=True)\n"
    for number, one in enumerate((channels, voices, program, callbacks, screen, clock)):
        one.nodeX, one.nodeY = 180 * (number % 3), -140 * (number // 3)
    screen.viewer = True
    return home


# `me` is the DAT that runs; within the component it is only the place of `picture`.
if "me" in globals() and me.name != "program":  # noqa: F821  (a name of TouchDesigner's)
    build(op("/project1") or root, me.text)  # noqa: F821

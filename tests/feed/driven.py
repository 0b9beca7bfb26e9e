"""A feed process driven as audio and network drive it: clock, sound and steps of a made-up network, in real time."""

import socket
import threading
import time

import numpy as np
from pythonosc.osc_message import OscMessage

from engine.core.config import Config
from engine.core.link import Layout, Link
from engine.core.messages import BLOCK, CLOCK, OUTPUTS, PLAYER
from engine.core.parameters import Live
from engine.core.process import Spec, start
from engine.jam.parameters import registry_of
from engine.net import osc
from engine.transport.timeline import BeatTimeline
from tests.feed.fakes import make_card, make_step
from tests.system.rig import free_port

RATE = 48000
AHEAD_FRAMES = 480  # a step is chosen so long before it sounds


class Driven:
    """A shared segment that fills as in a jam; `feed()` starts the process."""

    def __init__(self, folder, targets, card=None, steps_per_s=30, session=True, **osc_settings):
        self.card = card or make_card()
        self.step_frames = RATE // steps_per_s
        registry = registry_of(self.card)
        layout = Layout.of(self.card, len(registry))
        self.link = Link.create(layout)
        self.audio, self.network = self.link.view("audio"), self.link.view("network")
        self.live = Live(registry, self.link.values)
        self.live.reset_to_defaults()
        self.control = free_port()
        self.config = Config.model_validate(
            {
                "osc": {"targets": targets, "control": {"port": self.control}, "query": {"enabled": False}} | osc_settings,
                "web": {"enabled": False},
            }
        )
        self.spec = Spec(layout, self.link.name, self.config, self.card, folder / "none.onnx", folder if session else None)
        self._steps = [make_step(self.card, n, np.random.default_rng(n)) for n in range(8)]
        self._begun_ns = time.perf_counter_ns()
        self._block = self.step = 0
        self._end = threading.Event()
        self._player = threading.Thread(target=self._play)
        self._player.start()
        self._processes = []
        self._notices = self.link["notices.feed"].reader(0)

    def _play(self):
        while not self._end.wait(0.004):
            now = int((time.perf_counter_ns() - self._begun_ns) * 1e-9 * RATE)
            clock = np.zeros((), CLOCK)
            clock["frame"], clock["time_ns"] = now, self._begun_ns + round(now * 1e9 / RATE)
            clock["ns_per_frame"], clock["rate_hz"] = 1e9 / RATE, RATE
            self.audio.writer("clock").push(clock)
            while self.step * self.step_frames < now + AHEAD_FRAMES:
                self._choose()
            while self._block * BLOCK < now:
                self.audio.writer("wave").push((self._block * BLOCK, np.full((BLOCK, OUTPUTS), 0.25, np.float32)))
                self._block += 1

    def _choose(self):
        record = self._steps[self.step % 8].copy()
        record["step"], record["frame"] = self.step, self.step * self.step_frames
        self.network.writer("steps").push(record)
        self.step += 1
        self.audio.writer("timeline").push(BeatTimeline(0.0, 0.0, 60.0 * RATE / (4 * self.step_frames), RATE).record())

    def note(self, kind, pitch):
        """The player begins or ends a note."""
        self.audio.writer("events").push((self._block * BLOCK, -1, kind, PLAYER, pitch, 90, 0.0))

    def feed(self, restarted=False):
        """Start the feed; return the process, its pipe, and the two things it says."""
        spec = Spec(**{**vars(self.spec), "restarted": restarted})
        process, pipe = start("feed", spec)
        self._processes.append((process, pipe))
        assert pipe.poll(30)
        word, said = pipe.recv()
        return process, pipe, word, said

    def ask(self, address, *arguments):
        """Return the control socket's answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.settimeout(10)
            asker.connect(("127.0.0.1", self.control))
            asker.send(osc.message(address, *arguments))
            return OscMessage(asker.recv(65536))

    def stop(self, process, pipe):
        """End the feed."""
        pipe.send(("stop",))
        process.join(10)
        assert process.exitcode == 0

    def told(self):
        """Return what it said to the person at the terminal."""
        return [n["text"].decode() for n in self._notices.read()]

    def close(self):
        """Leave nothing of it."""
        self._end.set()
        self._player.join()
        for process, pipe in self._processes:
            if process.is_alive():
                process.kill()
            process.join()
            pipe.close()
        self.link.close(unlink=True)

"""A stage for one instrument: it plays, and what it plays is measured."""

from __future__ import annotations

import ctypes

import numpy as np
from pyo import Server, Sig

from engine.audio.instrument import Instrument
from engine.audio.patch import Patch
from engine.core.messages import BLOCK

RATE = 48000


class Stage:
    """One patch on a pyo server of its own; there may be only one at a time, so `close` it."""

    def __init__(self, name: str, patch: type[Patch]) -> None:
        self._server = Server(sr=RATE, nchnls=2, buffersize=BLOCK, duplex=0, audio="manual")
        self._server.setVerbosity(1)
        self._server.deactivateMidi()
        self._server.setGlobalSeed(1)
        self._server.boot().start()
        address = ctypes.cast(int(self._server.getOutputAddr(), 16), ctypes.POINTER(ctypes.c_float))
        self._output = np.ctypeslib.as_array(address, (BLOCK, 2))
        self.name, self.patch = name, patch
        self.instrument = Instrument(name, patch)
        self._out = Sig(self.instrument.sound).out()  # stays at the output while the instrument sleeps
        self.listen(0.1)

    def close(self) -> None:
        """Let the next server begin."""
        self._server.stop()
        self._server.shutdown()

    def listen(self, seconds: float) -> np.ndarray:
        """Return what sounds now, float32 (samples, 2)."""
        blocks = round(seconds * RATE / BLOCK)
        heard = np.empty((blocks, BLOCK, 2), np.float32)
        for block in heard:
            self._server.process()
            block[:] = self._output
        return heard.reshape(-1, 2)

    def on(self, pitch: int, velocity: int) -> None:
        self.instrument.note_on(pitch, velocity / 127)

    def off(self, pitch: int) -> None:
        self.instrument.notes.note_off(pitch)

    def note(self, pitch: int, velocity: int, seconds: float, after: float = 0.0) -> np.ndarray:
        """Return a note of some seconds and what is heard after it."""
        self.on(pitch, velocity)
        held = self.listen(seconds)
        self.off(pitch)
        return np.concatenate([held, self.listen(after)])

    def turn(self, name: str, value: float) -> None:
        """Set a parameter and wait until it has glided there."""
        getattr(self.instrument.knobs, name).setValue(value)
        self.listen(0.05)

    def phrase(self, *pitches: int) -> np.ndarray:
        """Return a few notes, one after the other, and what rings on."""
        return np.concatenate([self.note(pitch, 110, 0.25) for pitch in pitches] + [self.listen(0.5)])

    def hush(self) -> None:
        """Wait for silence, so that the next note is the only one."""
        self.instrument.notes.all_off()
        for _ in range(40):
            if np.abs(self.listen(0.25)).max() < 1e-4:
                return
        raise AssertionError(f"{self.name} sounds 10 s after its last note")


def decibels(ratio: float) -> float:
    """Return 20 log10, with silence at -200."""
    return 20 * np.log10(max(ratio, 1e-10))


def peak_db(sound: np.ndarray) -> float:
    """Return the peak against full scale."""
    return decibels(float(np.abs(sound).max()))


def rms_db(sound: np.ndarray) -> float:
    """Return the power of both sides against a full-scale square wave."""
    return decibels(float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))))


def spectrum(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (Hz, power) of the mono sum, finely enough to read cents."""
    window = np.hanning(len(sound))
    power = np.abs(np.fft.rfft(sound.mean(axis=1) * window, 1 << 18)) ** 2
    return np.fft.rfftfreq(1 << 18, 1 / RATE), power


def brightness_hz(sound: np.ndarray) -> float:
    """Return the centre of gravity of the amplitudes of the spectrum, which hears overtones well below the fundamental."""
    hz, power = spectrum(sound)
    amplitude = np.sqrt(power)
    return float((hz * amplitude).sum() / amplitude.sum())


def cents_off(sound: np.ndarray, pitch: int) -> float:
    """Return how far the fundamental lies from the pitch; vibrato and chorus are averaged out."""
    hz, power = spectrum(sound)
    wanted = 440.0 * 2.0 ** ((pitch - 69) / 12)
    near = np.abs(hz / wanted - 1) < 0.03  # half a semitone
    return float(1200 * np.log2((hz[near] * power[near]).sum() / power[near].sum() / wanted))


def roughness(sound: np.ndarray) -> float:
    """Return the sharpest corner of the wave, its largest second difference: a click is one that nothing else is like."""
    return float(np.abs(np.diff(sound, n=2, axis=0)).max())

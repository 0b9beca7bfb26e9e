"""The step runner: one ONNX call per timestep, inputs and outputs bound once.

Runs on: network process.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort

from engine.core import contract
from engine.core.errors import NetworkError

# name in config.toml -> execution provider of onnxruntime
PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "directml": "DmlExecutionProvider",
}
_REMEDY = {
    "cuda": "pip install onnxruntime-gpu in place of onnxruntime, on a machine with an NVIDIA driver",
    "coreml": "it is in onnxruntime's macOS wheels only",
    "directml": "pip install onnxruntime-directml on Windows",
    "cpu": "reinstall onnxruntime",
}
WARM_UP = 40  # calls before measuring: memory plans and caches settle
MEASURED = 200


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a step takes on a provider, measured at start."""

    provider: str
    p50_ms: float
    p99_ms: float


class Runner:
    """A network loaded and bound. `inputs` and `outputs` are NumPy arrays (B, ...) that live as long as the runner.

    `step()` advances by one timestep: it reads `inputs`, fills `outputs`, and carries the states over. Calling
    it allocates nothing.
    """

    def __init__(self, path: Path, provider: str = "cpu", threads: int = 1, batch: int = 1) -> None:
        self.card = contract.read_card(path)
        self.batch = batch
        self.provider = provider
        self._session = _session(path, provider, threads)
        found = contract.faults(self.card, self._session.get_inputs(), self._session.get_outputs())
        if found:
            raise NetworkError(
                f"{path}: breaks the step graph contract (models/CONTRACT.md):\n" + "\n".join(f"  - {f}" for f in found)
            )
        self.inputs = {
            name: np.zeros((batch, *shape), np.int64 if kind == "int64" else np.float32)
            for name, (kind, shape) in contract.expected_inputs(self.card).items()
        }
        self.outputs = {
            name: np.zeros((batch, *shape), np.float32) for name, (_, shape) in contract.expected_outputs(self.card).items()
        }
        self._bind()
        self._states = [(self.inputs[s.name], self.outputs[s.name + "_next"], s.initial) for s in self.card.states]
        self.neutral()
        self.reset()
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # onnxruntime raises its own unrelated classes for every kind of fault
            raise NetworkError(f"{path}: the graph cannot be run: {str(error)[:400]}") from error
        if broken := [name for name, array in self.outputs.items() if not np.isfinite(array).all()]:
            raise NetworkError(f"{path}: {broken[0]} is not a number: the weights are damaged; export or copy it again")
        self.reset()

    def _bind(self) -> None:
        self._binding = self._session.io_binding()
        # Bound once by address: every call reads and writes these very arrays. A device provider copies them over itself.
        for name, array in self.inputs.items():
            self._binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        for name, array in self.outputs.items():
            self._binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)

    def neutral(self) -> None:
        """Set temperature and every control to neutral, nothing clamped, nothing known of the music around it."""
        self.inputs["temperature"].fill(1.0)
        for control in self.card.controls:
            self.inputs[control.name].fill(control.neutral)
        for condition in self.card.conditions:
            self.inputs[condition.name].fill(0)
        self.inputs["clamp_mask"].fill(0)
        self.inputs["clamp_value"].fill(0)

    def reset(self) -> None:
        """Forget: every state back to its initial value, nothing heard."""
        self.inputs["x"].fill(0)
        self.inputs["position"].fill(0)
        for state, _, initial in self._states:
            state.fill(initial)

    def fade(self, memory: float) -> None:
        """Scale the states towards their initial value; 1 keeps them, 0 forgets them."""
        for state, _, initial in self._states:
            state -= initial
            state *= memory
            state += initial

    def run(self) -> None:
        """Call the graph: `outputs` follow from `inputs`. The states stay; calling it again with other inputs is allowed."""
        self._session.run_with_iobinding(self._binding)

    def carry(self) -> None:
        """Carry the new states over into the inputs: what `run` said is what happened."""
        for state, new, _ in self._states:
            state[...] = new

    def step(self) -> None:
        """Advance by one timestep."""
        self.run()
        self.carry()

    def states(self) -> dict[str, np.ndarray]:
        """Copies of the states, by name."""
        return {s.name: self.inputs[s.name].copy() for s in self.card.states}

    def restore(self, states: Mapping[str, np.ndarray]) -> None:
        """Put states back; those not given, or not finite, keep what they are."""
        for name, value in states.items():
            if np.isfinite(value).all():
                self.inputs[name][...] = value

    def times_ms(self, calls: int) -> np.ndarray:
        """Return how long each of `calls` steps takes as the network goes on by itself; afterwards all is as it was."""
        kept = {name: array.copy() for name, array in self.inputs.items()}
        rng = np.random.default_rng(0)
        times = np.empty(calls)
        for i in range(-WARM_UP, calls):
            rng.random(out=self.inputs["u"], dtype=np.float32)
            begun = time.perf_counter_ns()
            self.step()
            if i >= 0:
                times[i] = time.perf_counter_ns() - begun
            self.inputs["x"][...] = self.outputs["notes"]
            self.inputs["position"] += 1
        for name, array in kept.items():
            self.inputs[name][...] = array
        return times * 1e-6

    def measure(self, calls: int = MEASURED) -> Timing:
        """Time `calls` steps; afterwards all is as it was."""
        p50, p99 = np.percentile(self.times_ms(calls), [50, 99])
        return Timing(self.provider, float(p50), float(p99))


def _session(path: Path, provider: str, threads: int) -> ort.InferenceSession:
    wanted = PROVIDERS[provider]
    if wanted not in ort.get_available_providers():
        raise NetworkError(
            f'network.provider: {provider!r} is not in this onnxruntime; {_REMEDY[provider]}, or set it to "auto"'
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Spinning workers would take a core from the sound between steps.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    providers = [wanted] if provider == "cpu" else [wanted, PROVIDERS["cpu"]]
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises its own unrelated classes for every kind of fault
        raise NetworkError(f"{path}: onnxruntime cannot load it: {str(error)[:400]}") from error
    if wanted not in session.get_providers():  # onnxruntime falls back with no more than a log line
        raise NetworkError(
            f'network.provider: {provider!r} could not be started here; {_REMEDY[provider]}, or set it to "auto"'
        )
    return session


def present() -> list[str]:
    """Return the providers that this onnxruntime has, by their names in config.toml; not each need work here."""
    return [name for name, full in PROVIDERS.items() if full in ort.get_available_providers()]


def choose(path: Path, provider: str, threads: int, calls: int = MEASURED) -> tuple[Runner, list[Timing]]:
    """Return the network on the provider asked for; `auto` measures each one present (so many calls) and takes the lowest p99.

    Raises NetworkError when a provider asked for by name is missing.
    """
    if provider != "auto":
        runner = Runner(path, provider, threads)
        return runner, [runner.measure(calls)]
    tried: list[tuple[Timing, Runner]] = []
    for name in present():
        try:
            runner = Runner(path, name, threads)
        except NetworkError:
            if name == "cpu":  # what is wrong there is wrong with the network, not with the machine
                raise
            continue  # listed by onnxruntime, but its driver is not here
        tried.append((runner.measure(calls), runner))
    tried.sort(key=lambda pair: pair[0].p99_ms)
    return tried[0][1], [timing for timing, _ in tried]

import os
import sys

import numpy as np
import pytest

from engine.app import bench
from engine.core.contract import read_card
from engine.core.messages import step_dtype
from engine.feed.encoder import SubscriptionSpec


def test_percentiles_are_of_the_values():
    assert bench.percentiles(np.arange(101) / 100) == {"p50": 0.5, "p99": 0.99, "max": 1.0}


def test_a_step_is_timed(tiny_onnx):
    costs = bench.step_costs(tiny_onnx, calls=50)
    assert 0 < costs["cpu"]["p50"] <= costs["cpu"]["p99"] <= costs["cpu"]["max"]


@pytest.mark.parametrize(("wish", "floats"), [(SubscriptionSpec(), 4 + 3 * 19), (SubscriptionSpec(signals=("h",)), 4)])
def test_the_feed_is_timed_with_every_datagram_sent(tiny_onnx, wish, floats):
    steps = list(np.zeros(20, step_dtype(read_card(tiny_onnx))))
    cost = bench.feed_cost(tiny_onnx, steps, wish)
    assert cost["floats"] == floats
    assert cost["dropped"] == 0
    assert cost["datagrams_per_step"] >= bench.TARGETS
    assert 0 < cost["step_us"]["p50"] <= cost["step_us"]["max"]


def test_futures_are_counted_for_each_batch(tiny_onnx):
    rates = bench.futures_rate(tiny_onnx, (1, 4), calls=4)
    assert list(rates) == [1, 4]
    assert min(rates.values()) > 0


def test_what_a_process_takes():
    if not sys.platform.startswith("linux"):
        assert bench.cpu_s(os.getpid()) is None
        assert bench.memory_mb(os.getpid()) is None
        return
    before = bench.cpu_s(os.getpid())
    while (now := bench.cpu_s(os.getpid())) == before:
        sum(range(100_000))
    assert now > before
    assert 1 < bench.memory_mb(os.getpid()) < 10_000


def test_a_process_that_is_gone_is_not_guessed_at():
    nobody = 2**22 + 1  # above the largest process id of Linux
    assert bench.cpu_s(nobody) is None
    assert bench.memory_mb(nobody) is None
    assert bench._minus(None, 1.0) is None
    assert bench._sum({"audio": 1.5, "network": None}) == 1.5
    assert bench._sum({"audio": None}) is None


def test_the_offline_part_measures_instruments_and_feed(tiny_onnx, monkeypatch):
    settings = bench.config.load(None, [f"network.name={tiny_onnx}"])
    monkeypatch.setattr(bench.config, "Config", lambda: settings)
    monkeypatch.setattr(bench, "BARS", 1)
    found = bench.offline()
    assert found["rack"]["blocks"] > 1000
    assert found["rack"]["dsp_load"] > 0
    least, once = found["rack"]["least_us"], found["rack"]["block_us"]
    assert 0 < least["p50"] <= once["p50"]
    assert least["max"] < once["max"]
    assert found["feed"]["floats"] > found["feed_h_c"]["floats"] > 0


class Steady:
    """A network whose steps take 2 ms."""

    def __init__(self, path, provider, threads):
        assert provider == "cpu"

    def times_ms(self, calls):
        return np.full(calls, 2.0)


@pytest.fixture
def parts(monkeypatch):
    """The bench of two steady networks, each of its parts only named; without PyTorch."""
    done = []
    monkeypatch.setattr(bench, "Runner", Steady)
    monkeypatch.setattr(bench, "present", lambda: ["cpu"])
    monkeypatch.setattr(bench, "_has_eager", lambda: False)

    def end(path):
        done.append(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "step_costs", end)
    return done


def test_it_says_first_how_long_it_will_take(parts, capsys):
    with pytest.raises(KeyboardInterrupt):
        bench.bench(None, 600)
    machine, takes = capsys.readouterr().out.splitlines()
    assert "cores" in machine
    networks = sorted(bench.config.SHIPPED.glob("*/*.onnx"))
    assert parts == networks[:1]
    assert takes == f"this takes about {bench.expected_s(networks, 600) / 60:.0f} min"


def test_how_long_follows_the_parts(parts, monkeypatch):
    jams_s = 2 * (30 + bench.QUIET_AFTER_S + bench.AROUND_JAM_S)
    one, two = bench.expected_s(["a"], 30), bench.expected_s(["a", "b"], 30)
    steps_s = bench.STEPS * 0.002
    assert one == pytest.approx(jams_s + steps_s * (1 + bench.FUTURES_SHARE + bench.OFFLINE_SHARE))
    assert two - jams_s == pytest.approx(2 * (one - jams_s))
    assert bench.expected_s(["a"], 90) - one == pytest.approx(120)  # there are two jams
    monkeypatch.setattr(bench, "_has_eager", lambda: True)
    assert bench.expected_s(["a"], 30) - one == pytest.approx(steps_s * bench.EAGER_SHARE)
    monkeypatch.setattr(bench, "present", lambda: ["cuda", "cpu"])
    assert bench.expected_s(["a"], 30) - one == pytest.approx(steps_s * (1 + bench.EAGER_SHARE))


@pytest.mark.parametrize(("taken_s", "said"), [(3, "10 s"), (84, "80 s"), (119, "120 s"), (121, "2 min"), (400, "7 min")])
def test_a_duration_is_said_roundly(taken_s, said):
    assert bench._duration(taken_s) == said


def test_what_was_said_of_the_steps_is_true_of_a_real_network(tiny_onnx, monkeypatch):
    monkeypatch.setattr(bench, "_has_eager", lambda: False)
    monkeypatch.setattr(bench, "present", lambda: ["cpu"])
    said_s = bench.expected_s([tiny_onnx], 0) - bench.expected_s([], 0)
    steps_s = said_s / (1 + bench.FUTURES_SHARE + bench.OFFLINE_SHARE)
    least_s = bench.STEPS * 1e-3 * bench.Runner(tiny_onnx, "cpu", 1).times_ms(500).min()
    assert steps_s >= least_s / 2  # a busy machine takes longer than the least, never much less

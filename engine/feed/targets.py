"""Where the feed goes: UDP targets from the configuration, and receivers that subscribed themselves.

Runs on: feed process. Nothing blocks and nothing queues: a target that is not due yet gets the newest step when it is, and a
receiver that is gone costs two system calls a step.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.core.osc_section import Target as TargetConfig
from engine.feed.encoder import Encoder, PacketTemplate, SubscriptionSpec
from engine.net.guard import plain

SEND_BUFFER = 1 << 20  # room for a burst of a large network's datagrams
SLACK_S = 0.05  # by which a step may come early or late without being held back: a rate equal to the steps' must pass them all

Endpoint = tuple[str, int]


class Outlet:
    """The way to a receiver, and counts. `send` puts one datagram on the wire and raises OSError when it cannot."""

    def __init__(self, name: str, send: Callable[[memoryview | bytes], object]) -> None:
        self.name = name
        self.sent = 0
        self.dropped = 0  # the system would not take them, or a stall made them too old
        self.refused = 0  # nobody listens there
        self._send = send

    def send_all(self, datagrams: Sequence[memoryview] | Sequence[bytes]) -> None:
        """Send these; give up on the rest when the system is full or nobody listens."""
        send = self._send
        done = 0
        try:
            for datagram in datagrams:
                send(datagram)
                done += 1
        except BlockingIOError:
            self.dropped += len(datagrams) - done
        except OSError:
            done = self._again(datagrams, done)
        self.sent += done

    def _again(self, datagrams: Sequence[memoryview] | Sequence[bytes], done: int) -> int:
        """Go on after a refusal, which tells of an earlier datagram: a receiver that has just come misses nothing."""
        try:
            for datagram in datagrams[done:]:
                self._send(datagram)
                done += 1
        except BlockingIOError:
            self.dropped += len(datagrams) - done
        except OSError:
            self.refused += len(datagrams) - done
        return done


class Target(Outlet):
    """A receiver of steps: its template and its rate."""

    def __init__(
        self, name: str, template: PacketTemplate, max_rate_hz: float, send: Callable[[memoryview | bytes], object]
    ) -> None:
        super().__init__(name, send)
        self.template = template
        self._interval_s = 1 / max_rate_hz
        self.due_s = -1e9  # when it may be sent the next step
        self.stale = False  # a newer step waits for its time

    def due(self, now_s: float) -> bool:
        """Whether it may be sent a step at this time; if so, the next one not before an interval has passed."""
        self.stale = now_s < self.due_s
        if self.stale:
            return False
        self.due_s = max(self.due_s, now_s - SLACK_S) + self._interval_s
        return True

    def send_step(self) -> None:
        """Send the template's datagrams as they stand."""
        self.send_all(self.template.datagrams)


@dataclass(frozen=True, slots=True)
class Clocks:
    """Now, and when each frame is heard: a line from frames to wall-clock time, for templates that carry it."""

    now_s: float  # any steady clock
    frame: float = 0.0  # this frame ...
    unix_ns: int = 0  # ... is heard at this time
    ns_per_frame: float = 0.0

    def heard_unix_ns(self, frame: int) -> int:
        """Return when a frame is heard."""
        return self.unix_ns + round((frame - self.frame) * self.ns_per_frame)


@dataclass(slots=True)
class _Shared:
    template: PacketTemplate
    users: int = 0
    fresh: bool = False


@dataclass(slots=True)
class Templates:
    """Templates by spec: receivers that want the same share one, so a step is encoded once for all of them."""

    encoder: Encoder
    _templates: dict[SubscriptionSpec, _Shared] = field(default_factory=dict)

    def take(self, spec: SubscriptionSpec) -> PacketTemplate:
        """Return the template for a spec; `give_back` it when the receiver goes. Raises ValueError when it cannot be met."""
        shared = self._templates.get(spec)
        if shared is None:
            shared = self._templates[spec] = _Shared(PacketTemplate(self.encoder, spec))
        shared.users += 1
        return shared.template

    def give_back(self, template: PacketTemplate) -> None:
        """Drop the template once nobody uses it."""
        shared = self._templates[template.spec]
        shared.users -= 1
        if not shared.users:
            del self._templates[template.spec]

    def new_step(self) -> None:
        """The encoder has a new step: every template is to be filled before it is sent."""
        for shared in self._templates.values():
            shared.fresh = False

    def fill(self, template: PacketTemplate, heard_unix_ns: int) -> None:
        """Bring the template up to date, once a step."""
        shared = self._templates[template.spec]
        if not shared.fresh:
            template.fill(heard_unix_ns)
            shared.fresh = True

    def fill_all(self, heard_unix_ns: int) -> None:
        """Bring every template up to date."""
        for shared in self._templates.values():
            self.fill(shared.template, heard_unix_ns)


class Targets:
    """All receivers of the feed."""

    def __init__(self, encoder: Encoder) -> None:
        self.templates = Templates(encoder)
        self.signals = encoder.schema.signals
        self.targets: list[Target] = []
        self._encoder = encoder
        self._heard_unix_ns = 0  # when the encoder's step is heard
        self._prepared = False  # it is laid out, and was not sent yet
        self._gone = {"sent": 0, "dropped": 0}  # by those that have left

    def adopt(self, encoder: Encoder) -> None:
        """Send what another encoder has from here on."""
        self.templates, self.signals, self._encoder = Templates(encoder), encoder.schema.signals, encoder
        self._prepared = False
        for target in self.targets:
            target.template = self.templates.take(target.template.spec)

    def unknown_signals(self, signals: Iterable[str]) -> list[str]:
        """Return those of `signals` that this network does not have."""
        return [s for s in signals if s not in self.signals]

    def add(
        self, name: str, spec: SubscriptionSpec, max_rate_hz: float, send: Callable[[memoryview | bytes], object]
    ) -> Target:
        """Add a receiver. Raises ValueError when its spec cannot be met."""
        target = Target(name, self.templates.take(spec), max_rate_hz, send)
        self.targets.append(target)
        return target

    def remove(self, target: Target) -> None:
        """Let a receiver go."""
        self.targets.remove(target)
        self.templates.give_back(target.template)
        self._gone["sent"] += target.sent
        self._gone["dropped"] += target.dropped

    def prepare(self, clocks: Clocks) -> None:
        """Lay out the encoder's new step for all, so that `publish` only has to send it."""
        self._renew(clocks)
        self.templates.fill_all(self._heard_unix_ns)
        self._prepared = True

    def _renew(self, clocks: Clocks) -> None:
        self.templates.new_step()
        self._heard_unix_ns = clocks.heard_unix_ns(self._encoder.frame)

    def publish(self, clocks: Clocks) -> None:
        """Send the encoder's new step to every target whose time it is."""
        if not self._prepared:
            self._renew(clocks)
        self._prepared = False
        for target in self.targets:
            if target.due(clocks.now_s):
                self._send_step(target)

    def catch_up(self, now_s: float) -> None:
        """Send the newest step to targets that were not due when it came."""
        for target in self.targets:
            if target.stale and target.due(now_s):
                self._send_step(target)

    def _send_step(self, target: Target) -> None:
        self.templates.fill(target.template, self._heard_unix_ns)
        target.send_step()

    def skip(self, now_s: float) -> None:
        """A step is too old to be sent: count it as dropped for every target that would have had it."""
        for target in self.targets:
            if target.due(now_s):
                target.dropped += len(target.template.datagrams)

    def stale_until_s(self) -> float | None:
        """Return when the first target that missed a step is due, None when there is none."""
        return min((t.due_s for t in self.targets if t.stale), default=None)

    def notes(self, events: np.ndarray, heard_unix_ns: int = 0) -> None:
        """Send notes that began or ended, to every target at once: they are few, and a lost end would hang."""
        self._send_made(lambda template: template.notes(events, heard_unix_ns))

    def scenes(self, now: tuple[int, str], coming: tuple[int, str, float]) -> None:
        """Send which scene plays and which is to come, to every target at once."""
        self._send_made(lambda template: template.scenes(now, coming))

    def futures(self, record: np.void, heard_unix_ns: int = 0) -> None:
        """Send what may follow a step, to every target that specs it."""
        self._send_made(lambda template: template.futures(record, heard_unix_ns))

    def _send_made(self, make: Callable[[PacketTemplate], list[bytes]]) -> None:
        """Send every target what `make` makes of its template: once for all that share one."""
        made: dict[SubscriptionSpec, list[bytes]] = {}
        for target in self.targets:
            spec = target.template.spec
            if spec not in made:
                made[spec] = make(target.template)
            if made[spec]:
                target.send_all(made[spec])

    @property
    def sent(self) -> int:
        """Datagrams sent so far."""
        return self._gone["sent"] + sum(t.sent for t in self.targets)

    @property
    def dropped(self) -> int:
        """Datagrams the system would not take, and those of steps that a stall made too old to send."""
        return self._gone["dropped"] + sum(t.dropped for t in self.targets)


def subscription_of(config: TargetConfig) -> SubscriptionSpec:
    """Return what a configured target wants."""
    return SubscriptionSpec(
        config.root, config.chunk, config.tiers, config.signals, config.layers, config.timetag == "presentation"
    )


def open_udp(host: str, port: int, interface: str = "") -> socket.socket:
    """Return a non-blocking UDP socket that is connected to a target. Raises OSError, for an unknown host as well.

    A multicast group is reached on the network of `interface` (an own IP address; for an IPv6 group the name of one; empty: the
    system's choice), not beyond it; a broadcast address reaches all of its network.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(plain(host), port, type=socket.SOCK_DGRAM)[0]
    out = socket.socket(family, kind, protocol)
    try:
        out.setblocking(False)
        out.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_multicast:
            prepare_multicast(out, interface)
        if family == socket.AF_INET:  # which of a network's addresses is its broadcast, only its mask tells
            out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        out.connect(address)
    except OSError:
        out.close()
        raise
    return out


def prepare_multicast(out: socket.socket, interface: str) -> None:
    """Set a socket to reach groups on one network, whoever listens on this machine included. Raises OSError."""
    if out.family == socket.AF_INET6:
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 1)
        out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
        if interface:
            out.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
        return
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
    if interface:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))

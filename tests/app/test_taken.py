import socket

from engine.app.taken import taken_ports
from engine.core.config import load
from tests.system.rig import free_port


def test_all_ports_that_are_taken_are_named_at_once_with_a_remedy_that_works():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control, socket.socket() as web:
        control.bind(("127.0.0.1", 0))
        web.bind(("127.0.0.1", 0))
        web.listen(1)
        settings = [f"osc.control.port={control.getsockname()[1]}", f"web.port={web.getsockname()[1]}"]
        settings.append(f"osc.query.port={free_port()}")
        told = taken_ports(load(None, settings))
        assert "osc.control.port" in told
        assert "web.port" in told
        assert "osc.query" not in told
        remedy = [word for word in told.replace(",", "").split() if "port=" in word]
        assert taken_ports(load(None, [*settings, *remedy])) == ""

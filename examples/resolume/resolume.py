"""Algoritmo in Resolume: its scalars under Resolume's addresses, which are fixed. Needs no more than Algoritmo itself does.

python examples/resolume/resolume.py [--listen 9000] [--resolume 127.0.0.1:7000]

Copy an address from Resolume: Shortcuts > Edit OSC, click the control, and the Shortcuts panel shows it.
"""

import argparse

from pythonosc.dispatcher import Dispatcher
from pythonosc.osc_server import BlockingOSCUDPServer
from pythonosc.udp_client import SimpleUDPClient

MAP = {  # what Algoritmo says, 0..1: what of Resolume it moves
    "/algoritmo/layer/0/mean": "/composition/layers/1/video/opacity",
    "/algoritmo/layer/5/mean": "/composition/layers/2/video/opacity",
    "/algoritmo/out/entropy": "/composition/layers/3/video/opacity",
    "/algoritmo/beat/bar": "/composition/layers/1/clips/1/transport/position",
}


def main() -> None:
    """Translate until Ctrl-C."""
    parser = argparse.ArgumentParser(description="Algoritmo's scalars under Resolume's addresses")
    parser.add_argument("--listen", type=int, default=9000, metavar="PORT", help="where Algoritmo sends to")
    parser.add_argument("--resolume", default="127.0.0.1:7000", metavar="HOST:PORT", help="Resolume's incoming OSC port")
    words = parser.parse_args()
    host, _, port = words.resolume.rpartition(":")
    resolume = SimpleUDPClient(host, int(port))
    dispatcher = Dispatcher()
    for ours, theirs in MAP.items():
        dispatcher.map(ours, lambda _address, value, theirs=theirs: resolume.send_message(theirs, value))
    print(f"from port {words.listen} to Resolume at {words.resolume}; Ctrl-C ends it", flush=True)
    BlockingOSCUDPServer(("127.0.0.1", words.listen), dispatcher).serve_forever()


if __name__ == "__main__":
    main()

// What the network says, in a page: `listen(addresses)` returns an object that always has what came last, by address.
//
// It asks OSCQuery for these addresses and gets each as an OSC message over a WebSocket, up to sixty times a second.
"use strict";

const HOST = new URLSearchParams(location.search).get("feed") ?? "127.0.0.1:9002";
const ROOT = "/algoritmo";

// One OSC message: address, type tags, arguments, each filled up to four bytes.
function decode(buffer) {
  const bytes = new Uint8Array(buffer), view = new DataView(buffer);
  let at = 0;
  const string = () => {
    const end = bytes.indexOf(0, at);
    const text = new TextDecoder().decode(bytes.subarray(at, end));
    at = end + 4 - (end % 4);
    return text;
  };
  const read = {
    i: () => view.getInt32((at += 4) - 4),
    f: () => view.getFloat32((at += 4) - 4),
    s: string,
  };
  const address = string();
  return [address, [...string().slice(1)].map((tag) => read[tag]())];
}

// `say` is given a sentence when there is something to tell, and an empty one when all is well.
function listen(addresses, say) {
  const now = {};
  const connect = () => {
    const socket = new WebSocket(`ws://${HOST}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      say("");
      for (const path of addresses) socket.send(JSON.stringify({ COMMAND: "LISTEN", DATA: ROOT + path }));
    };
    socket.onmessage = ({ data }) => {
      const [address, values] = decode(data);
      now[address.slice(ROOT.length)] = values;
    };
    socket.onclose = () => {
      say(`Nobody answers at ${HOST}, or this page may not listen there: start Algoritmo with --config examples/smooth.toml`);
      setTimeout(connect, 1000);
    };
  };
  connect();
  return now;
}

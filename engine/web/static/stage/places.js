// The walk through the stage page as data: where to look, and what there is to do.
//
// `view` and `ring`: where to look, and what to put a frame around (all that the selector finds; {main}, {top} and {first} are
// filled in: the signal that neurons are drawn by, the layer nearest the choice, the one nearest the notes); `signal`: what of
// the neurons must be shown for that; `at`: what is to be touched, where that lies elsewhere. `needs`: what the network or the page must have (see `traits`). `done`: what counts as
// done; with `plays` it is only asked of who may play. Its words are the texts walk.ID.title, .text, .try and .done.

export const PLACES = [
  { id: "live", view: "network", ring: "", needs: ["live"], done: "asked" },
  { id: "recording", view: "network", ring: "", needs: ["recorded"], done: "asked" },
  { id: "belief", view: "network", ring: ".belief", needs: ["bands"], done: "belief" },
  { id: "keyboard", view: "network", ring: ".choices", needs: ["planes"], done: "belief" },
  { id: "heard", view: "network", ring: ".heard-row", at: "#dock .piano", needs: ["bands"], done: "played", plays: true },
  { id: "heard", view: "network", ring: ".notes-row", at: "#dock .piano", needs: ["planes"], done: "played", plays: true },
  { id: "column", view: "network", ring: '.bed[data-signal="{main}"][data-layer="{top}"]', signal: "{main}", needs: ["bands", "neurons"], done: "cell" },
  { id: "cell", view: "network", ring: '.bed[data-signal="{main}"][data-layer="{first}"]', signal: "{main}", needs: ["planes"], done: "cell" },
  { id: "layers", view: "network", ring: ".net .row.layer", needs: ["bands", "layers"] },
  { id: "axes", view: "network", ring: ".net .row.layer", needs: ["planes", "layers"] },
  { id: "memory", view: "network", ring: '.bed[data-signal="c"]', signal: "c", at: ".tools .chips", needs: ["memory"], done: "signal" },
  { id: "one", view: "neuron", ring: ".neuron-side", at: '[data-pick="beat"]', needs: ["neurons"], done: "found" },
  { id: "moments", view: "moments", ring: ".matrix-box", needs: ["neurons"], done: "moment" },
  { id: "roll", view: "roll", ring: ".roll", at: "#futures", done: "ahead", plays: true },
  { id: "you", view: "network", ring: "#dock .piano", needs: ["plays"], done: "played" },
];

function traits(net, mayChange) {
  return {
    live: !net.recorded,
    recorded: Boolean(net.recorded),
    bands: !net.planes,
    planes: net.planes,
    neurons: net.stack.length > 0,
    layers: net.stack.length > 1,
    memory: net.signals.includes("c"),
    plays: mayChange && !net.recorded,
  };
}

// Those that are true of a network and of what one may do.
export function placesOf(net, mayChange) {
  const has = traits(net, mayChange);
  const names = { main: net.stack.at(-1)?.main.signal, top: net.stack.at(-1)?.index, first: net.stack[0]?.index };
  const filled = (text) => text?.replace(/\{(\w+)\}/g, (_, name) => names[name]);
  return PLACES.filter(({ needs = [] }) => needs.every((trait) => has[trait])).map(({ ring, signal, at, done, plays, ...place }) => ({
    ...place,
    ring: filled(ring),
    signal: filled(signal),
    at: plays && !has.plays ? undefined : at,
    done: plays && !has.plays ? undefined : done,
  }));
}

// Everything that can be turned while it plays, made from what the engine declares.

import { trackColour } from "../lib/colour.js";
import { chip, el } from "../lib/dom.js";

const GROUPS = [
  ["Together", ["mode", "rest", "bars"]],
  ["Time", ["tempo", "metronome"]],
  ["Choices", ["temperature", "density", "futures"]],
  ["Memory", ["memory", "seed", "reset"]],
];
const NAMES = { rest: "waits for", bars: "turns of", futures: "looks ahead", seed: "continuation", reset: "forget everything", "player.level": "your sound" };

export class Controls {
  constructor(app, root) {
    this.app = app;
    this.root = root;
    this.show = {};
  }

  build(hello) {
    const { root } = this;
    this.show = {};
    root.replaceChildren();
    const head = el("div", "controls-head");
    head.append(el("h2", "", "Controls"));
    const close = el("button", "quiet", "Close");
    close.onclick = () => this.app.toggleControls(false);
    head.append(close);
    root.append(head);
    if (!this.app.mayChange) {
      root.append(el("p", "soft", this.app.net.recorded ? "Recorded: these show what is known of how it was set, and turn nothing." : "You are watching: these show what is set. Whoever runs the stage has the address that lets you change them."));
    }
    const left = new Map(hello.parameters.map((p) => [p.id, p]));
    const take = (id) => {
      const found = left.get(id);
      left.delete(id);
      return found;
    };
    take("panic"); // stands beside the piano
    const groups = GROUPS.map(([title, ids]) => [title, ids.map(take).filter(Boolean)]);
    const mixer = [take("player.level")].filter(Boolean);
    const tracks = [];
    for (const track of this.app.net.tracks) {
      tracks.push({ track, mute: take(`${track.name}.mute`), level: take(`${track.name}.level`) });
    }
    groups[2][1].push(...left.values()); // the network's own
    for (const [title, list] of groups) this.group(title, list.map((p) => this.control(p)));
    this.group("Sound", [...mixer.map((p) => this.control(p)), ...tracks.map((t) => this.mix(t))]);
    this.update(hello.values);
  }

  group(title, nodes) {
    if (!nodes.length) return;
    const box = el("section", "group");
    box.append(el("h3", "", title), ...nodes);
    this.root.append(box);
  }

  send(id, value) {
    this.app.values[id] = value;
    this.app.send({ set: { [id]: value } });
    this.show[id]?.(value);
  }

  control(p) {
    if (p.choices.length) return this.choice(p);
    if (p.curve === "trigger") return this.trigger(p);
    if (p.curve === "switch") return this.toggle(p);
    if (p.curve === "integer" && p.max > 1000) return this.number(p);
    return this.slider(p);
  }

  row(p, text = NAMES[p.id] ?? p.id) {
    const row = el("label", "control");
    row.dataset.why = `${p.doc}.`;
    row.append(el("span", "name", text));
    return row;
  }

  slider(p, row = this.row(p)) {
    const input = el("input");
    input.type = "range";
    input.min = 0;
    input.max = p.curve === "integer" ? p.max - p.min : 1000;
    input.step = 1;
    input.id = `p-${p.id}`;
    input.disabled = !this.app.mayChange;
    input.setAttribute("aria-label", `${NAMES[p.id] ?? p.id}: ${p.doc}`);
    const value = el("output", "number");
    const exp = p.curve === "exp" && p.min > 0;
    const toValue = (at) => (p.curve === "integer" ? p.min + at : exp ? p.min * (p.max / p.min) ** (at / 1000) : p.min + (at / 1000) * (p.max - p.min));
    const toPlace = (v) => (p.curve === "integer" ? v - p.min : 1000 * (exp ? Math.log(v / p.min) / Math.log(p.max / p.min) : (v - p.min) / (p.max - p.min)));
    input.oninput = () => this.send(p.id, rounded(toValue(Number(input.value)), p));
    input.ondblclick = () => this.send(p.id, p.default);
    row.append(input, value);
    this.show[p.id] = (v) => {
      if (document.activeElement !== input || !input.matches(":active")) input.value = toPlace(v);
      value.textContent = p.id === "bars" && v === 0 ? "any length" : `${text(v, p)}${p.unit ? ` ${p.unit}` : ""}`;
      input.style.setProperty("--at", `${(100 * toPlace(v)) / Number(input.max)}%`);
      input.setAttribute("aria-valuetext", value.textContent);
    };
    return row;
  }

  number(p) {
    const row = this.row(p);
    const input = el("input");
    input.type = "number";
    input.min = p.min;
    input.max = p.max;
    input.id = `p-${p.id}`;
    input.disabled = !this.app.mayChange;
    input.onchange = () => input.value !== "" && this.send(p.id, Number(input.value));
    row.append(input);
    this.show[p.id] = (v) => {
      if (document.activeElement !== input) input.value = v;
    };
    return row;
  }

  // `name`: what it is called for who does not see where it stands.
  toggle(p, label = p.id, name = label) {
    const button = chip(label, `${p.doc}.`, () => this.send(p.id, this.app.values[p.id] ? 0 : 1), `p-${p.id}`);
    button.setAttribute("aria-label", name);
    button.disabled = !this.app.mayChange;
    this.show[p.id] = (v) => button.setAttribute("aria-pressed", String(Boolean(v)));
    return button;
  }

  trigger(p) {
    const button = chip(NAMES[p.id] ?? p.id, `${p.doc}.`, () => this.app.send({ fire: p.id }), `p-${p.id}`);
    button.disabled = !this.app.mayChange;
    return button;
  }

  choice(p) {
    const box = el("div", "segments");
    box.setAttribute("role", "radiogroup");
    box.setAttribute("aria-label", p.id);
    const docs = Object.fromEntries(p.doc.split(";").map((part) => part.split(":").map((s) => s.trim())));
    const buttons = p.choices.map((word, k) => {
      const button = el("button", "", word);
      button.id = `p-${p.id}-${word}`;
      button.setAttribute("role", "radio");
      button.disabled = !this.app.mayChange;
      button.dataset.why = docs[word] ? `${word}: it ${docs[word]}.` : `${p.doc}.`;
      button.onclick = () => this.send(p.id, k);
      box.append(button);
      return button;
    });
    this.show[p.id] = (v) => buttons.forEach((b, k) => b.setAttribute("aria-checked", String(k === Math.round(v))));
    return box;
  }

  mix({ track, mute, level }) {
    const row = el("div", "control mix");
    const name = el("span", "name", track.name);
    name.style.color = trackColour(track);
    row.style.setProperty("--track", trackColour(track));
    row.append(name);
    if (level) {
      row.dataset.why = `${level.doc}.`;
      this.slider(level, row);
    }
    if (mute) row.append(this.toggle(mute, "mute", `mute ${track.name}`));
    return row;
  }

  update(values) {
    for (const [id, value] of Object.entries(values)) this.show[id]?.(value);
  }

  focus(id) {
    (document.getElementById(`p-${id}`) ?? this.root.querySelector(`[id^="p-${id}-"]`))?.focus();
  }
}

function rounded(value, p) {
  if (p.curve === "integer") return Math.round(value);
  return p.id === "tempo" ? Math.round(value) : Number(value.toPrecision(3));
}

function text(value, p) {
  if (p.curve === "integer") return String(Math.round(value));
  if (p.id === "tempo") return String(Math.round(value));
  if (p.max <= 1 && p.min >= 0) return `${Math.round(100 * value)} %`;
  return value.toFixed(2);
}

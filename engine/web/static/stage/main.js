// The stage page: puts the parts together and draws whenever the screen does.

import { BeatClock } from "../lib/clock.js";
import { loadPalette } from "../lib/colour.js";
import { el } from "../lib/dom.js";
import { PAST } from "../lib/frames.js";
import { History } from "../lib/history.js";
import { Likeness } from "../lib/likeness.js";
import { Net } from "../lib/net.js";
import { Why } from "../lib/why.js";
import { Controls } from "./controls.js";
import { Feed } from "../lib/feed.js";
import { Keys } from "./keys.js";
import { MomentsView } from "./moments.js";
import { NetworkView } from "./network.js";
import { NeuronView } from "./neuron.js";
import { makePainter } from "./paint.js";
import { RollView } from "./roll.js";
import { Sound } from "./sound.js";
import { Kiosk, Walk } from "./walk.js";

const VIEWS = ["network", "neuron", "moments", "roll"];
const NOTE_MS = 5000;
const FRAMES = 1200;
const COMPARE_MS = 4;
const $ = (id) => document.getElementById(id);

class App {
  constructor() {
    this.query = new URLSearchParams(location.search);
    this.flat = this.query.get("draw") === "2d";
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.mayChange = false;
    this.values = {};
    this.selected = { layer: 0, unit: 0, row: null };
    this.moment = null; // number of the frame picked in Moments alike; null: the newest
    this.view = null;
    this.clock = new BeatClock();
    this.figures = { firstPictureMs: null, frames: 0, frameMs: new Float32Array(FRAMES), step: null, shown: new Map() };
    this.why = new Why($("why"));
    this.sound = new Sound(this);
    this.keys = new Keys(this);
    this.keys.mount($("dock"));
    this.controls = new Controls(this, $("controls"));
    this.walk = new Walk(this, $("walk"));
    this.kiosk = this.query.has("kiosk") ? new Kiosk(this, $("caption")) : null;
    this.wire();
    this.connect();
    requestAnimationFrame((now) => this.draw(now));
  }

  connect() {
    const ask = new URLSearchParams();
    for (const key of ["fmt", "fps"]) if (this.query.has(key)) ask.set(key, this.query.get(key));
    // A phone on a shared network: bytes instead of floats, and no more pictures than it can use.
    if (!ask.has("fmt") && matchMedia("(pointer: coarse) and (max-width: 700px)").matches) {
      ask.set("fmt", "u8");
      ask.set("fps", "30");
    }
    const feed = new Feed(`?${ask}`);
    this.feed = feed;
    feed.on("hello", (hello) => this.hello(hello));
    feed.on("values", ({ values }) => {
      Object.assign(this.values, values);
      this.controls.update(values);
      this.showSettings();
    });
    feed.on("parameters", ({ parameters }) => {
      this.parameters = parameters;
      this.controls.build(parameters, this.values);
    });
    feed.on("status", (status) => this.status(status));
    feed.on("allowed", ({ may_change }) => this.allow(may_change, true));
    feed.on("step", (frame) => this.step(frame));
    feed.on("notes", (notes) => this.keys.hear(notes));
    feed.on("futures", (futures) => {
      this.futures = futures;
      this.current?.imagine?.();
    });
    feed.on("sound", (samples) => this.sound.take(samples));
    feed.on("gone", (code) => {
      document.body.classList.add("gone");
      this.keys.releaseAll();
      this.keys.hear({ events: [], lost: true });
      this.note(code === 1013 ? "The house is full. This page comes in as soon as somebody leaves." : "The stage is not there. This page comes back by itself.", true);
    });
    feed.connect();
  }

  send(order) {
    this.feed.send(order);
  }

  // One canvas and one painter for as long as the page lives: browsers give out few.
  cellPainter() {
    if (this.painter) return this.painter;
    const canvas = el("canvas", "cells");
    // The graphics card may be taken away for a while, with all that was written on it.
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.current?.unmount();
      this.current = null;
      this.views.network.free();
      this.painter = makePainter(canvas, this.flat);
      this.show(this.view);
    });
    this.painter = makePainter(canvas, this.flat);
    return this.painter;
  }

  hello(hello) {
    document.body.classList.remove("gone");
    this.note("");
    this.net = new Net(hello);
    this.history = new History(this.net);
    this.likeness = new Likeness(this.net);
    this.futures = null;
    this.clock.stepBeats = 1 / this.net.stepsPerBeat;
    this.values = hello.values;
    this.parameters = hello.parameters;
    this.rate = hello.rate_hz;
    this.figures.shown.clear();
    this.welcome = hello;
    const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? sessionStorage.getItem("token");
    if (token) {
      // It goes out of the address line, so that nobody reads it over a shoulder, and stays for this tab.
      sessionStorage.setItem("token", token);
      history.replaceState(null, "", location.pathname + location.search);
      this.send({ token });
    }
    $("recorded").hidden = !this.net.recorded;
    $("act-controls").textContent = this.net.recorded ? "Settings" : "Controls";
    this.kiosk?.restart();
    $("network-name").textContent = this.net.name.replace(/ network$/, ""); // there is little room beside the tabs
    $("network-name").dataset.why = `The network that is playing. ${this.net.card.description ?? ""}`.trim();
    document.title = `Algoritmo: ${this.net.name}`;
    this.selected = this.neuronHere(this.selected);
    if (this.sound.on) this.send({ sound: true });
    this.allow(hello.may_change);
    // Without activations there is nothing to see of neurons, but notes there are.
    this.names = VIEWS.filter((view) => this.net.stack.length || (view !== "neuron" && view !== "moments"));
    for (const view of VIEWS) $(`tab-${view}`).hidden = !this.names.includes(view);
    if (!this.names.includes(this.view)) this.view = null;
    this.views?.network.free();
    this.views = { network: new NetworkView(this), neuron: new NeuronView(this), moments: new MomentsView(this), roll: new RollView(this) };
    this.readAddress();
    if (this.controlsOpen === undefined) this.toggleControls(innerWidth >= 1280 && !this.net.planes && !this.kiosk && !this.net.recorded, true);
    this.show(this.view ?? "network");
    this.showSettings();
  }

  // A neuron of this network: the one named where there is such a one, else the first.
  neuronHere({ layer, unit, row }) {
    const { stack, planes } = this.net;
    const found = stack.find((l) => l.index === layer) ?? stack[0];
    if (!found) return { layer: 0, unit: 0, row: null };
    const middle = Math.floor(found.rows / 2);
    return { layer: found.index, unit: unit < found.units ? unit : 0, row: planes ? Math.min(row ?? middle, found.rows - 1) : null };
  }

  allow(may, asked = false) {
    const changed = may !== this.mayChange;
    this.mayChange = may;
    this.kiosk?.restart();
    // What would only open controls that turn nothing does not look as if it could be clicked.
    for (const id of ["tempo-now", "mode-now"]) $(id).disabled = !may;
    if (this.welcome) {
      this.controls.build(this.parameters, this.values);
      this.keys.built = "";
      this.keys.build();
    }
    if (asked && !may) sessionStorage.removeItem("token");
    if (asked && !may) this.note("That address does not let you play: its token is not the one of this evening.");
    else if (asked && changed) this.note("You may play and change things.");
  }

  step(frame) {
    const { history } = this;
    const before = history.last;
    if (!history.push(frame)) return;
    if (before && frame.step < before.step) {
      this.likeness.clear();
      this.moment = null;
      this.current?.restart();
    }
    this.figures.step = frame.step;
    if (frame.flags & PAST) {
      this.past = true;
      return;
    }
    const now = performance.now();
    this.clock.step(frame.beat, frame.tempo, now);
    if (!this.past) this.current?.step(frame);
    this.showBeat(frame);
  }

  // Compare what came with what came before: of a long past a little at each frame, so that no picture waits for it.
  compare() {
    const { history, likeness } = this;
    const end = performance.now() + COMPARE_MS;
    let number = likeness.taken ? likeness.firstNumber + likeness.taken : history.first;
    // After a long sleep of this page there may be a gap: begin anew.
    if (number < history.first) {
      likeness.clear();
      number = history.first;
    }
    while (number < history.count && performance.now() < end) likeness.push(history.at(number), number++);
  }

  showBeat(frame) {
    const { net } = this;
    const beat = Math.floor(frame.beat);
    $("bar").textContent = frame.step < 0 ? "–" : Math.floor(beat / net.beatsPerBar) + 1;
    $("beat-in-bar").textContent = (((beat % net.beatsPerBar) + net.beatsPerBar) % net.beatsPerBar) + 1;
    $("beat").classList.toggle("down", beat % net.beatsPerBar === 0);
    $("tempo").textContent = Math.round(frame.tempo);
  }

  showSettings() {
    const { modes = [], turns = [] } = this.welcome ?? {};
    const mode = modes[Math.round(this.values.mode)];
    const turn = this.listening === undefined || !turns.includes(mode) ? "" : this.listening ? ": listening" : ": answering";
    const all = [...modes, ...turns.flatMap((one) => [`${one}: answering`, `${one}: listening`]), "stopped"];
    if (mode) inPlace($("mode-now"), this.playing === false ? "stopped" : mode + turn, all);
    if (this.values.tempo) $("tempo").textContent = Math.round(this.values.tempo);
  }

  status(status) {
    this.listening = status.listening;
    if (status.playing !== undefined && status.playing !== this.playing) {
      this.playing = status.playing;
      this.controls.showPlaying(status.playing);
      $("beat").classList.toggle("still", !status.playing);
    }
    this.showSettings();
    const parts = [];
    if (status.step_p50_ms !== undefined) parts.push(`It needs ${status.step_p50_ms} ms for a step, on ${status.provider}.`);
    if (status.late_steps) parts.push(`${status.late_steps} steps came too late and were left out.`);
    if (status.device_lost) this.note("The sound device is gone; the music goes on without sound until it is back.");
    $("network-name").dataset.why = `The network that is playing. ${this.net?.card.description ?? ""} ${parts.join(" ")}`.trim();
  }

  // Something to say for a while; `stay` keeps it until the next.
  note(text, stay = false) {
    const node = $("note");
    node.textContent = text;
    node.classList.toggle("shown", Boolean(text));
    clearTimeout(this.noteTimer);
    if (text && !stay) this.noteTimer = setTimeout(() => node.classList.remove("shown"), NOTE_MS);
  }

  show(name) {
    this.current?.unmount();
    this.view = name;
    document.body.dataset.view = name;
    for (const view of VIEWS) {
      const tab = $(`tab-${view}`);
      tab.setAttribute("aria-selected", String(view === name));
      tab.tabIndex = view === name ? 0 : -1;
    }
    const root = $("view");
    root.replaceChildren();
    root.setAttribute("aria-labelledby", `tab-${name}`);
    this.why.hide();
    this.current = this.views[name];
    this.current.mount(root);
    this.writeAddress();
  }

  select(what) {
    const there = this.view === "neuron";
    this.selected = what;
    if (there) this.current.change();
    else this.show("neuron");
    this.writeAddress();
  }

  // A neuron worth looking at, for who did not choose one.
  surprise() {
    const { net, views } = this;
    const layer = net.stack[Math.floor(Math.random() * net.stack.length)];
    this.selected = { layer: layer.index, unit: 0, row: net.planes ? this.selected.row : null };
    this.show("neuron");
    views.neuron.find("beat");
  }

  pickMoment(number) {
    this.moment = number;
    this.show("moments");
  }

  // The view and the neuron stand in the address, so that a link shows the same again.
  writeAddress() {
    const { layer, unit, row } = this.selected;
    const where = new URLSearchParams({ view: this.view });
    if (this.view === "neuron") {
      where.set("layer", layer + 1);
      where.set("neuron", unit + 1);
      if (row !== null) where.set("note", row);
    }
    history.replaceState(null, "", `#${where}`);
  }

  readAddress() {
    const where = new URLSearchParams(location.hash.slice(1));
    if (this.names.includes(where.get("view"))) this.view = where.get("view");
    const [layer, unit, row] = ["layer", "neuron", "note"].map((key) => Number(where.get(key) ?? NaN));
    if (layer >= 1 && unit >= 1) this.selected = this.neuronHere({ layer: layer - 1, unit: unit - 1, row: row >= 0 ? row : null });
  }

  toggleControls(open = !this.controlsOpen, quiet = false) {
    this.controlsOpen = open;
    $("controls").hidden = !open;
    document.body.classList.toggle("with-controls", open);
    $("act-controls").setAttribute("aria-expanded", String(open));
    if (open && !quiet) this.controls.focus("mode");
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen?.().catch(() => this.note("The browser does not give this page the whole screen."));
  }

  wire() {
    for (const view of VIEWS) $(`tab-${view}`).onclick = () => this.net && this.show(view);
    document.querySelector(".tabs").addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!by || !this.net) return;
      const { names } = this;
      const next = names[(names.indexOf(this.view) + by + names.length) % names.length];
      this.show(next);
      $(`tab-${next}`).focus();
      event.preventDefault();
    });
    $("act-walk").onclick = () => this.net && this.walk.start();
    $("act-controls").onclick = () => this.toggleControls();
    $("act-full").onclick = () => this.toggleFull();
    if (!document.documentElement.requestFullscreen) $("act-full").hidden = true;
    $("tempo-now").onclick = () => {
      this.toggleControls(true, true);
      this.controls.focus("tempo");
    };
    $("mode-now").onclick = () => this.toggleControls(true);
    addEventListener("keydown", (event) => {
      if (event.target instanceof HTMLInputElement && event.target.type === "number") return;
      if (event.ctrlKey || event.metaKey || event.altKey || !this.net) return;
      const view = VIEWS[Number(event.key) - 1];
      if (this.names.includes(view)) this.show(view);
      else if (event.key === "F" && event.shiftKey) this.toggleFull();
      else if (event.key === "?") this.walk.start();
      else if (event.key === "Escape" && this.controlsOpen && innerWidth < 1280) this.toggleControls(false);
    });
  }

  draw(now) {
    requestAnimationFrame((next) => this.draw(next));
    const { figures } = this;
    if (figures.last !== undefined) figures.frameMs[figures.frames++ % FRAMES] = now - figures.last;
    figures.last = now;
    this.kiosk?.draw(now);
    if (figures.firstPictureMs !== null) this.compare();
    const player = this.keys.playerSounds;
    const network = this.keys.networkSounds;
    if (player !== this.litPlayer) $("who-player").classList.toggle("on", (this.litPlayer = player));
    if (network !== this.litNetwork) $("who-network").classList.toggle("on", (this.litNetwork = network));
    if (this.past) {
      // What came before this page was opened: taken in one go.
      this.past = false;
      this.current.restart();
    }
    if (!this.current || !this.current.draw(now) || figures.step === null) return;
    figures.firstPictureMs ??= performance.now();
    if (!figures.shown.has(figures.step)) {
      figures.shown.set(figures.step, performance.timeOrigin + performance.now());
      if (figures.shown.size > 512) figures.shown.delete(figures.shown.keys().next().value);
    }
  }
}

// A text in a place as wide as the widest of those that may stand in it.
function inPlace(node, text, all) {
  if (node.firstChild?.textContent === text && node.childElementCount === all.length + 1) return;
  node.classList.add("place");
  const held = all.map((one) => el("span", "held", one));
  for (const one of held) one.ariaHidden = "true";
  node.replaceChildren(el("span", "", text), ...held);
}

await loadPalette();
window.stage = new App(); // for the console, and for whoever measures

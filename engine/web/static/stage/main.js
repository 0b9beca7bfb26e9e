// The stage page: puts the parts together and draws whenever the screen does.

import { Chance } from "../lib/chance.js";
import { BeatClock } from "../lib/clock.js";
import { loadPalette } from "../lib/colour.js";
import { el, translate } from "../lib/dom.js";
import { Feed } from "../lib/feed.js";
import { PAST } from "../lib/frames.js";
import { History } from "../lib/history.js";
import { choice, load, preferred, speakWith, t } from "../lib/language.js";
import { Likeness } from "../lib/likeness.js";
import { Net } from "../lib/net.js";
import { Why } from "../lib/why.js";
import { readAddress, takeToken, writeAddress } from "./address.js";
import { Chords } from "./chords.js";
import { Controls } from "./controls.js";
import { Header } from "./header.js";
import { Idle } from "./idle.js";
import { Keys } from "./keys.js";
import { Kiosk } from "./kiosk.js";
import { MomentsView } from "./moments.js";
import { Music } from "./music.js";
import { NetworkView } from "./network.js";
import { NeuronView } from "./neuron.js";
import { makePainter } from "./paint.js";
import { RollView } from "./roll.js";
import { Scenes } from "./scenes.js";
import { Sound } from "./sound.js";
import { Walk } from "./walk.js";

const VIEWS = ["network", "neuron", "moments", "roll"];
const NOTE_MS = 5000;
const FRAMES = 1200;
const COMPARE_MS = 4;
const $ = (id) => document.getElementById(id);

class App {
  constructor() {
    this.query = new URLSearchParams(location.search);
    this.language = null;
    this.flat = this.query.get("draw") === "2d";
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.mayChange = false;
    this.values = {};
    this.selected = { layer: 0, unit: 0, row: null };
    this.moment = null; // number of the frame picked in Moments alike; null: the newest
    this.view = null;
    this.clock = new BeatClock();
    this.figures = { firstPictureMs: null, frames: 0, frameMs: new Float32Array(FRAMES), step: null, shown: new Map() };
    this.why = new Why($("why"), () => this.happened("asked"));
    this.header = new Header(this);
    this.sound = new Sound(this);
    this.keys = new Keys(this);
    this.chords = new Chords(this);
    this.music = new Music(this);
    this.scenes = new Scenes(this);
    this.controls = new Controls(this, $("controls"));
    this.walk = new Walk(this, $("walk"));
    this.idle = new Idle(this, $("asked"));
    this.chance = new Chance(1);
    this.kiosk = this.query.has("kiosk") ? new Kiosk(this, $("caption")) : null;
  }

  async start() {
    await Promise.all([loadPalette(), this.speak(preferred(location.search, choice.get(), navigator.languages))]);
    this.keys.mount($("dock"));
    this.chords.mount($("dock"));
    this.music.mount($("dock"));
    this.scenes.mount($("dock"));
    this.wire();
    this.connect();
    requestAnimationFrame((now) => this.draw(now));
  }

  // Have everything in a language, at once.
  async speak(language) {
    this.wanted = language;
    const texts = await load(language, new URL("texts/", import.meta.url), this.query.has("pseudo"));
    if (this.wanted !== language) return; // somebody has chosen another meanwhile
    speakWith(texts);
    this.language = document.documentElement.lang = language;
    translate(document);
    this.header.words();
    if (this.welcome) {
      this.build();
      this.show(this.view);
      this.walk.again();
      this.kiosk?.again();
    }
  }

  async choose(language) {
    choice.set(language);
    const focused = document.activeElement?.dataset.language;
    try {
      await this.speak(language);
      if (focused) [...document.querySelectorAll(`[data-language="${language}"]`)].find((node) => node.offsetParent)?.focus();
    } catch (error) {
      this.note(error.message);
    }
  }

  // Something was done that the walk may have asked for.
  happened(what) {
    this.walk.happened(what);
  }

  connect() {
    const ask = new URLSearchParams({ smooth: "30", levels: "0" });
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
      this.header.settings();
    });
    feed.on("parameters", ({ parameters }) => {
      this.parameters = parameters;
      this.controls.build(parameters, this.values);
    });
    feed.on("takeover", (told) => this.controls.standing(told));
    feed.on("rack", (rack) => {
      this.rack = rack;
      this.controls.showRack();
    });
    feed.on("status", (status) => this.header.take(status));
    feed.on("chords", (names) => this.chords.take(names));
    feed.on("music", (music) => this.music.take(music));
    feed.on("signals", (signals) => this.music.move(signals));
    feed.on("chart", (chart) => this.chords.takeChart(chart));
    feed.on("scenes", (told) => this.scenes.take(told));
    feed.on("learned", (learned) => this.controls.learned(learned));
    feed.on("refused", (refused) => this.chords.refuse(refused));
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
      this.note(t(code === 1013 ? "note.full" : "note.gone"), true);
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
    this.rack = hello.rack ?? { where: [], places: [], effects: [], plugins: [] };
    this.rate = hello.rate_hz;
    this.figures.shown.clear();
    this.welcome = hello;
    const token = takeToken();
    if (token) this.send({ token });
    this.kiosk?.restart();
    this.header.words();
    this.chords.hello(hello);
    this.music.hello(hello);
    this.scenes.take(hello.scenes);
    this.selected = this.neuronHere(this.selected);
    if (this.sound.on) this.send({ sound: true });
    this.allow(hello.may_change);
    // Without activations there is nothing to see of neurons, but notes there are.
    this.names = VIEWS.filter((view) => this.net.stack.length || (view !== "neuron" && view !== "moments"));
    for (const view of VIEWS) $(`tab-${view}`).hidden = !this.names.includes(view);
    if (!this.names.includes(this.view)) this.view = null;
    this.makeViews();
    const asked = readAddress();
    if (this.names.includes(asked.view)) this.view = asked.view;
    if (asked.neuron) this.selected = this.neuronHere(asked.neuron);
    if (this.controlsOpen === undefined) this.toggleControls(innerWidth >= 1280 && !this.net.planes && !this.kiosk && !this.net.recorded, true);
    this.show(this.view ?? "network");
  }

  makeViews() {
    this.views?.network.free();
    this.views = { network: new NetworkView(this), neuron: new NeuronView(this), moments: new MomentsView(this), roll: new RollView(this) };
  }

  // Somebody left: all is as at first for whoever comes next, language too. What plays is not touched but for what he asked it
  // to imagine.
  async asAtFirst() {
    choice.set(null);
    this.walk.forget();
    this.kiosk?.restart();
    this.keys.releaseAll();
    this.keys.base = this.keys.first;
    if (this.sound.on) await this.sound.stop();
    if (this.mayChange && this.views?.roll.wished) this.send({ set: { futures: 0 } });
    this.moment = null;
    this.selected = this.neuronHere({ layer: -1 });
    this.current?.unmount();
    this.current = null;
    this.makeViews();
    this.view = "network";
    this.toggleControls(false);
    await this.speak(preferred(location.search, null, navigator.languages));
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
    if (this.welcome) this.build();
    if (asked && !may) sessionStorage.removeItem("token");
    if (asked && !may) this.note(t("note.token"));
    else if (asked && changed) this.note(t("note.allowed"));
  }

  // What stands around the view: the controls and the piano.
  build() {
    this.controls.build(this.parameters, this.values);
    this.chords.build();
    this.music.build();
    this.scenes.build();
    this.keys.built = "";
    this.keys.build();
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
    this.header.beat(frame);
    this.chords.step(frame);
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
    root.replaceChildren(el("h2", "unseen", t(`tab.${name}`)));
    root.setAttribute("aria-labelledby", `tab-${name}`);
    this.why.hide();
    this.current = this.views[name];
    this.current.mount(root);
    writeAddress(this);
    this.walk.follow();
  }

  select(what) {
    const there = this.view === "neuron";
    this.selected = what;
    if (there) this.current.change();
    else this.show("neuron");
    writeAddress(this);
  }

  // A neuron worth looking at, for who did not choose one.
  surprise() {
    const { net, views } = this;
    const layer = net.stack[this.chance.below(net.stack.length)];
    this.selected = { layer: layer.index, unit: 0, row: net.planes ? this.selected.row : null };
    this.show("neuron");
    views.neuron.find("beat");
  }

  pickMoment(number) {
    this.moment = number;
    this.show("moments");
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
    else document.documentElement.requestFullscreen?.().catch(() => this.note(t("note.screen")));
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
      if (event.target instanceof HTMLInputElement && ["number", "text"].includes(event.target.type)) return;
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
    this.header.lights(this.keys);
    this.music.draw();
    this.idle.watch();
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

window.stage = new App(); // for the console, and for whoever measures
window.stage.start().catch((error) => {
  document.body.replaceChildren(el("p", "fault", `This page could not be opened: ${error.message}.`));
});

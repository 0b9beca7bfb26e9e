// The wall of the booth: codes to join, the songs that lead, where they come from, what has changed, what is drawn now.

import { el } from "../lib/dom.js";
import { LANGUAGES, choice, load, preferred } from "../lib/language.js";
import { Presence } from "../lib/narrative.js";
import { qr } from "../lib/qr.js";
import { Connection } from "./connection.js";
import { paintLine } from "./draw.js";
import { drawMusic, fit } from "./score.js";
import { Clip, voice } from "./sound.js";
import { Tree } from "./tree.js";

const $ = (id) => document.getElementById(id);
const TURN_MS = 12000; // with nobody there: what is pointed at, one after the other
const UNDO_S = 10;
const MEASURES = [["notes", 2], ["drums", 2], ["loud", 2], ["long", 2], ["high", 1], ["key", 3]];
const METHODS = ["conditions", "ranks", "dpo"]; // how a generation came of the one before

class Wall {
  constructor() {
    this.query = new URLSearchParams(location.search);
    this.presence = new Presence(performance.now() / 1000);
    this.tree = new Tree($("tree"));
    this.told = {};
    this.places = new Map();
    this.playing = null; // what is drawn on the stage
    this.player = null;
    this.turn = 0;
    this.families = 0; // that were pointed at with nobody there
    this.t = (key, values) => this.texts?.say(key, values) ?? "";
  }

  async start() {
    await this.speak(preferred(location.search, choice.get(), navigator.languages));
    this.connection = new Connection("wall", (message) => this.take(message));
    for (const kind of ["pointerdown", "keydown", "wheel"]) addEventListener(kind, (event) => this.touched(event), { capture: true, passive: true });
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("resize", () => this.again());
    new ResizeObserver(() => this.tree.draw()).observe($("tree")); // the words below it take more or less room
    $("tree").addEventListener("click", (event) => this.pick(event));
    setInterval(() => this.watch(), 500);
    navigator.wakeLock?.request("screen").catch(() => {}); // only where the address lets it
  }

  async speak(language) {
    this.texts = await load(language, new URL("texts/", import.meta.url), this.query.has("pseudo"));
    document.documentElement.lang = language;
    const t = this.t;
    $("title").textContent = t("wall.title");
    $("join-title").textContent = t("wall.join");
    $("draw").textContent = t("wall.draw");
    $("board-title").textContent = t("wall.board");
    $("board-more").textContent = t("wall.board.more");
    $("tree-title").textContent = t("wall.tree");
    $("tree").setAttribute("aria-label", t("wall.tree.more"));
    $("change-title").textContent = t("wall.change");
    $("languages").replaceChildren(
      ...Object.entries(LANGUAGES).map(([code, name]) => {
        const node = el("button", "chip", name);
        node.setAttribute("aria-pressed", code === language);
        node.addEventListener("click", () => {
          choice.set(code);
          this.speak(code);
        });
        return node;
      }),
    );
    this.again();
  }

  again() {
    if (this.told.hello) this.codes(this.told.hello);
    if (this.told.board) this.board(this.told.board);
    if (this.told.tree) this.family(this.told.tree);
    this.stageTitle();
    this.drawStage();
  }

  take(message) {
    const { kind } = message;
    this.told[kind] = message;
    if (kind === "hello") {
      this.codes(message);
      const token = new URLSearchParams(location.hash.slice(1)).get("token");
      if (token && !message.staff) this.connection.send({ kind: "token", token });
    } else if (kind === "board") this.board(message);
    else if (kind === "tree") this.family(message);
    else if (kind === "playing") this.play(message);
    else if (kind === "played") setTimeout(() => this.rest(message.drawing), 1500);
    else if (kind === "hidden") this.hidden(message.drawing);
    else if (kind === "held") this.note(message.held.length ? this.t("wall.held", { count: message.held.length }) : "");
    else if (kind === "room") this.room(message);
  }

  note(text) {
    $("note").textContent = text;
    clearTimeout(this.noted);
    this.noted = setTimeout(() => ($("note").textContent = ""), 1000 * UNDO_S);
  }

  // --- joining

  codes({ address, wifi }) {
    const nodes = [];
    if (wifi) {
      const escaped = (text) => text.replace(/([\\;,:"])/g, "\\$1");
      const secret = wifi.password ? `T:WPA;S:${escaped(wifi.name)};P:${escaped(wifi.password)}` : `T:nopass;S:${escaped(wifi.name)}`;
      nodes.push([`WIFI:${secret};;`, this.t("wall.wifi", { name: wifi.name }), wifi.password ? `🔑 ${wifi.password}` : ""]);
    }
    nodes.push([address, this.t(wifi ? "wall.open" : "wall.openOnly"), address.replace("http://", "")]);
    $("codes").replaceChildren(
      ...nodes.map(([text, title, below]) => {
        const node = el("div", "code");
        const canvas = el("canvas");
        node.append(el("span", "", title), canvas, el("span", "address", below));
        code(canvas, text);
        return node;
      }),
    );
  }

  // --- how they stand

  board({ clips, votes, wanted, generation }) {
    const share = Math.min(votes / wanted, 1);
    $("progress").firstElementChild.style.width = `${100 * share}%`;
    $("progress").lastElementChild.textContent = `${this.t("wall.generation", { number: generation ?? "" })} · ${this.t("wall.votes", { votes, wanted })}`;
    const rows = Math.max(Math.floor($("clips").clientHeight / (2.35 * parseFloat(getComputedStyle(document.documentElement).fontSize))), 8);
    const shown = clips.slice(0, innerWidth > 1000 ? rows : 12);
    const low = Math.min(...clips.map(({ strength, error }) => strength - error), -1);
    const high = Math.max(...clips.map(({ strength, error }) => strength + error), 1);
    const place = (value) => `${(100 * (value - low)) / (high - low)}%`;
    const before = this.places;
    this.places = new Map(clips.map(({ clip }, k) => [clip, k]));
    $("clips").replaceChildren(
      ...shown.map(({ clip, name, strength, error, heard }, k) => {
        const node = el("li", before.has(clip) && before.get(clip) > k ? "moved" : "");
        const bar = el("div", "bar");
        const [whole, sure] = [el("b"), el("i")];
        whole.style.width = place(strength);
        sure.style.left = place(strength - error);
        sure.style.width = `${(100 * 2 * error) / (high - low)}%`;
        bar.append(whole, sure);
        const count = el("span", "count", `${heard}`);
        count.title = this.t("wall.heard", { count: heard });
        node.append(el("span", "place", `${k + 1}`), el("span", "name", name), bar, count);
        node.addEventListener("click", () => this.hear(clip));
        return node;
      }),
    );
  }

  // --- where they come from

  family(told) {
    this.tree.set(told);
    const [before, now] = told.generations.slice(-2).length > 1 ? told.generations.slice(-2) : [null, told.generations.at(-1)];
    if (!before) $("change").replaceChildren(el("p", "soft", this.t("wall.change.first")));
    else {
      $("change").replaceChildren(
        ...(METHODS.includes(now.method) ? [el("p", "method", this.t(`wall.method.${now.method}`))] : []),
        ...MEASURES.flatMap(([name, digits]) => {
          const [was, is] = [before.measures[name], now.measures[name]];
          if (was === undefined || is === undefined) return [];
          const text = `${was.toFixed(digits)} → ${is.toFixed(digits)}`;
          return [el("span", "", this.t(`measure.${name}`)), el("span", `number ${text.split(" → ")[0] === text.split(" → ")[1] ? "soft" : "up"}`, text)];
        }),
      );
    }
    const { won, of, share, low, high } = told.blind;
    const percent = (value) => (100 * value).toFixed(0);
    const sure = low > 0.5 ? ` ${this.t("wall.blind.sure")}` : ` ${this.t("wall.blind.unsure")}`;
    $("blind").textContent = of ? this.t("wall.blind", { won, of, share: percent(share), low: percent(low), high: percent(high) }) + sure : this.t("wall.blind.none");
    this.song();
  }

  pick(event) {
    const box = $("tree").getBoundingClientRect();
    const found = this.tree.at(event.clientX - box.left, event.clientY - box.top);
    if (found) this.hear(found.clip);
  }

  async hear(clip) {
    voice.wake();
    this.player?.stop();
    this.player = null;
    const same = this.tree.chosen === clip && this.sounding === clip;
    this.tree.chosen = clip;
    this.tree.draw();
    this.song();
    this.sounding = null;
    if (same) return;
    const answer = await fetch(`/clip/${clip}.json`);
    if (!answer.ok) return;
    this.sounding = clip;
    this.player = new Clip(await answer.json(), { ended: () => (this.sounding = null) });
  }

  song() {
    const one = this.tree.places.get(this.tree.chosen);
    if (!one) {
      $("song").textContent = this.t("wall.tree.more");
      return;
    }
    const names = one.parents.map((parent) => this.tree.places.get(parent)?.name ?? `#${parent}`);
    const generation = this.told.tree.generations.find(({ id }) => id === one.generation);
    const lines = [
      `♪ ${one.name} · ${this.t("wall.generation", { number: one.generation })} · ${this.t(`arm.${one.arm}`)} · ${this.t(one.wins === 1 ? "wall.wins.one" : "wall.wins", { count: one.wins })} · ${generation?.network ?? ""}`,
      names.length ? this.t("wall.parents", { names: names.join(", ") }) : this.t("wall.noParents"),
    ];
    if (one.drawings.length) lines.push(this.t("wall.drawnBy", { names: one.drawings.join(", ") }));
    $("song").replaceChildren(...lines.map((line) => el("div", "", line)));
  }

  // --- the stage

  play(message) {
    this.playing = { ...message, begins: performance.now() + 1000 * message.in_s };
    this.stageTitle();
    if (!message.live && !voice.asleep) {
      this.player?.stop();
      this.player = new Clip(message.music, { in_s: message.in_s });
    }
    this.frame();
  }

  rest(drawing) {
    if (this.playing?.drawing === drawing) this.playing.over = true;
    this.stageTitle();
  }

  hidden(drawing) {
    if (this.playing?.drawing === drawing) {
      this.playing = null;
      this.player?.stop();
    }
    this.stageTitle();
    this.drawStage();
  }

  stageTitle() {
    const { playing } = this;
    const room = this.told.room;
    if (room && room.phase !== "off" && room.phase) {
      const [a, b] = room.votes ?? [];
      $("stage-title").textContent = this.t(`wall.room.${room.phase}`, { a, b });
    } else $("stage-title").textContent = playing ? this.t("wall.now", { name: playing.name }) : this.t("wall.nobody");
  }

  frame() {
    this.drawStage();
    if (this.playing && !this.playing.over) requestAnimationFrame(() => this.frame());
  }

  drawStage() {
    const canvas = $("sheet");
    const { playing } = this;
    if (!playing) {
      if (!this.player) drawMusic(canvas, null);
      return;
    }
    const { music, given, lines, of } = playing;
    const at = (performance.now() - playing.begins) / 1000 / ((60 / music.bpm / music.grid) * music.steps);
    drawMusic(canvas, music, Math.min(Math.max(at, 0), 1));
    if (of !== "draw") return;
    const { pen, width, height } = fit(canvas);
    const until = (given / music.steps) * width;
    for (const line of lines) paintLine(pen, line, music.tracks, until, height);
    if (given < music.steps) {
      pen.fillStyle = "#9aa7b8";
      pen.font = "16px system-ui, sans-serif";
      pen.textAlign = "left";
      pen.fillText(this.t("wall.goes"), until + 10, 20);
    }
  }

  // --- in the room

  async room(message) {
    this.stageTitle();
    const clip = { first: message.first, second: message.second }[message.phase];
    this.player?.stop();
    this.player = null;
    if (clip === undefined) return;
    const answer = await fetch(`/clip/${clip}.json`);
    if (!answer.ok || voice.asleep) return;
    const music = await answer.json();
    this.playing = null;
    this.player = new Clip(music, { ended: () => (this.player = null) });
    const draw = () => {
      if (!this.player || this.playing) return;
      drawMusic($("sheet"), music, Math.min(Math.max(this.player.at / this.player.length, 0), 1));
      requestAnimationFrame(draw);
    };
    draw();
  }

  // --- who is there

  touched(event) {
    if (!event.isTrusted) return;
    this.presence.touch(performance.now() / 1000);
    $("asked").hidden = true;
    voice.wake();
    if (event.type === "pointerdown" && this.query.has("kiosk") && !document.fullscreenElement) document.documentElement.requestFullscreen?.().catch(() => {});
  }

  key(event) {
    const { held } = this.told.held ?? {};
    if (event.key === "h") {
      const drawing = this.playing?.drawing;
      if (drawing === undefined) return;
      this.undo = { drawing, until: performance.now() + 1000 * UNDO_S };
      this.connection.send({ kind: "hide", of: drawing });
      this.note(this.t("wall.hidden"));
    } else if (event.key === "u" && this.undo && performance.now() < this.undo.until) {
      this.connection.send({ kind: "show", of: this.undo.drawing });
      this.undo = null;
      this.note("");
    } else if (event.key === "l" && held?.length) this.connection.send({ kind: "let", of: held[0].drawing });
    else if (event.key === "r") this.connection.send({ kind: "room", of: !(this.told.room && this.told.room.phase !== "off") });
  }

  watch() {
    const now = performance.now() / 1000;
    const state = this.presence.state(now);
    $("asked").hidden = state !== "asked";
    if (state === "asked") $("asked").firstElementChild.textContent = this.t("wall.asked", { seconds: this.presence.left(now) });
    else if (state === "gone") {
      this.tree.chosen = null;
      this.tree.draw();
      this.song();
      choice.set(null);
      const first = preferred(location.search, null, navigator.languages);
      if (first !== this.texts.language) this.speak(first);
    } else if (state === "nobody" && performance.now() > this.turn) this.next();
    if (state !== "nobody") for (const node of document.querySelectorAll("section.shown")) node.classList.remove("shown");
  }

  // With nobody there: one part after the other, and in the tree one family after the other.
  next() {
    this.turn = performance.now() + TURN_MS;
    const parts = ["join", "board", "family", "stage"];
    this.shown = (parts.indexOf(this.shown) + 1 || 0) % parts.length;
    this.shown = parts[this.shown];
    for (const name of parts) $(name).classList.toggle("shown", name === this.shown);
    if (this.shown === "family" && this.tree.places.size) {
      const newest = [...this.tree.places.values()].filter(({ generation }) => generation === this.tree.rows.at(-1).id);
      this.tree.chosen = newest[this.families++ % newest.length]?.clip ?? null;
      this.tree.draw();
      this.song();
    }
  }
}

/** Draw a text as a code. */
function code(canvas, text) {
  const cells = qr(text);
  const unit = 8;
  canvas.width = canvas.height = (cells.length + 8) * unit;
  const pen = canvas.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = "#07090d";
  cells.forEach((row, r) => row.forEach((dark, c) => dark && pen.fillRect((c + 4) * unit, (r + 4) * unit, unit, unit)));
}

window.wall = new Wall();
window.wall.start();

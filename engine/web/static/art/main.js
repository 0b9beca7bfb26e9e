// The page for the wall: a look, full bleed, and nothing else. For a browser, for OBS, TouchDesigner or Resolve as a source, and
// for `algoritmo film`, which gives it a session step by step instead of a connection.

import { Feed } from "../lib/feed.js";
import { PAST, decode } from "../lib/frames.js";
import { LOOKS, read } from "./options.js";
import { choose } from "./paints.js";
import { Show } from "./show.js";
import { Slate } from "./slate.js";
import { Words } from "./words.js";

const FRAMES = 1200;

class Art {
  constructor() {
    const { options, faults } = read(location.search);
    this.options = options;
    this.canvas = document.getElementById("picture");
    // Pixels that a processor draws: on a small graphics card a page of 1080p is faster so than drawn there and back.
    this.context = this.canvas.getContext("2d", { alpha: options.ground === "transparent", willReadFrequently: true });
    this.faults(faults);
    this.show = null;
    this.look = null;
    this.figures = { frames: 0, frameMs: new Float32Array(FRAMES), scriptMs: new Float32Array(FRAMES) };
  }

  async start(live = true) {
    const file = await (await fetch(new URL("../lib/palette.json", import.meta.url))).json();
    this.colours = choose(this.options.palette, file);
    this.ground = this.options.ground ?? this.colours.ground;
    document.body.style.background = this.ground;
    await this.use(this.options.look);
    addEventListener("resize", () => this.measure());
    if (live) this.connect();
  }

  faults(sentences) {
    const node = document.getElementById("fault");
    node.hidden = !sentences.length;
    node.textContent = sentences.join(". ");
  }

  // Draw another look from now on.
  async use(name) {
    const { Look } = await import(`./looks/${name}.js`);
    this.options.look = name;
    this.make = () => new Look(this);
    this.measure();
  }

  // The size of the picture: that of the window, times `scale`.
  measure(width = innerWidth, height = innerHeight) {
    const { scale } = this.options;
    this.width = this.canvas.width = Math.max(Math.round(width * scale), 16);
    this.height = this.canvas.height = Math.max(Math.round(height * scale), 16);
    this.unit = (Math.min(this.width, this.height) / 1080) * this.options.line; // one line's weight
    this.look = null;
  }

  connect() {
    const ask = new URLSearchParams({ fmt: "u8", fps: "60" });
    const feed = new Feed(`?${ask}`);
    feed.on("hello", (hello) => this.hello(hello));
    feed.on("step", (frame) => this.show?.step(frame, performance.now(), frame.flags & PAST));
    feed.on("notes", (notes) => this.show?.hear(notes, performance.now()));
    feed.connect();
    addEventListener("keydown", (event) => {
      const name = LOOKS[Number(event.key) - 1];
      if (name && !event.ctrlKey && !event.metaKey && !event.altKey) this.use(name);
    });
    const frame = (now) => {
      requestAnimationFrame(frame);
      const begun = performance.now();
      this.draw(begun);
      const { figures } = this;
      const at = figures.frames++ % FRAMES;
      figures.frameMs[at] = figures.last === undefined ? 0 : now - figures.last;
      figures.scriptMs[at] = performance.now() - begun;
      figures.last = now;
    };
    requestAnimationFrame(frame);
  }

  hello(hello) {
    this.layout = hello.layout;
    this.show = new Show(hello, this.options.flash);
    this.words = new Words(this);
    this.slate = new Slate(this);
    this.look = null;
  }

  draw(now) {
    const { show } = this;
    if (!show?.draw(now)) return this.clear();
    this.look ??= this.make();
    this.look.draw(now);
    if (this.options.text) this.words.draw();
    if (this.options.slate) this.slate.draw();
  }

  clear() {
    const { context: g } = this;
    g.globalCompositeOperation = "source-over";
    g.globalAlpha = 1;
    if (this.ground === "transparent") g.clearRect(0, 0, this.width, this.height);
    else {
      g.fillStyle = this.ground;
      g.fillRect(0, 0, this.width, this.height);
    }
  }

  // For a film: what a connection would bring, then the picture of a moment, as a file in base 64.

  film(hello, width, height) {
    this.filmed = true;
    this.hello(hello);
    this.measure(width, height);
  }

  take(messages) {
    for (const [now, message] of messages) {
      const bytes = Uint8Array.from(atob(message), (c) => c.charCodeAt(0));
      const frame = decode(bytes.buffer, this.layout);
      if (frame?.kind === "step") this.show.step(frame.content, now, false);
      if (frame?.kind === "notes") this.show.hear(frame.content, now);
    }
  }

  picture(now, type, quality) {
    this.draw(now);
    return this.canvas.toDataURL(type, quality).split(",")[1];
  }
}

window.art = new Art();
window.art.ready = window.art.start(!new URLSearchParams(location.search).has("film")).catch((error) => {
  window.art.faults([`This page could not be opened: ${error.message}`]);
});

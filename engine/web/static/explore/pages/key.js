// 0. One key: the network plays; whoever presses a key is answered.

import { palette, trackColour } from "../../lib/colour.js";
import { dot, meaning, upright, words } from "../draw.js";
import { keys, noteName, row, sheet } from "../parts.js";
import { BPM, instruments, openStage, saysFault, sound, soundsIn } from "../stage.js";

const LEFT = 30; // pixels for the words that say which way is up
const FIRST = 60;
const COUNT = 13;
const SEEN_S = 8;
const LETTERS = "awsedftgyhujk";
const SCALE = [0, 2, 4, 7, 9, 12]; // any other key: one of these
const ANSWER_S = 5; // what its lead plays so soon after the visitor is drawn as its answer
const GHOST = [0, 4, 7, 12]; // the phrase that the page plays with nobody there, every ...
const GHOST_S = 10; // ... so many seconds, a note every ...
const NOTE_S = 0.43; // ... so many

export function create(app) {
  let [tracks, status, notes, begun] = [[], "opening", [], false];
  let [yours, answered, ghost] = [-Infinity, true, null];
  const held = new Map(); // what holds it: a pitch, at most one of each
  const stage = openStage((message) => {
    if (message.what === "fault") status = "fault";
    if (saysFault(app, message)) return;
    if (message.what === "open") {
      tracks = message.card.tracks.map((track, index) => ({ ...track, index }));
      status = "open";
    } else if (message.what === "step") take(message);
  }, { ort: app.query.has("ort") });
  const picture = sheet(app.t("key.sees"), touch, app.t("key.heard"));
  const piano = keys(FIRST, COUNT, (pitch) => press(`piano ${pitch}`, pitch), (pitch) => release(`piano ${pitch}`));
  addEventListener("blur", letGo);

  function press(by, pitch) {
    release(by);
    end(); // of the page's own playing
    held.set(by, pitch);
    down(pitch);
    app.happened("played");
  }

  function down(pitch) {
    app.voice.pluck(pitch, { seconds: 0.6, level: 0.7, bright: 0.6 });
    notes.push({ pitch, at: performance.now() / 1000, yours: true });
    [yours, answered] = [performance.now() / 1000, false];
    stage.send("down", { pitch });
    piano.buttons[pitch - FIRST]?.classList.add("down");
  }

  function release(by) {
    const pitch = held.get(by);
    if (pitch === undefined) return;
    held.delete(by);
    if (![...held.values()].includes(pitch)) up(pitch);
  }

  function up(pitch) {
    yours = performance.now() / 1000;
    stage.send("up", { pitch });
    piano.buttons[pitch - FIRST]?.classList.remove("down");
  }

  function letGo() {
    for (const by of [...held.keys()]) release(by);
  }

  /** On the picture: the higher the higher. */
  function touch(x, y, kind) {
    if (kind === "down") press("touch", FIRST + Math.min(Math.max(Math.round((1 - y / picture.height) * COUNT), 0), COUNT - 1));
    else if (kind === "up") release("touch");
  }

  function take({ begun: heard, at }) {
    const now = performance.now() / 1000;
    sound(app.voice, tracks, heard, soundsIn(at));
    for (const { track, pitch, level, yours: own } of heard) {
      if (own) continue;
      const answer = track === tracks.length - 1 && now - yours < ANSWER_S;
      notes.push({ track, pitch, level, at: now, answer });
      if (answer && !answered && !ghost) app.say("key.answers");
      if (answer) answered = true;
    }
    notes = notes.filter((note) => now - note.at < SEEN_S);
  }

  /** With nobody there the page presses a few keys itself, so that one sees what happens. */
  function haunt(now) {
    ghost ??= { at: now, pitch: null };
    const number = Math.floor((now - ghost.at) / NOTE_S);
    const pitch = number < GHOST.length ? FIRST + GHOST[number] : null;
    if (pitch !== ghost.pitch) {
      if (ghost.pitch !== null) up(ghost.pitch);
      if (pitch !== null) down(pitch);
      ghost.pitch = pitch;
    }
    if (now - ghost.at > GHOST_S) ghost.at = now;
  }

  function end() {
    if (ghost && ghost.pitch !== null) up(ghost.pitch);
    ghost = null;
  }

  function frame(now, alone) {
    if (status === "open" && !begun) {
      begun = true;
      stage.send("start", { bpm: BPM });
    }
    if (alone && begun && !held.size) haunt(now);
    else end();
    draw(picture.fit(), picture.width, picture.height, performance.now() / 1000);
  }

  function draw(pen, width, height, now) {
    if (status === "opening") words(pen, app.t("key.opening"), width / 2, height / 2, { size: 18, align: "center" });
    for (const { track, pitch, level = 0.8, at, yours: own, answer } of notes) {
      const x = width - 8 - ((now - at) / SEEN_S) * (width - 8 - LEFT);
      const drums = !own && tracks[track].kind === "drums";
      const y = drums ? height - 14 - (pitch % 6) * 5 : height - 50 - ((pitch - 28) / 70) * (height - 70);
      dot(pen, x, y, own ? 9 : answer ? 7 : 3 + 5 * level, own ? palette.player : trackColour(tracks[track]), answer ? palette.text : null);
      const who = own ? app.t("key.you") : app.t(`track.${tracks[track].name}`);
      picture.spotAround(x, y, 8, () => (drums ? who : app.t("key.note", { who, note: noteName(pitch) })));
    }
    words(pen, app.t("key.ago", { seconds: SEEN_S }), LEFT, 16, { size: 13 });
    words(pen, app.t("key.now"), width - 12, 16, { size: 13, align: "right" });
    upright(pen, app.t("neuron.high"), 14, 40, { size: 13, align: "right" });
    upright(pen, app.t("neuron.low"), 14, height - 44, { size: 13 });
    if (ghost && ghost.pitch !== null) words(pen, app.t("key.ghost"), width / 2, 16, { align: "center" });
  }

  /** Any key at all: some lie as on a piano, the others play a note that always fits. */
  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || (event.key.length > 1 && event.key !== "Enter")) return;
    if (event.target.closest?.("button, a") && (event.key === " " || event.key === "Enter")) return; // it presses that
    const by = event.code || event.key;
    if (event.repeat || held.has(by)) return;
    const index = LETTERS.indexOf(event.key.toLowerCase());
    press(by, FIRST + (index >= 0 ? index : SCALE[event.key.codePointAt(0) % SCALE.length]));
    addEventListener("keyup", function ended(other) {
      if ((other.code || other.key) !== by) return;
      removeEventListener("keyup", ended);
      release(by);
    });
  }

  const legend = [
    ["dot", meaning.you, app.t("key.you")],
    ["ring", palette.text, app.t("key.answer")],
    ...instruments(app),
  ];
  return {
    nodes: [row(picture.node), piano.node],
    legend,
    frame,
    key,
    leave: () => {
      removeEventListener("blur", letGo);
      stage.close();
    },
  };
}

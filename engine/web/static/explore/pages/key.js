// 0. One key: the network plays; whoever presses a key is answered.

import { palette, trackColour } from "../../lib/colour.js";
import { dot, words } from "../draw.js";
import { group, keys, row, sheet } from "../parts.js";
import { BPM, openStage, sound } from "../stage.js";

const FIRST = 60;
const COUNT = 13;
const SEEN_S = 8;
const LETTERS = "awsedftgyhujk";

export function create(app) {
  let [tracks, status, notes, begun] = [[], "opening", [], false];
  const held = new Set();
  const stage = openStage((message) => {
    if (message.what === "open") {
      tracks = message.card.tracks.map((track, index) => ({ ...track, index }));
      status = "open";
    } else if (message.what === "fault") {
      status = "fault";
      app.say("key.fault", { reason: message.reason });
    } else take(message);
  });
  const picture = sheet(app.t("key.sees"));
  const piano = keys(FIRST, COUNT, down, up);

  function down(pitch) {
    if (held.has(pitch)) return;
    held.add(pitch);
    app.voice.pluck(pitch, { seconds: 0.6, level: 0.7, bright: 0.6 });
    notes.push({ pitch, at: performance.now() / 1000, yours: true });
    stage.send("down", { pitch });
    piano.buttons[pitch - FIRST]?.classList.add("down");
    app.happened("played");
  }

  function up(pitch) {
    held.delete(pitch);
    stage.send("up", { pitch });
    piano.buttons[pitch - FIRST]?.classList.remove("down");
  }

  function take({ begun: heard }) {
    const at = performance.now() / 1000;
    sound(app.voice, tracks, heard);
    for (const { track, pitch, level, yours } of heard) if (!yours) notes.push({ track, pitch, level, at });
    notes = notes.filter((note) => at - note.at < SEEN_S);
  }

  function frame() {
    if (status === "open" && !begun) {
      begun = true;
      stage.send("start", { bpm: BPM });
    }
    const pen = picture.fit();
    const { width, height } = picture;
    const now = performance.now() / 1000;
    if (status === "opening") words(pen, app.t("key.opening"), width / 2, height / 2, { size: 18, align: "center" });
    for (const { track, pitch, level = 0.8, at, yours } of notes) {
      const x = width - ((now - at) / SEEN_S) * width;
      const drums = !yours && tracks[track].kind === "drums";
      const y = drums ? height - 14 - (pitch % 6) * 5 : height - 50 - ((pitch - 28) / 70) * (height - 70);
      dot(pen, x, y, yours ? 9 : 3 + 5 * level, yours ? palette.player : trackColour(tracks[track]));
    }
    words(pen, app.t("key.now"), width - 12, 16, { align: "right" });
  }

  function key(event) {
    const index = LETTERS.indexOf(event.key.toLowerCase());
    if (index < 0 || event.repeat || event.ctrlKey || event.metaKey) return;
    down(FIRST + index);
    addEventListener("keyup", function ended(other) {
      if (other.key !== event.key) return;
      removeEventListener("keyup", ended);
      up(FIRST + index);
    });
  }

  return { nodes: [row(picture.node), group("", piano.node)], frame, key, leave: () => stage.close() };
}

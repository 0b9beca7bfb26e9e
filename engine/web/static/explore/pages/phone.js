// 7. Take it home: the whole network on the visitor's phone, and the way there as a code. Here it goes on meanwhile.

import { palette, trackColour } from "../../lib/colour.js";
import { el } from "../../lib/dom.js";
import { qr } from "../../lib/qr.js";
import { words } from "../draw.js";
import { row, sheet } from "../parts.js";
import { BPM, instruments, openStage, saysFault, sound, soundsIn } from "../stage.js";

const LOCAL = ["localhost", "127.0.0.1", "[::1]"];
const SEEN = 96; // steps

export function create(app) {
  // Whoever opened this page by a name that only this machine knows: where the others in the room find it.
  const here = app.served.address ? new URL("explore/", app.served.address) : new URL("./", location.href);
  const address = new URL(`?lang=${app.texts.language}#key`, here).href;
  const picture = sheet(app.t("phone.sees"), null, app.t("phone.code"));
  const music = sheet(app.t("phone.plays"), null, app.t("phone.on"));
  const link = el("a", "soft", address);
  link.href = address;
  const note = el("p", "soft", LOCAL.includes(new URL(address).hostname) ? app.t("phone.local") : "");
  const code = qr(address);
  let [tracks, notes, step] = [[], [], 0];
  const stage = openStage((message) => {
    if (saysFault(app, message)) return;
    if (message.what === "open") {
      tracks = message.card.tracks;
      stage.send("start", { bpm: BPM });
    } else if (message.what === "step") {
      step = message.step;
      sound(app.voice, tracks, message.begun, soundsIn(message.at));
      notes = [...notes, ...message.begun.map((one) => ({ ...one, step }))].filter((one) => one.step > step - SEEN);
    }
  }, { ort: app.query.has("ort") });

  function frame() {
    app.happened("seen"); // as soon as a visitor does anything here
    if (picture.changed()) drawCode(picture.fit(), picture.width, picture.height);
    if (!music.changed(tracks.length, step, notes.length)) return;
    const pen = music.fit();
    const { width, height } = music;
    if (!tracks.length) words(pen, app.t("key.opening"), width / 2, height / 2, { size: 18, align: "center" });
    for (const { track, pitch, step: at, level } of notes) {
      pen.fillStyle = trackColour({ ...tracks[track], index: track });
      pen.fillRect(width - ((step - at + 1) / SEEN) * width, height - ((pitch - 28) / 70) * height - 4, Math.max(width / SEEN - 1, 2), 2 + 4 * level);
    }
  }

  function drawCode(pen, width, height) {
    const unit = Math.max(Math.floor(Math.min(width, height) / (code.length + 8)), 1);
    const side = unit * (code.length + 8);
    const [left, top] = [Math.round((width - side) / 2), Math.round((height - side) / 2)]; // else seams show
    pen.fillStyle = "#fff";
    pen.fillRect(left, top, side, side);
    pen.fillStyle = palette.ground;
    code.forEach((cells, r) => cells.forEach((dark, c) => dark && pen.fillRect(left + (c + 4) * unit, top + (r + 4) * unit, unit, unit)));
  }

  return { nodes: [row(picture.node, music.node), link, note], frame, legend: instruments(app), leave: () => stage.close() };
}

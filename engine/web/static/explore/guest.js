// A small network that has learned a tune, as a player in a band: in the jam that serves this page, through the door that takes
// the keys of visitors; where there is none, or it takes none from here, in the band in this browser.

import { Chance, TUNE, oneHot, softmax } from "../lib/nn.js";
import { openJam } from "./jam.js";
import { BPM, openStage, saysFault, sound, soundsIn } from "./stage.js";
import { pitchOf } from "./tune.js";

const EVERY = 2; // steps of the band to one of the tune: it goes in eighths
const TEMPERATURE = 0.8;
const SEEN = 64;

export class Guest {
  /** `learner` has learned its tune; it goes on from the tune's end. */
  constructor(app, learner, seed) {
    Object.assign(this, { app, network: learner.network, chance: new Chance(seed), tracks: [], notes: [], step: 0, seen: SEEN });
    this.state = learner.network.forward(learner.given).state;
    this.sign = learner.tune[learner.tune.length - 1];
    this.pitch = null; // that it holds
    this.live = app.served.jam;
    this.open();
  }

  open() {
    this.band = this.live ? openJam((message) => this.told(message)) : openStage((message) => this.told(message));
  }

  told(message) {
    if (saysFault(this.app, message)) return;
    if (message.what === "open") {
      this.tracks = message.card.tracks;
      if (this.live && !message.may) this.home("train.mayNot");
      else if (this.live) this.app.say("train.joined");
      else {
        this.band.send("start", { bpm: BPM });
        this.app.say("train.joinedBand");
      }
    } else if (message.what === "gone") this.app.say("inside.gone");
    else if (message.what === "step" && !message.past) this.take(message);
  }

  /** To the band in this browser. */
  home(why) {
    this.app.say(why);
    this.band.close();
    [this.live, this.pitch, this.notes] = [false, null, []];
    this.open();
  }

  take({ step, begun, at }) {
    this.step = step;
    // Who else plays in the jam is nobody of ours.
    const heard = begun.map((note) => ({ ...note, step, yours: note.yours && !this.live }));
    this.notes = [...this.notes, ...heard].filter((note) => note.step > step - SEEN && note.step <= step + 1);
    if (!this.live) {
      sound(this.app.voice, this.tracks, begun, soundsIn(at));
      // What it plays is heard when the band hears it: a step later than it was sent.
      for (const { pitch, yours } of begun) if (yours) this.app.voice.pluck(pitch, { seconds: 0.4, level: 0.7, bright: 0.6, in_s: soundsIn(at) });
    }
    if ((step + 1) % EVERY === 0) this.play();
  }

  /** The next sign, drawn by lot from what it believes. */
  play() {
    const done = this.network.forward([oneHot(this.sign, TUNE.signs)], this.state);
    this.sign = this.chance.choose(softmax(done.ys[0], TEMPERATURE));
    this.state = done.state;
    if (this.sign === TUNE.hold) return;
    this.release();
    this.pitch = pitchOf(this.sign);
    if (this.pitch === null) return;
    if (this.live) {
      this.band.down(this.pitch);
      this.notes.push({ track: 0, pitch: this.pitch, step: this.step + 1, level: 0.7, yours: true });
    } else this.band.send("down", { pitch: this.pitch });
  }

  release() {
    if (this.pitch === null) return;
    if (this.live) this.band.up(this.pitch);
    else this.band.send("up", { pitch: this.pitch });
    this.pitch = null;
  }

  close() {
    this.release();
    this.band.close();
  }
}

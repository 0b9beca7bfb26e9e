// The stage's sound in this browser, for machines without a sound card. A moment late: it travels over the network.

import { chip } from "../lib/dom.js";
import { t } from "../lib/language.js";

export class Sound {
  constructor(app) {
    this.app = app;
    this.on = false;
  }

  addButton(tools) {
    // Browsers give the audio thread only to pages from this machine or over https.
    if (!window.isSecureContext || !window.AudioWorkletNode || !this.app.rate) return;
    const turn = async () => {
      try {
        await (this.on ? this.stop() : this.start());
      } catch (error) {
        this.app.note(t("note.sound", { reason: error.message }));
      }
      button.setAttribute("aria-pressed", String(this.on));
    };
    const button = chip(t("sound"), t("sound.why"), turn, "sound");
    button.setAttribute("aria-pressed", String(this.on));
    tools.append(button);
  }

  async start() {
    this.context = new AudioContext({ sampleRate: this.app.rate, latencyHint: "interactive" });
    await this.context.audioWorklet.addModule(new URL("sound-worklet.js", import.meta.url));
    this.node = new AudioWorkletNode(this.context, "stage-sound", { outputChannelCount: [2] });
    this.node.port.onmessage = ({ data }) => (this.report = data);
    this.node.connect(this.context.destination);
    await this.context.resume();
    this.on = true;
    this.app.send({ sound: true });
  }

  async stop() {
    this.on = false;
    this.app.send({ sound: false });
    await this.context.close();
  }

  take(samples) {
    if (this.on) this.node.port.postMessage(samples);
  }
}

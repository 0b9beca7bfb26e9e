// The stage's sound in this browser, for machines without a sound card. A moment late: it travels over the network.

import { chip } from "../lib/dom.js";

export class Sound {
  constructor(app) {
    this.app = app;
    this.on = false;
  }

  addButton(tools) {
    // Browsers give the audio thread only to pages from this machine or over https.
    if (!window.isSecureContext || !window.AudioWorkletNode || !this.app.rate) return;
    const why = "Hear the stage in this browser, for a machine without a sound card; a moment later than it is played.";
    const turn = async () => {
      try {
        await (this.on ? this.stop() : this.start());
      } catch (error) {
        this.app.note(`The browser gives no sound to this page (${error.message}).`);
      }
      button.setAttribute("aria-pressed", String(this.on));
    };
    const button = chip("sound here", why, turn, "sound");
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

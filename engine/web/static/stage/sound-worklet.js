// Plays 16-bit stereo pieces as they come, with enough held back that the network's unevenness is not heard.

const HOLD_S = 0.08;
const MOST_S = 0.4;

class StageSound extends AudioWorkletProcessor {
  constructor() {
    super();
    this.size = Math.ceil(sampleRate * 2);
    this.ring = new Float32Array(2 * this.size);
    this.write = 0;
    this.read = 0;
    this.playing = false;
    this.gaps = 0;
    this.loudest = 0;
    this.blocks = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(samples) {
    for (let i = 0; i < samples.length; i += 2) {
      const at = 2 * (this.write++ % this.size);
      this.ring[at] = samples[i] / 32767;
      this.ring[at + 1] = samples[i + 1] / 32767;
    }
    // Fallen behind: jump to where the delay is what it should be.
    if (this.write - this.read > MOST_S * sampleRate) this.read = this.write - Math.round(HOLD_S * sampleRate);
  }

  process(_, [[left, right]]) {
    const ready = this.write - this.read;
    if (!this.playing && ready >= HOLD_S * sampleRate) this.playing = true;
    if (this.playing && ready < left.length) {
      this.playing = false;
      this.gaps++;
    }
    if (this.playing) {
      for (let i = 0; i < left.length; i++) {
        const at = 2 * (this.read++ % this.size);
        left[i] = this.ring[at];
        right[i] = this.ring[at + 1];
        this.loudest = Math.max(this.loudest, Math.abs(left[i]));
      }
    }
    if (this.blocks++ % 128 === 127) {
      this.port.postMessage({ gaps: this.gaps, loudest: this.loudest, held: ready });
      this.loudest = 0;
    }
    return true;
  }
}

registerProcessor("stage-sound", StageSound);

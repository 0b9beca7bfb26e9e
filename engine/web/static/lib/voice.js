// Sound in the page from plain oscillators: no audio worklet, which browsers give only to some addresses. Silent until `wake`,
// which has to be called while a click or a key is being handled.

/** Hz of a MIDI pitch. */
export const hz = (pitch) => 440 * 2 ** ((pitch - 69) / 12);

const CLICKLESS_S = 0.012; // every level takes this long, so that none clicks
const VOICES = 24; // at a time; what is beyond is not played

export class Voice {
  /** `make` makes the audio context. */
  constructor(make = () => new (globalThis.AudioContext ?? globalThis.webkitAudioContext)({ latencyHint: "interactive" })) {
    this.make = make;
    this.context = null;
    this.playing = 0;
    this.muted = false;
  }

  /** Whether the browser still keeps it silent, until somebody touches the page. */
  get asleep() {
    return this.context === null || this.context.state !== "running";
  }

  /** Whether anything can be heard. */
  get awake() {
    return !this.asleep && !this.muted;
  }

  /** Begin to sound; false where this browser has no sound. */
  wake() {
    try {
      if (!this.context) {
        this.context = this.make();
        this.out = this.context.createGain();
        this.out.gain.value = 0.5;
        const limiter = this.context.createDynamicsCompressor();
        this.out.connect(limiter);
        limiter.connect(this.context.destination);
      }
      if (this.context.state !== "running") this.context.resume?.()?.catch?.(() => {});
      return true;
    } catch {
      return false;
    }
  }

  mute(on) {
    this.muted = on;
    if (this.context) this.out.gain.setTargetAtTime(on ? 0 : 0.5, this.context.currentTime, CLICKLESS_S);
  }

  /** A struck note. `bright` 0..1: from a plain tone to a rich one. `in_s`: so long from now. */
  pluck(pitch, { seconds = 0.4, level = 0.6, bright = 0.3, in_s = 0 } = {}) {
    if (!this.awake || this.playing >= VOICES) return;
    const begin = this.context.currentTime + in_s;
    const gain = this.context.createGain();
    gain.gain.setValueAtTime(0, begin);
    gain.gain.linearRampToValueAtTime(level * 0.5, begin + CLICKLESS_S);
    gain.gain.exponentialRampToValueAtTime(1e-4, begin + CLICKLESS_S + seconds);
    gain.connect(this.out);
    const parts = [
      ["sine", 1, 1 - 0.6 * bright],
      ["sawtooth", 1, 0.35 * bright],
      ["sine", 2, 0.25 * bright],
    ];
    for (const [type, times, share] of parts) this.part(type, hz(pitch) * times, share, gain, begin, seconds);
    this.playing++;
    setTimeout(() => this.playing--, 1000 * (in_s + seconds));
  }

  part(type, frequency, share, gain, begin, seconds) {
    if (share <= 0.01) return;
    const [oscillator, own] = [this.context.createOscillator(), this.context.createGain()];
    oscillator.type = type;
    oscillator.frequency.value = frequency;
    own.gain.value = share;
    oscillator.connect(own);
    own.connect(gain);
    oscillator.start(begin);
    oscillator.stop(begin + seconds + 0.1);
  }

  /** A tick, as a neuron that fires. */
  tick(level = 0.3, pitch = 96, in_s = 0) {
    this.pluck(pitch, { seconds: 0.05, level, bright: 0.6, in_s });
  }

  /** A drum: 0 low, 1 middle, 2 high. */
  drum(kind, level = 0.7, in_s = 0) {
    this.pluck([36, 55, 91][kind], { seconds: [0.25, 0.12, 0.05][kind], level, bright: [0, 0.7, 1][kind], in_s });
  }

  /** A tone that goes on: set its pitch, level and brightness; `stop` ends it. Null where nothing sounds. */
  drone(pitch, level = 0) {
    if (!this.awake) return null;
    const { context } = this;
    const gain = context.createGain();
    gain.gain.value = 0;
    gain.connect(this.out);
    const tones = ["sine", "sawtooth"].map((type) => {
      const [oscillator, own] = [context.createOscillator(), context.createGain()];
      oscillator.type = type;
      oscillator.frequency.value = hz(pitch);
      own.gain.value = type === "sine" ? 1 : 0.1;
      oscillator.connect(own);
      own.connect(gain);
      oscillator.start();
      return { oscillator, own };
    });
    const glide = (parameter, value, s = 0.03) => parameter.setTargetAtTime(value, context.currentTime, s);
    const drone = {
      level: (value) => glide(gain.gain, 0.3 * value),
      pitch: (value) => tones.forEach(({ oscillator }) => glide(oscillator.frequency, hz(value))),
      bright: (value) => glide(tones[1].own.gain, 0.3 * value),
      stop: () => {
        glide(gain.gain, 0);
        tones.forEach(({ oscillator }) => oscillator.stop(context.currentTime + 0.2));
      },
    };
    drone.level(level);
    return drone;
  }
}

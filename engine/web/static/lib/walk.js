// The walk through the stage page: its cards, where each points, and where it stands while it does.

import { sounded } from "./notes.js";

// One card: where to look (view), what to put a frame around (`ring`: all that the selector finds), which signal of the
// neurons must be shown for that, a title, a text. Texts ask what the network is like.
export function cards(net) {
  const layers = net.stack.length;
  const sees = layers > 0;
  const then = net.recorded ? "as it was recorded" : "this very moment";
  const out = [
    {
      view: "network",
      ring: "",
      title: "A network at play",
      text: `What you see is a computer program making music, ${then}. It is a network of small calculators, called neurons. Nothing here is staged: every dot is a number it ${net.recorded ? "worked out then" : "has just worked out"}.`,
    },
    net.planes
      ? {
          view: "network",
          ring: ".choices",
          title: "It believes, then it chooses",
          text: "For every note of the keyboard the network works out how likely it should sound now: the lighter the grey, the likelier. Then it draws lots. A red dot is a note it chose, and that is what you hear.",
        }
      : {
          view: "network",
          ring: ".belief",
          title: "It believes, then it chooses",
          text: "Each column is one note of one instrument. The taller the bar, the likelier the network finds this note right now. Then it draws lots: the blocks below are what it chose, and that is what you hear.",
        },
    {
      view: "network",
      ring: net.planes ? ".notes-row" : ".heard-row",
      title: "All it knows of the world",
      text: "The network has no ears. At every step it is told which notes sounded a moment ago, its own and yours, and nothing else. Yours are amber.",
    },
  ];
  if (sees) {
    const main = net.stack.at(-1).main.signal;
    out.push({
      view: "network",
      ring: `.bed[data-signal="${main}"][data-layer="${net.planes ? net.stack[0].index : net.stack.at(-1).index}"]`,
      signal: main,
      title: "A neuron is one number",
      text: `Each neuron adds up what reaches it, some of it counted for, some against, and answers with one number. Blue: no. Orange: yes. Black: nothing to say. ${net.planes ? "Rows are notes: look how it stirs near the notes being played." : "A column is one neuron; its band sinks as time passes, newest on top."}`,
    });
  }
  if (layers > 1) {
    out.push({
      view: "network",
      ring: ".net .row.layer",
      title: "Layers build on layers",
      text: net.planes
        ? "The first layers follow each note through time. The last ones go up the keyboard and decide note by note, so that a chord becomes one thought."
        : `Notes enter at the bottom. Each of the ${layers} layers works on what the one below it says, and the topmost has the last word before the choice.`,
    });
  }
  if (net.signals.includes("c")) {
    out.push({
      view: "network",
      ring: '.bed[data-signal="c"]',
      signal: "c",
      title: "It remembers",
      text: "Each neuron also keeps a memory: these. At every step it decides how much to keep, how much to let in and how much to say. Slow stripes are memories that last for bars.",
    });
  }
  if (sees) {
    out.push({
      view: "neuron",
      ring: ".neuron-side",
      title: "One neuron for itself",
      text: "Whoever touches a dot of the network sees that neuron alone, like this one. Where in the bar does it say yes? Which notes does it go with? Nobody taught it that: it found a use for itself while learning from songs.",
    });
    out.push({
      view: "moments",
      ring: ".matrix-box",
      title: "Has it been here before?",
      text: "Every moment set against every other: bright where the network was in nearly the same state. Stripes beside the diagonal are music that comes back. Touch one to see both moments.",
    });
  }
  out.push({
    view: "roll",
    ring: ".roll",
    title: "What nearly happened",
    text: `Here run the notes. Bright ones sounded. The faint ghosts were likely, but the lots fell otherwise: the music it might have played.${net.recorded ? "" : " Let it look ahead, and right of now is what it might play next."}`,
  });
  if (!net.recorded) {
    out.push({
      view: "network",
      ring: "#dock .piano",
      title: "Now you",
      text: "Play along: on the keys below, on the letters of your computer, or on a MIDI keyboard. Your notes turn amber, and the network hears you in the very step you play.",
      last: true, // only for who may play
    });
  }
  return out;
}

// Which card is open: from the first to the last, and then none.
export class Steps {
  constructor(cards) {
    this.cards = cards;
    this.at = -1;
  }

  get card() {
    return this.cards[this.at] ?? null;
  }

  get first() {
    return this.at <= 0;
  }

  get last() {
    return this.at === this.cards.length - 1;
  }

  // Open card number `at`; beyond the last there is none, before the first nothing happens.
  go(at) {
    if (at < 0) return this.card;
    this.at = at < this.cards.length ? at : -1;
    return this.card;
  }

  next() {
    return this.go(this.at + 1);
  }

  back() {
    return this.go(this.at - 1);
  }

  // The next, and after the last the first: without a visitor.
  round() {
    return this.go((this.at + 1) % this.cards.length);
  }
}

// The smallest box around boxes {left, top, right, bottom}, less what lies outside `limit`; null for none.
export function around(boxes, limit) {
  const seen = boxes
    .map((b) => ({
      left: Math.max(b.left, limit.left),
      top: Math.max(b.top, limit.top),
      right: Math.min(b.right, limit.right),
      bottom: Math.min(b.bottom, limit.bottom),
    }))
    .filter((b) => b.right > b.left && b.bottom > b.top);
  if (!seen.length) return null;
  return {
    left: Math.min(...seen.map((b) => b.left)),
    top: Math.min(...seen.map((b) => b.top)),
    right: Math.max(...seen.map((b) => b.right)),
    bottom: Math.max(...seen.map((b) => b.bottom)),
  };
}

// Where a card of a size stands on a screen so that it does not hide a box: below, above, left or right of it; else where it
// hides least, at the bottom or the top.
export function beside(box, { width, height }, screen) {
  const middle = (screen.width - width) / 2;
  const bottom = screen.height - height - 24;
  if (!box) return { left: middle, top: Math.max(bottom, 8) };
  const left = Math.min(Math.max((box.left + box.right - width) / 2, 12), Math.max(screen.width - width - 12, 0));
  if (box.bottom + height + 32 < screen.height) return { left, top: box.bottom + 20 };
  if (box.top - height - 28 > 0) return { left, top: box.top - height - 20 };
  const top = Math.min(Math.max(box.top + 40, 8), Math.max(bottom, 8));
  if (box.left - width - 32 > 0) return { left: box.left - width - 24, top };
  if (box.right + width + 32 < screen.width) return { left: box.right + 24, top };
  return { left, top: box.top > screen.height - box.bottom ? 8 : Math.max(bottom, 8) };
}

// A chart on the page: which of its bars stand there, and which of them is played.

// The bars that are shown, at most `room` of them, as lines of a sheet that are turned like pages: {bar, words, here} each.
// `beat` counts from bar 1, `length` is that of a bar, both in quarters.
export function shownBars(bars, beat, length, room) {
  if (!bars.length || !(room > 0)) return [];
  const passed = Math.floor((beat ?? 0) / length);
  const here = ((passed % bars.length) + bars.length) % bars.length;
  const first = bars.length <= room ? 0 : Math.floor(here / room) * room;
  return bars.slice(first, first + room).map((words, at) => ({ bar: first + at + 1, words, here: beat !== null && first + at === here }));
}

// How many bars of this width have room: a multiple of four where there is any choice.
export function roomFor(width, each) {
  const most = Math.max(Math.floor(width / each), 1);
  return most >= 4 ? most - (most % 4) : most;
}

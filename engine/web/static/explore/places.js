// The order of the pages, the paths through them, and what counts as done on each.

import { create as key } from "./pages/key.js";
import { create as neuron } from "./pages/neuron.js";
import { create as clash } from "./pages/clash.js";
import { create as layers } from "./pages/layers.js";
import { create as memory } from "./pages/memory.js";
import { create as beats } from "./pages/beats.js";
import { create as accent } from "./pages/accent.js";
import { create as music } from "./pages/music.js";
import { create as inside } from "./pages/inside.js";
import { create as train } from "./pages/train.js";
import { create as phone } from "./pages/phone.js";

export const PATHS = ["2", "10", "30"]; // minutes

export const PLACES = [
  { id: "key", number: "0", paths: ["2", "10", "30"], done: "played", create: key },
  { id: "neuron", number: "1", paths: ["2", "10", "30"], done: "sorted", create: neuron },
  { id: "clash", number: "1b", paths: ["30"], done: "lessons", create: clash },
  { id: "layers", number: "2", paths: ["10", "30"], done: "solved", create: layers },
  { id: "memory", number: "3a", paths: ["30"], done: "unrolled", create: memory },
  { id: "beats", number: "3b", paths: ["30"], done: "four", create: beats },
  { id: "accent", number: "3c", paths: ["10", "30"], done: "held", create: accent },
  { id: "music", number: "4", paths: ["10", "30"], done: "drawn", create: music },
  { id: "inside", number: "5", paths: ["2", "10", "30"], done: "found", create: inside },
  { id: "train", number: "6", paths: ["10", "30"], done: "known", create: train },
  { id: "phone", number: "7", paths: ["2", "10", "30"], done: "seen", create: phone },
];

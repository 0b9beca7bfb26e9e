// Algoritmo in Processing: six layers of 150 units as pixels; each timestep is one column, drawn from left to right.
//
// Needs the library oscP5 (Sketch > Import Library > Manage Libraries > oscP5).
// oscP5 takes datagrams of up to 1536 bytes: leave osc.targets' chunk at 256.
// For something to look at: algoritmo replay examples/session --loop

import oscP5.*;

final int PORT = 9000;
final int LAYERS = 6;
final int UNITS = 150;
final int STEPS = 300;

OscP5 osc;
PImage picture;
volatile int step = 0;
volatile float entropy = 0;
volatile float confidence = 0;

void settings() {
  size(900, 940);
  noSmooth();
}

void setup() {
  picture = createImage(STEPS, LAYERS * UNITS, RGB);
  osc = new OscP5(this, PORT);
}

// Called by oscP5's own thread, for each message of a datagram.
void oscEvent(OscMessage message) {
  String address = message.addrPattern();
  if (address.equals("/algoritmo/frame")) {
    step = message.get(0).intValue();
  } else if (address.equals("/algoritmo/out/entropy")) {
    entropy = message.get(0).floatValue();
  } else if (address.equals("/algoritmo/out/confidence")) {
    confidence = message.get(0).floatValue();
  } else if (address.startsWith("/algoritmo/act/") && address.endsWith("/h/000")) {
    drawLayer(int(address.split("/")[3]), message);
  }
}

void drawLayer(int layer, OscMessage message) {
  if (layer >= LAYERS) {
    return;
  }
  int x = ((step % STEPS) + STEPS) % STEPS;
  int units = min(UNITS, message.arguments().length);
  for (int unit = 0; unit < units; unit++) {
    picture.pixels[(layer * UNITS + unit) * STEPS + x] = shade(message.get(unit).floatValue());
  }
}

// -1 is blue, 0 black, 1 orange: told apart by the colour-blind too.
int shade(float value) {
  int strength = int(255 * min(abs(value), 1));
  int half = strength * 6 / 10;
  return value < 0 ? color(0, half, strength) : color(strength, half, 0);
}

void draw() {
  background(0);
  picture.updatePixels();
  image(picture, 0, 0, width, LAYERS * UNITS);
  stroke(255);
  int x = ((step + 1) % STEPS) * width / STEPS;
  line(x, 0, x, LAYERS * UNITS);
  fill(255);
  for (int layer = 0; layer < LAYERS; layer++) {
    text("layer " + layer, 8, layer * UNITS + 16);
  }
  text("step " + step + "   undecided " + nf(entropy, 1, 2) + "   sure " + nf(confidence, 1, 2), 8, height - 14);
}

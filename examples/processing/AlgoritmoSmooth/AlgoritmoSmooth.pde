// Algoritmo in Processing, sixty times a second: a bar is a turn; each voice is a light that goes round, as far out as its pitch
// is high, as large as it is loud.
//
// Needs the library oscP5 (Sketch > Import Library > Manage Libraries > oscP5).
// For something to look at: algoritmo replay examples/session --loop --config examples/smooth.toml

import oscP5.*;

final int PORT = 9010;
final String ROOT = "/algoritmo/smooth/";
final String[] VOICES = {"track/drums", "track/bass", "track/chords", "track/pad", "track/lead", "player"};
final int[][] COLOURS = {
  {230, 159, 0}, {86, 180, 233}, {0, 158, 115}, {204, 121, 167}, {240, 228, 66}, {255, 245, 220}
};

OscP5 osc;
// Written by oscP5's own thread, read while drawing: single numbers, of which the newest counts.
final float[] loud = new float[VOICES.length];
final float[] struck = new float[VOICES.length];
final float[] pitch = new float[VOICES.length];
volatile float bar = 0;
volatile float pulse = 0;

void settings() {
  size(900, 900);
}

void setup() {
  frameRate(60);
  background(7, 9, 13);
  osc = new OscP5(this, PORT);
}

void oscEvent(OscMessage message) {
  String address = message.addrPattern();
  if (address.equals("/algoritmo/smooth/bar/phase")) {
    bar = message.get(0).floatValue();
  } else if (address.equals("/algoritmo/smooth/beat/pulse")) {
    pulse = message.get(0).floatValue();
  } else {
    for (int voice = 0; voice < VOICES.length; voice++) {
      if (address.equals(ROOT + VOICES[voice] + "/envelope")) {
        loud[voice] = message.get(0).floatValue();
      } else if (address.equals(ROOT + VOICES[voice] + "/onset")) {
        struck[voice] = message.get(0).floatValue();
      } else if (address.equals(ROOT + VOICES[voice] + "/pitch")) {
        pitch[voice] = message.get(0).floatValue();
      }
    }
  }
}

void draw() {
  blendMode(BLEND);
  noStroke();
  fill(7, 9, 13, 30); // what was fades
  rect(0, 0, width, height);
  blendMode(ADD);
  translate(width / 2, height / 2);
  float reach = 0.46 * min(width, height);
  noFill();
  stroke(120, 190, 220, 60 * pulse);
  strokeWeight(2);
  circle(0, 0, 2 * reach * (1.05 - 0.6 * pulse));
  noStroke();
  float turn = TWO_PI * (bar - 0.25);
  for (int voice = 0; voice < VOICES.length; voice++) {
    int[] colour = COLOURS[voice];
    float away = reach * lerp(0.2, 0.95, pitch[voice]);
    float size = 4 + 0.06 * reach * (loud[voice] + struck[voice]);
    fill(colour[0], colour[1], colour[2], 190 * loud[voice]);
    circle(away * cos(turn), away * sin(turn), size);
    fill(colour[0], colour[1], colour[2], 30 * loud[voice]);
    circle(away * cos(turn), away * sin(turn), 4 * size);
  }
}

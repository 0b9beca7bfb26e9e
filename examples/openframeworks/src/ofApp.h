#pragma once

#include "ofMain.h"
#include "ofxOsc.h"

const int PORT = 9000;
const int LAYERS = 6;
const int UNITS = 150;
const int STEPS = 300;

// Algoritmo in openFrameworks: six layers of 150 units as pixels; each timestep is one column, drawn from left to right.
// For something to look at: algoritmo replay examples/session --loop
class ofApp : public ofBaseApp {
public:
	void setup() override;
	void update() override;
	void draw() override;

private:
	void take(const ofxOscMessage & message);
	void drawLayer(int layer, const ofxOscMessage & message);

	ofxOscReceiver receiver; // takes datagrams of any size
	ofPixels pixels;
	ofTexture texture;
	int step = 0;
	float entropy = 0;
	float confidence = 0;
};

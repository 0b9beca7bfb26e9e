#pragma once

#include "ofMain.h"
#include "ofxOsc.h"

#include <array>
#include <string>

const int PORT = 9010;
const int LAYERS = 6;
const int UNITS = 150;
const int COLUMNS = 450; // one for each picture: 7.5 seconds
const int VOICES = 6;

// Algoritmo in openFrameworks, sixty times a second: six layers of 150 units as pixels that flow; before them six voices as lights
// that go round once a bar, as far out as their pitch is high, as large as they are loud.
// For something to look at: algoritmo replay examples/session --loop --config examples/smooth.toml
class ofApp : public ofBaseApp {
public:
	void setup() override;
	void update() override;
	void draw() override;

private:
	struct Voice {
		std::string name;
		ofColor colour;
		float loud = 0;
		float struck = 0;
		float pitch = 0.5f;
	};

	void take(const ofxOscMessage & message);
	void takeVoice(const std::string & address, float value);
	void drawVoices();

	ofxOscReceiver receiver; // takes datagrams of any size
	ofPixels pixels;
	ofTexture texture;
	std::array<std::array<float, UNITS>, LAYERS> layers {};
	std::array<Voice, VOICES> voices;
	int column = 0;
	float bar = 0;
	float pulse = 0;
	float energy = 0;
};

#include "ofApp.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace {

// -1 is blue, 0 black, 1 orange: told apart by the colour-blind too.
ofColor shade(float value) {
	const int strength = static_cast<int>(255 * std::min(std::abs(value), 1.0f));
	const int half = strength * 6 / 10;
	return value < 0 ? ofColor(0, half, strength) : ofColor(strength, half, 0);
}

} // namespace

void ofApp::setup() {
	receiver.setup(PORT);
	pixels.allocate(STEPS, LAYERS * UNITS, OF_PIXELS_RGB);
	pixels.setColor(ofColor(0));
	texture.allocate(pixels);
	texture.setTextureMinMagFilter(GL_NEAREST, GL_NEAREST);
}

void ofApp::update() {
	while (receiver.hasWaitingMessages()) {
		ofxOscMessage message;
		receiver.getNextMessage(message);
		take(message);
	}
	texture.loadData(pixels);
}

void ofApp::take(const ofxOscMessage & message) {
	const std::string address = message.getAddress();
	if (address == "/algoritmo/frame") {
		step = message.getArgAsInt(0);
	} else if (address == "/algoritmo/out/entropy") {
		entropy = message.getArgAsFloat(0);
	} else if (address == "/algoritmo/out/confidence") {
		confidence = message.getArgAsFloat(0);
	} else {
		// /algoritmo/act/0/h/000: after the root come the layer, the signal and the chunk of 256 floats.
		const auto parts = ofSplitString(address, "/", true);
		if (parts.size() == 5 && parts[1] == "act" && parts[3] == "h" && parts[4] == "000") {
			drawLayer(ofToInt(parts[2]), message);
		}
	}
}

void ofApp::drawLayer(int layer, const ofxOscMessage & message) {
	if (layer >= LAYERS) {
		return;
	}
	const int x = ((step % STEPS) + STEPS) % STEPS;
	const int units = std::min<int>(UNITS, message.getNumArgs());
	for (int unit = 0; unit < units; unit++) {
		pixels.setColor(x, layer * UNITS + unit, shade(message.getArgAsFloat(unit)));
	}
}

void ofApp::draw() {
	ofBackground(0);
	ofSetColor(255);
	texture.draw(0, 0, ofGetWidth(), LAYERS * UNITS);
	const float x = static_cast<float>((step + 1) % STEPS) * ofGetWidth() / STEPS;
	ofDrawLine(x, 0, x, LAYERS * UNITS);
	for (int layer = 0; layer < LAYERS; layer++) {
		ofDrawBitmapString("layer " + ofToString(layer), 8, layer * UNITS + 16);
	}
	const std::string words = "step " + ofToString(step) + "   undecided " + ofToString(entropy, 2) + "   sure " + ofToString(confidence, 2);
	ofDrawBitmapString(words, 8, ofGetHeight() - 14);
}

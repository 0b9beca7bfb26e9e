#include "ofApp.h"

#include <algorithm>
#include <cmath>

namespace {

const std::string SMOOTH = "/algoritmo/smooth/";

// -1 is blue, 0 black, 1 orange: told apart by the colour-blind too.
ofColor shade(float value) {
	const int strength = static_cast<int>(160 * std::min(std::abs(value), 1.0f));
	const int half = strength * 6 / 10;
	return value < 0 ? ofColor(0, half, strength) : ofColor(strength, half, 0);
}

} // namespace

void ofApp::setup() {
	ofSetFrameRate(60);
	receiver.setup(PORT);
	pixels.allocate(COLUMNS, LAYERS * UNITS, OF_PIXELS_RGB);
	pixels.setColor(ofColor(0));
	texture.allocate(pixels);
	texture.setTextureMinMagFilter(GL_NEAREST, GL_NEAREST);
	voices = { {
		{ "track/drums", ofColor(230, 159, 0) },
		{ "track/bass", ofColor(86, 180, 233) },
		{ "track/chords", ofColor(0, 158, 115) },
		{ "track/pad", ofColor(204, 121, 167) },
		{ "track/lead", ofColor(240, 228, 66) },
		{ "player", ofColor(255, 245, 220) },
	} };
}

void ofApp::update() {
	while (receiver.hasWaitingMessages()) {
		ofxOscMessage message;
		receiver.getNextMessage(message);
		take(message);
	}
	column = (column + 1) % COLUMNS;
	for (int layer = 0; layer < LAYERS; layer++) {
		for (int unit = 0; unit < UNITS; unit++) {
			pixels.setColor(column, layer * UNITS + unit, shade(layers[layer][unit]));
		}
	}
	texture.loadData(pixels);
}

void ofApp::take(const ofxOscMessage & message) {
	const std::string address = message.getAddress();
	if (address == "/algoritmo/smooth/bar/phase") {
		bar = message.getArgAsFloat(0);
	} else if (address == "/algoritmo/smooth/beat/pulse") {
		pulse = message.getArgAsFloat(0);
	} else if (address == "/algoritmo/smooth/energy") {
		energy = message.getArgAsFloat(0);
	} else {
		// /algoritmo/smooth/act/0/h/000: after the tier come the layer, the signal and the chunk of 256 floats.
		const auto parts = ofSplitString(address, "/", true);
		if (parts.size() == 6 && parts[2] == "act" && parts[4] == "h" && parts[5] == "000") {
			const int layer = ofToInt(parts[3]);
			const int units = std::min<int>(UNITS, message.getNumArgs());
			for (int unit = 0; layer < LAYERS && unit < units; unit++) {
				layers[layer][unit] = message.getArgAsFloat(unit);
			}
		} else if (message.getNumArgs() == 1 && message.getArgType(0) == OFXOSC_TYPE_FLOAT) {
			takeVoice(address, message.getArgAsFloat(0));
		}
	}
}

void ofApp::takeVoice(const std::string & address, float value) {
	for (Voice & voice : voices) {
		const std::string at = SMOOTH + voice.name;
		if (address == at + "/envelope") {
			voice.loud = value;
		} else if (address == at + "/onset") {
			voice.struck = value;
		} else if (address == at + "/pitch") {
			voice.pitch = value;
		}
	}
}

void ofApp::draw() {
	ofBackground(0);
	ofSetColor(255);
	// The newest column on the right.
	const float wide = static_cast<float>(ofGetWidth()) / COLUMNS;
	const float from = -(column + 1) * wide;
	texture.draw(from, 0, ofGetWidth(), ofGetHeight());
	texture.draw(from + ofGetWidth(), 0, ofGetWidth(), ofGetHeight());
	drawVoices();
}

void ofApp::drawVoices() {
	const float reach = 0.46f * std::min(ofGetWidth(), ofGetHeight());
	const float turn = TWO_PI * (bar - 0.25f);
	ofPushMatrix();
	ofTranslate(ofGetWidth() / 2, ofGetHeight() / 2);
	ofEnableBlendMode(OF_BLENDMODE_ADD);
	ofNoFill();
	ofSetColor(120, 190, 220, 90 * pulse);
	ofDrawCircle(0, 0, reach * (1.05f - 0.6f * pulse * energy));
	ofFill();
	for (const Voice & voice : voices) {
		const float away = reach * (0.2f + 0.75f * voice.pitch);
		const float size = 3 + 0.05f * reach * (voice.loud + voice.struck);
		for (const float halo : { 1.0f, 2.2f, 4.5f }) {
			ofSetColor(voice.colour, 170 * voice.loud / (halo * halo));
			ofDrawCircle(away * std::cos(turn), away * std::sin(turn), size * halo);
		}
	}
	ofDisableBlendMode();
	ofPopMatrix();
}

#include "ofApp.h"

int main() {
	ofSetupOpenGL(900, 940, OF_WINDOW);
	ofRunApp(new ofApp());
}

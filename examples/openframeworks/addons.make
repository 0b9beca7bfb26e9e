ofxOsc

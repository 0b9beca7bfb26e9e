"""The network process: the ONNX step runner, the jam modes, the beat."""

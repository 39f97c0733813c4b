"""Net -> other formats: ONNX and Caffe2. (Net -> Caffe is in formats/.)"""

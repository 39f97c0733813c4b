"""caffe.proto: Caffe's messages as protobuf classes."""

"""Files to nets and nets to files: prototxt, caffemodel, HDF5, binary NetParameter."""

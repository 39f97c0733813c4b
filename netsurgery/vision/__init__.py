"""What people do with a net: preprocessing, heatmaps, pictures of filters and activations, kernels."""

"""What people do with a net: preprocessing, heatmaps, pictures of filters and activations, features, kernels.

from netsurgery import vision

found = vision.heatmap(net, "photo.jpg", preprocessing=vision.Preprocessing(mean=[104, 117, 123]))
"""

from __future__ import annotations

from ..files.images import read_image
from ..formats.preprocessing import Preprocessing, read_mean
from . import kernels
from .classify import Prediction, classify, classify_files
from .colormap import colours
from .dream import Dream, dream
from .features import feature_files, features
from .filters import activations, filters
from .heatmap import Heatmap, Options, heatmap
from .heatmap_files import heatmaps
from .images import find_images
from .labels import read_labels
from .maximize import Maximum, maximize
from .overlay import overlay
from .patches import Patch, patches
from .picture import to_png
from .preprocess import deprocess, oversample, preprocess
from .resize import resize

__all__ = [
    "Dream",
    "Heatmap",
    "Maximum",
    "Options",
    "Patch",
    "Prediction",
    "Preprocessing",
    "activations",
    "classify",
    "classify_files",
    "colours",
    "deprocess",
    "dream",
    "feature_files",
    "features",
    "filters",
    "find_images",
    "heatmap",
    "heatmaps",
    "kernels",
    "maximize",
    "overlay",
    "oversample",
    "patches",
    "preprocess",
    "read_image",
    "read_labels",
    "read_mean",
    "resize",
    "to_png",
]

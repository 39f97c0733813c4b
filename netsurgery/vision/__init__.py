"""What people do with a net: preprocessing, heatmaps, pictures of filters and activations, features, kernels.

from netsurgery import vision

heat = vision.heatmap(net, "photo.jpg", preprocessing=vision.Preprocessing(mean=[104, 117, 123]))
"""

from __future__ import annotations

from ..files.images import read_image
from ..formats.preprocessing import Preprocessing, read_mean
from ..passes import kernels
from .classify import Prediction, classify, classify_files
from .colormap import colours
from .dream import Dream, dream
from .evidence import evidence_figure
from .features import feature_files, features
from .figures import figure_png
from .filters import Tiles, activation_tiles, activations, filter_tiles, filters
from .heatmap import heatmap
from .heatmap_files import heatmaps
from .heatmap_job import Options
from .heatmap_result import Heatmap
from .images import find_images
from .labels import read_labels
from .maximize import Maximum, maximize
from .overlay import overlay
from .patches import Patch, patches
from .picture import to_png
from .preprocess import deprocess, oversample, preprocess
from .resize import resize
from .scan import Detection, Scanning, scan
from .scan_files import scan_figure, scan_files
from .tiles_figure import patches_figure, tiles_figure
from .windows import Scored, classify_windows, read_windows

__all__ = [
    "Detection",
    "Dream",
    "Heatmap",
    "Maximum",
    "Options",
    "Patch",
    "Prediction",
    "Preprocessing",
    "Scanning",
    "Scored",
    "Tiles",
    "activation_tiles",
    "activations",
    "classify",
    "classify_files",
    "classify_windows",
    "colours",
    "deprocess",
    "dream",
    "evidence_figure",
    "feature_files",
    "features",
    "figure_png",
    "filter_tiles",
    "filters",
    "find_images",
    "heatmap",
    "heatmaps",
    "kernels",
    "maximize",
    "overlay",
    "oversample",
    "patches",
    "patches_figure",
    "preprocess",
    "read_image",
    "read_labels",
    "read_mean",
    "read_windows",
    "resize",
    "scan",
    "scan_figure",
    "scan_files",
    "tiles_figure",
    "to_png",
]

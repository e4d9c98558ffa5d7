"""One file an algorithm; each is parameters, a request, and what becomes of the result."""

from .buildindex import BuildIndex
from .captionextent import CaptionExtent
from .checkenvironment import CheckEnvironment
from .classifytiles import ClassifyTiles
from .heatmap import Heatmap
from .maketrainingset import MakeTrainingSet
from .searchbytext import SearchByText
from .segmentbytext import SegmentByText

ALGORITHMS = (
    BuildIndex, SearchByText, Heatmap, SegmentByText, ClassifyTiles, CaptionExtent, MakeTrainingSet,
    CheckEnvironment,
)

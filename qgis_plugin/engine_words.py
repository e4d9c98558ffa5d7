"""The engine's most common faults in the user's language: it speaks English, for logs and scripts.

A message that is not known here stays as the engine said it. No Qt here, so it is tested anywhere.
"""

from __future__ import annotations

import re

from .translate import mark, tr

# what the engine says, the same for people, and what to do; None keeps the engine's remedy
KNOWN: tuple[tuple[str, str, str | None], ...] = (
    (r"(.+) is not complete: .+", mark("The index {} is unfinished."), mark("Continue it with the button Index.")),
    (r"(.+) is gone or cannot be opened any more; .+", mark("The file {} is not there."),
     mark("Its places come from the index.")),
    (r"(.+) has changed since it was indexed; .+", mark("The raster {} has changed since its index was built."),
     mark("Update it with the button Index.")),
    (r"(.+) has no coordinate reference system\.", mark("{} has no coordinate system."),
     mark("Set it with a right click on the layer, Layer CRS.")),
    (r"(.+) has no georeference: it is not known where it lies\.",
     mark("{} has no georeference: it is not known where it lies."),
     mark("Place it with QGIS’s Georeferencer, or put its world file (.tfw, .jgw) beside it.")),
    (r"(.+) is placed by .+ only, not by a grid\.", mark("{} is placed by points only, not by a grid."),
     mark("Warp it first: Raster › Projections › Warp.")),
    (r"(?:There is no file (.+)|(.+): no such file)\.", mark("The file {} is not there."),
     mark("Repair the layer’s data source, or add the raster again.")),
    (r"(.+) is empty \(0 bytes\)\.", mark("{} is empty."), mark("Copy or download it again.")),
    (r"(.+) may not be read\.", mark("{} may not be read."), mark("Check its permissions.")),
    (r"(.+) is a mosaic of files that are not there: (.+)\.", mark("{} is a mosaic of files that are not there: {}."),
     mark("Put them back, or build the mosaic again.")),
    (r"(.+) holds no valid pixel: .+", mark("{} holds no valid pixel: all is nodata, masked or transparent."),
     mark("Check its nodata value, and that it was copied completely.")),
    (r"There are no valid pixels of (.+) in the extent\.", mark("There is nothing of {} in the extent but nodata."),
     mark("Choose another extent.")),
    (r"There is no valid imagery in the extent\.", mark("There is nothing in the extent but nodata."),
     mark("Choose another extent.")),
    (r"(.+) cannot be read at rows .+", mark("A part of {} cannot be read."),
     mark("The file is damaged or not reachable; copy it again.")),
    (r"(?:Nothing of the imagery could be read|None of the \d+ tiles could be read).*",
     mark("Nothing of the raster could be read."), mark("The file is damaged or not reachable; copy it again.")),
    (r"(.+) has no band (\d+)\.", mark("{} has no band {}."), mark("Choose other bands.")),
    (r"The extent .+ (?:covers no ground|lies outside|does not touch) ?.*", mark("The extent lies outside the raster."),
     mark("Zoom to the layer, or choose the whole layer.")),
    (r"The polygons of .+ leave nothing of the extent\.", mark("The polygons lie outside the extent."),
     mark("Choose other polygons, or the whole layer.")),
    (r"None of the features of .+ lies on a searched tile\.", mark("None of the examples lies on the searched raster."),
     mark("Choose examples from this raster.")),
    (r"The raster has .+ places at .+, more than fit\.", mark("The raster is too large for that pixel size."),
     mark("Choose larger pixels, or a smaller extent.")),
    (r"There is not enough memory\.", mark("There is not enough memory."),
     mark("Close other programs, or take a smaller extent.")),
    (r"(.+) is being written by .+", mark("The index {} is being written by another run."),
     mark("Wait until it is done.")),
    (r"(.+) was made with the model .+", mark("The index {} was made with another model."),
     mark("Build the index again, or choose that model in the options.")),
    (r"(.+) was made by a newer rsvlm .+", mark("The index {} was made by a newer version."),
     mark("Update the plugin, or build the index again.")),
    (r"(.+) is (?:damaged|missing or damaged).*", mark("{} is damaged."), mark("Build the index again.")),
    (r"(.+) is open in another program\.", mark("{} is open in another program."),
     mark("Remove the layer there, or choose another file name.")),
    (r"(.+?):? (?:cannot|could not) (?:be written|write in).*", mark("{} cannot be written."),
     mark("Check free space and permissions, or choose another folder in the options.")),
    (r"The model (.+) cannot write captions\.", mark("The model {} cannot describe."),
     mark("Choose the bundled model in the options.")),
    (r"The model .+ wrote nothing about this place\.", mark("The model has no words for this place."),
     mark("Try a smaller extent.")),
    (r"There is no model '(.+)'\.", mark("There is no model “{}”."), mark("Choose another model in the options.")),
    (r"The bundled model is missing from this installation\.", mark("The bundled model is missing."),
     mark("Install the plugin again.")),
    (r"The device '(.+)' cannot be used.*", mark("The device {} cannot be used."),
     mark("Choose auto or cpu in the options.")),
    (r"Refinement by sam needs the package segment-geospatial.*",
     mark("Refinement by segment-geospatial needs that package in the search engine’s Python."), None),
    (r"Refinement by sam needs a Segment Anything checkpoint\.",
     mark("Refinement by segment-geospatial needs a Segment Anything checkpoint."), None),
    (r"Nothing of it is finished\.", mark("What was finished is not there any more."), mark("Outline it again.")),
    (r"The question is empty\.", mark("The question is empty."), mark("Ask for instance: is there a harbour?")),
    (r"(?:The text is empty|There is nothing to search for)\.", mark("There is no text to look for."),
     mark("Type what you are looking for.")),
)


def spoken(message: str, remedy: str) -> tuple[str, str]:
    """A fault of the engine and what to do about it, in the user's language where that is known."""
    for pattern, words, advice in KNOWN:
        found = re.fullmatch(pattern, message.strip(), re.DOTALL)
        if found:
            named = [group for group in found.groups() if group is not None]
            return tr(words).format(*named), remedy if advice is None else tr(advice)
    return message, remedy

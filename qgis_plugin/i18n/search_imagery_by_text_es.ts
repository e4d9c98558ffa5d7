<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="es" sourcelanguage="en">
 <context>
  <name>SearchImageryByText</name>
  <message>
   <source>&lt;p&gt;&lt;b&gt;Type what you are looking for, and get the places in your images.&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Everything is computed on this computer: no account, no upload. The search engine runs in a Python of its own, which has to be set up once (a few minutes, about 2 GB).&lt;/p&gt;</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A file cannot be written.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A layer is being drawn.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A package was not found.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A place cannot be shown on this map.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>A search is under way.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Add one and choose it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Add the raster again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>All is well.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Append outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Append outlines to a layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Append to layer…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Area (m²)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Ask</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Ask about it: how many buildings are there?</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Bands for red, green, blue (empty: automatic)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Best confidence</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Best score</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Build</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Build again</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Build search index</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Building the index…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cancel</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Caption extent</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Caption or answer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Certificates</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Certificates for Set up</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check environment…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check its file.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check the network or, for a wheelhouse, that it has the packages for this Python version.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Check the network, or use a folder of wheels.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Checking the environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose Set up in the panel Search imagery by text, or name an interpreter under Settings › Options.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose a raster layer or the folder of an index.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose a smaller extent or larger pixels.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another CRS for the project.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another interpreter to start from.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another one to start from.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Choose another one.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Class</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Classes (separated by commas)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Classified tiles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Classify tiles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Clear</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Clear search history</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Close</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Compute on</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Confidence</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Confidence from</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Continue</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Copy all</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Copy coordinates</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Copy report</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Copy the outlines, or the marked ones, into another polygon layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Cuts a raster into ground-sized tiles, computes what each shows, and keeps that in an index folder. Searching an index takes milliseconds, however often.

Running it again on the same folder finishes what was left, adds a new raster, and does nothing where nothing changed. Cancel keeps the finished part.

Everything is computed on this computer; no imagery leaves it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Delete</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Describe</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Describe what lies in the extent chosen under Where</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Describes in a sentence what an extent of a raster shows. With a question, answers that instead. Extents of a few hundred metres work best.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Descriptions and answers</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Descriptions and answers appear here.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Discard</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Discard outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Draw</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Draw a rectangle on the map</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Draw a rectangle on the map to read what it shows. A few hundred metres work best.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Draw one on the map with the button.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Drawing {} × {} pixels of {:g} m: about {} requests.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Drawing “{}”…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Drawn rectangle</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Enter them under Settings › Options › Network.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Examples: {} like, {} not like</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Extent</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Failed tiles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Fault</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Find places: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Finds the places of a raster that look like a text and returns them as ranked polygons with a score (the cosine of the model) and a confidence between 0 and 1 that can be compared between texts.

Several texts are separated by semicolons. With a raster, the index is built on the first search and kept; with an index folder the search takes milliseconds.

Short descriptions of what is seen from above work best: “a harbour with small boats”, “solar panels on a roof”, “dense forest”. Everything is computed on this computer; no imagery leaves it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Finished parts are kept.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Finished parts are kept: run it again to continue. The log panel has its last words.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Folder for indexes</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Folder for results</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Folder of wheels</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>For a computer without network: a folder that pip download has filled</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>For networks that replace certificates: your organisation’s file</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>For the processor only (smaller; choose this without an NVIDIA card)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Forget all examples</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Give the pixel size in metres.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Gives every tile of a raster the class that fits it best, with its score. Classes are free words, separated by commas. It also serves to compare how well different wordings work.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Heatmap</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Heatmap of “{}”…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Heatmap: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index folder (….rsindex)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index: grows with the searches; build it to search the whole raster in milliseconds</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index: out of date, the raster has changed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index: unfinished, {:.1f} MB</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Index: {} tiles, {:.1f} MB</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Install the plugin again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Installing packages; this takes some minutes…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Interpreters</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Log</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Looking at the place…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Looking for the search engine</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Lowest confidence shown</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Lowest score</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make an environment for the search engine</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make room and try again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make room on the disk.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Make room, or use an existing interpreter.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Making an empty environment…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Map view</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Markdown files (*.md)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Mask raster</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Mean score</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Metres per pixel to look at, separated by commas: small objects need small ones</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Model</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Model (empty: the one in the options, else the bundled one)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>More like these examples</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>More like this</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Move it to see at once, on the map, what a threshold would outline</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Name your organisation’s certificate file in the options of this plugin.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Neither a raster nor a search index is given, or the raster cannot be opened.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Network</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No Python was found that can run the search engine.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No answer.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No place was found. Try other words, or a larger extent.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No polygon is selected.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No rectangle is drawn.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>No user name and no home folder is in it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Not like these examples</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Not like this</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Nothing was changed.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Nothing was outlined. Try a lower threshold, or other words.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Number of outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Number of places</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Number of places found</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Number of tiles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>On Debian and Ubuntu install python3-venv, or choose another interpreter.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Only in this extent</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Only inside these polygons</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outline</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outline: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlines appear here for review, surest first.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlines found</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlines what a text names and returns polygons with score, confidence and area.

Several classes are separated by semicolons; each pixel then takes the class that fits best, or none.

Threshold: auto chooses it from the scores; a number sets it. Refinement: none, edges (snaps outlines to edges in the image) or sam (segment-geospatial, when it is installed).

Everything is computed on this computer; no imagery leaves it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlines: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Outlining “{}”…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Pixel size (m)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Pixel sizes (m)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Pixel sizes to look at, in metres (empty: automatic; web layers need one)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Place {}: {}, confidence {:.0f} %, score {:.3f}, pixel size {:g} m</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Places</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Places appear here as pictures, best first.

Try: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Places found</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Places: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Please report this.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Preview: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Python interpreter with rsvlm</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Python to start from</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Python {}, lacks {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Question</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Question (empty: describe what is there)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Rank</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Raster</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Raster layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Ready. The search engine can be used.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Refinement</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Refinement of outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Removing an old environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Repair the layer’s data source, or add the raster again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Report</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Report in Markdown</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Run Check environment.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Run again</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Save</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Save it as a GeoTIFF (Export › Save As…) and search that.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Score (cosine)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Score heatmap</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Score raster</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search by text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search engine</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search imagery by text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search imagery by text (rsvlm)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search imagery by text: environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search index (instead of a raster)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search this layer by text…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Search: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Searching for “{}”…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Segment by text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Select in the layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Select some in a polygon layer.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Selected polygons</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Set it with a right click on the layer, Layer CRS.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Set up</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Set up Search imagery by text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Set up…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Show how much each place looks like the text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Smallest area</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Smallest area (m²)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Start afresh instead of continuing</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Start from</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Starting the search engine…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Starts the search engine and reports versions, devices, memory and models, and what to do about what is wrong. The report holds no user name and no home folder, so it can be pasted into an issue.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Stopped.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Stopping…</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Take the last examples back and search again</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Take the marked outlines out of the layer (Delete)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Text</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Text file</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Text files (*.txt)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The Python of the search engine does not start.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The backend is missing from the plugin’s folder.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The disk is full.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The environment could not be made.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The environment needs {:.0f} GB; {:.1f} GB are free at {}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The extent cannot be measured.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The extent cannot be placed on the layer.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The extent {} lies outside “{}”, which covers {}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The file of “{}” is gone: {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The interpreter does not start.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The layer cannot be edited.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The layer cannot be saved.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The log says why.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The network replaces certificates, and pip does not trust the new ones.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The new environment does not work: {}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The polygons cannot be written to {}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The proxy asks for a user and a password.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The result {} cannot be opened.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The search engine ended in the middle of its work ({}).</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The search engine has not been heard for a while. Wait, or Cancel.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The search engine has not been heard for {:.0f} s; Cancel ends it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The search engine reports a problem.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>The search engine runs in a Python of its own, beside QGIS. QGIS’s own Python is not touched.

Set up makes that Python in your user folder and installs free packages into it (about 2 GB with the processor version). The model itself came with the plugin. Nothing else is sent or fetched, then or later.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no connection to the package index.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>There is no raster layer to search.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>This Python cannot make environments.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>This would be {:.0f} million pixels of {:g} m; the limit is {:.0f} million.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Threshold</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Threshold (a number, or auto)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Threshold in percent</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Tiles in the index</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Tiles that could not be read</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Time</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Undo</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Update</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Use a Python that has the packages already</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Wait for it, or cancel it.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What are you looking for? Several: separated by ;</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What to look for</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What to look for (several: separated by ;)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What to outline</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What to outline (several classes: separated by ;)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>What to outline: building; road; tree</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Where</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Where to look</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Whole layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Write what was discarded into the layer</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Writes a raster of scores: how much each place looks like a text. Places without data stay empty.

Scores rank places for one text; they are not comparable between texts.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Your antivirus may block it; see the log.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Zoom to</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Zoom to the layer and choose again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>Zoom to the layer, or choose the whole layer.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>a harbour with small boats</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>a road crossing; a roundabout</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>automatic</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>bundled</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>chosen here</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>clip,text,search,imagery,aerial,satellite,ai,deep learning</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>dense forest</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>does not start</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>environment variable RSVLM_PYTHON</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>examples</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>exit status {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>found by itself</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>found on the path</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>houses</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>is Python {}; 3.10 or newer is needed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>is no Python that works</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>it crashed</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>like the examples</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>new</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>no Python that works</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>none</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>not usable</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>ok, or what is wrong</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>parts drawn</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>removed raster</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>segment-geospatial (if installed)</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>set in the options</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>snap to edges in the image</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>solar panels on a roof</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the bundled one; or a folder, or open_clip:NAME/PRETRAINED</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the checkout’s environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the plugin’s own environment</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>the user’s cache</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{:.0f} min left</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{:.0f} s left</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{:.1f} h left</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} cannot be written.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} is {}; Python 3.10 or newer is needed.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} of {} {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} outlines</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} outlines are copied; Undo in the layer takes them out again.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} parts of the layer have empty places: nothing is there, or it did not arrive.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} places found</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} places of {} tiles</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} tiles could not be read; they are listed in the log.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} tiles in {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{} · {}</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{}: {} outlines, threshold {:.0f} %</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>{}: {}.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{}” cannot be read.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{}” has no coordinate system.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{}” has to be fetched first: {} × {} pixels of {:.2f} m, about {} requests and {:.0f} MB. Mind the terms of the service.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{}” is a service without a pixel size of its own.</source>
   <translation type="unfinished" />
  </message>
  <message>
   <source>“{}” is not a file ({}).</source>
   <translation type="unfinished" />
  </message>
 </context>
</TS>

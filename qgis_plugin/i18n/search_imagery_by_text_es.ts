<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="es" sourcelanguage="en">
 <context>
  <name>SearchImageryByText</name>
  <message>
   <source>&lt;p&gt;&lt;b&gt;Type what you are looking for, and get the places in your images.&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Everything is computed on this computer: no account, no upload. The search engine runs in a Python of its own, which has to be set up once (a few minutes).&lt;/p&gt;</source>
   <translation>&lt;p&gt;&lt;b&gt;Escriba lo que busca y obtenga los lugares en sus imágenes.&lt;/b&gt;&lt;/p&gt;&lt;p&gt;Todo se calcula en este ordenador: sin cuenta, sin subir nada. El motor de búsqueda funciona en un Python propio, que hay que preparar una vez (unos minutos).&lt;/p&gt;</translation>
  </message>
  <message>
   <source>A file</source>
   <translation>Un archivo</translation>
  </message>
  <message>
   <source>A file cannot be written.</source>
   <translation>No se puede escribir un archivo.</translation>
  </message>
  <message>
   <source>A layer is being drawn.</source>
   <translation>Se está dibujando una capa.</translation>
  </message>
  <message>
   <source>A new look at the imagery takes one threshold for all classes.</source>
   <translation>Una nueva mirada a la imagen necesita un umbral para todas las clases.</translation>
  </message>
  <message>
   <source>A package was not found.</source>
   <translation>No se encontró un paquete.</translation>
  </message>
  <message>
   <source>A part of {} cannot be read.</source>
   <translation>No se puede leer una parte de {}.</translation>
  </message>
  <message>
   <source>A place cannot be shown on this map.</source>
   <translation>Un lugar no se puede mostrar en este mapa.</translation>
  </message>
  <message>
   <source>A search is under way.</source>
   <translation>Hay una búsqueda en curso.</translation>
  </message>
  <message>
   <source>Accept</source>
   <translation>Aceptar</translation>
  </message>
  <message>
   <source>Accepted ({})</source>
   <translation>Aceptados ({})</translation>
  </message>
  <message>
   <source>Add a model</source>
   <translation>Añadir un modelo</translation>
  </message>
  <message>
   <source>Add one and choose it.</source>
   <translation>Añada una y selecciónela.</translation>
  </message>
  <message>
   <source>Add the raster again.</source>
   <translation>Añada el ráster de nuevo.</translation>
  </message>
  <message>
   <source>Add…</source>
   <translation>Añadir…</translation>
  </message>
  <message>
   <source>All ({})</source>
   <translation>Todos ({})</translation>
  </message>
  <message>
   <source>All is well.</source>
   <translation>Todo está bien.</translation>
  </message>
  <message>
   <source>Answer</source>
   <translation>Respuesta</translation>
  </message>
  <message>
   <source>Append outlines</source>
   <translation>Añadir contornos</translation>
  </message>
  <message>
   <source>Append outlines to a layer</source>
   <translation>Añadir contornos a una capa</translation>
  </message>
  <message>
   <source>Append to</source>
   <translation>Añadir a</translation>
  </message>
  <message>
   <source>Append to layer…</source>
   <translation>Añadir a una capa…</translation>
  </message>
  <message>
   <source>Area (m²)</source>
   <translation>Área (m²)</translation>
  </message>
  <message>
   <source>Ask</source>
   <translation>Preguntar</translation>
  </message>
  <message>
   <source>Ask about it: how many buildings are there?</source>
   <translation>Pregunte (en inglés): how many buildings are there?</translation>
  </message>
  <message>
   <source>Ask for instance: is there a harbour?</source>
   <translation>Pregunte por ejemplo: is there a harbour?</translation>
  </message>
  <message>
   <source>Bands for red, green, blue (empty: automatic)</source>
   <translation>Bandas para rojo, verde y azul (vacío: automático)</translation>
  </message>
  <message>
   <source>Best confidence</source>
   <translation>Mejor confianza</translation>
  </message>
  <message>
   <source>Best score</source>
   <translation>Mejor puntuación</translation>
  </message>
  <message>
   <source>Build</source>
   <translation>Crear</translation>
  </message>
  <message>
   <source>Build again</source>
   <translation>Crear de nuevo</translation>
  </message>
  <message>
   <source>Build search index</source>
   <translation>Crear índice de búsqueda</translation>
  </message>
  <message>
   <source>Build the index again, or choose that model in the options.</source>
   <translation>Construya el índice de nuevo o elija ese modelo en las opciones.</translation>
  </message>
  <message>
   <source>Build the index again.</source>
   <translation>Construya el índice de nuevo.</translation>
  </message>
  <message>
   <source>Building the index…</source>
   <translation>Creando el índice…</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Cancelar</translation>
  </message>
  <message>
   <source>Caption extent</source>
   <translation>Describir extensión</translation>
  </message>
  <message>
   <source>Caption or answer</source>
   <translation>Descripción o respuesta</translation>
  </message>
  <message>
   <source>Captions in the set</source>
   <translation>Descripciones en el conjunto</translation>
  </message>
  <message>
   <source>Captions of a tile</source>
   <translation>Descripciones por tesela</translation>
  </message>
  <message>
   <source>Certificates</source>
   <translation>Certificados</translation>
  </message>
  <message>
   <source>Certificates for Set up</source>
   <translation>Certificados para la preparación</translation>
  </message>
  <message>
   <source>Check environment</source>
   <translation>Comprobar el entorno</translation>
  </message>
  <message>
   <source>Check environment…</source>
   <translation>Comprobar el entorno…</translation>
  </message>
  <message>
   <source>Check free space and permissions, or choose another folder in the options.</source>
   <translation>Compruebe el espacio libre y los permisos, o elija otra carpeta en las opciones.</translation>
  </message>
  <message>
   <source>Check its file.</source>
   <translation>Compruebe su archivo.</translation>
  </message>
  <message>
   <source>Check its nodata value, and that it was copied completely.</source>
   <translation>Compruebe su valor nodata y que se haya copiado por completo.</translation>
  </message>
  <message>
   <source>Check its permissions.</source>
   <translation>Compruebe sus permisos.</translation>
  </message>
  <message>
   <source>Check the network or, for a wheelhouse, that it has the packages for this Python version.</source>
   <translation>Compruebe la red o, si usa una carpeta de wheels, que tenga los paquetes para esta versión de Python.</translation>
  </message>
  <message>
   <source>Check the network, or use a folder of wheels.</source>
   <translation>Compruebe la red o use una carpeta de wheels.</translation>
  </message>
  <message>
   <source>Choose Set up again.</source>
   <translation>Elija de nuevo «Preparar».</translation>
  </message>
  <message>
   <source>Choose Set up in the panel Search imagery by text, or name an interpreter under Settings › Options.</source>
   <translation>Elija Preparar en el panel «Buscar en imágenes con texto» o indique un intérprete en Configuración › Opciones.</translation>
  </message>
  <message>
   <source>Choose a raster layer or the folder of an index.</source>
   <translation>Elija una capa ráster o la carpeta de un índice.</translation>
  </message>
  <message>
   <source>Choose a smaller extent or larger pixels.</source>
   <translation>Elija una extensión menor o píxeles más grandes.</translation>
  </message>
  <message>
   <source>Choose another CRS for the project.</source>
   <translation>Elija otro SRC para el proyecto.</translation>
  </message>
  <message>
   <source>Choose another extent.</source>
   <translation>Elija otra extensión.</translation>
  </message>
  <message>
   <source>Choose another interpreter to start from.</source>
   <translation>Elija otro intérprete de partida.</translation>
  </message>
  <message>
   <source>Choose another model in the options.</source>
   <translation>Elija otro modelo en las opciones.</translation>
  </message>
  <message>
   <source>Choose another one to start from.</source>
   <translation>Elija otro como punto de partida.</translation>
  </message>
  <message>
   <source>Choose another one.</source>
   <translation>Elija otro.</translation>
  </message>
  <message>
   <source>Choose auto or cpu in the options.</source>
   <translation>Elija auto o cpu en las opciones.</translation>
  </message>
  <message>
   <source>Choose examples from this raster.</source>
   <translation>Elija ejemplos de este ráster.</translation>
  </message>
  <message>
   <source>Choose larger pixels, or a smaller extent.</source>
   <translation>Elija píxeles mayores o una extensión menor.</translation>
  </message>
  <message>
   <source>Choose other bands.</source>
   <translation>Elija otras bandas.</translation>
  </message>
  <message>
   <source>Choose other polygons, or the whole layer.</source>
   <translation>Elija otros polígonos o la capa entera.</translation>
  </message>
  <message>
   <source>Choose the bundled model in the options.</source>
   <translation>Elija en las opciones el modelo incluido.</translation>
  </message>
  <message>
   <source>Choose the one that it was made in.</source>
   <translation>Elija aquel en que se hizo.</translation>
  </message>
  <message>
   <source>Choose “all”, or automatic, beside the slider.</source>
   <translation>Elija «todas» o automático junto al deslizador.</translation>
  </message>
  <message>
   <source>Choose…</source>
   <translation>Elegir…</translation>
  </message>
  <message>
   <source>Class</source>
   <translation>Clase</translation>
  </message>
  <message>
   <source>Classes (separated by commas)</source>
   <translation>Clases (separadas por comas)</translation>
  </message>
  <message>
   <source>Classified tiles</source>
   <translation>Teselas clasificadas</translation>
  </message>
  <message>
   <source>Classify tiles</source>
   <translation>Clasificar teselas</translation>
  </message>
  <message>
   <source>Clear</source>
   <translation>Vaciar</translation>
  </message>
  <message>
   <source>Clear search history</source>
   <translation>Vaciar el historial de búsqueda</translation>
  </message>
  <message>
   <source>Close</source>
   <translation>Cerrar</translation>
  </message>
  <message>
   <source>Close other programs, or take a smaller extent.</source>
   <translation>Cierre otros programas o tome una extensión menor.</translation>
  </message>
  <message>
   <source>Compute on</source>
   <translation>Calcular en</translation>
  </message>
  <message>
   <source>Confidence</source>
   <translation>Confianza</translation>
  </message>
  <message>
   <source>Confidence from</source>
   <translation>Confianza desde</translation>
  </message>
  <message>
   <source>Continue</source>
   <translation>Continuar</translation>
  </message>
  <message>
   <source>Continue it with the button Index.</source>
   <translation>Continúelo con el botón Índice.</translation>
  </message>
  <message>
   <source>Coordinate system of “{}”</source>
   <translation>Sistema de coordenadas de «{}»</translation>
  </message>
  <message>
   <source>Copy all</source>
   <translation>Copiar todo</translation>
  </message>
  <message>
   <source>Copy all outlines, those accepted, or those selected into another polygon layer</source>
   <translation>Copiar todos los contornos, los aceptados o los seleccionados a otra capa de polígonos</translation>
  </message>
  <message>
   <source>Copy coordinates</source>
   <translation>Copiar coordenadas</translation>
  </message>
  <message>
   <source>Copy or download it again.</source>
   <translation>Cópielo o descárguelo de nuevo.</translation>
  </message>
  <message>
   <source>Copy report</source>
   <translation>Copiar informe</translation>
  </message>
  <message>
   <source>Cuts a raster into ground-sized tiles, computes what each shows, and keeps that in an index folder. Searching an index takes milliseconds, however often.

Running it again on the same folder finishes what was left, adds a new raster, and does nothing where nothing changed. Cancel keeps the finished part.

Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Divide un ráster en teselas de tamaño fijo sobre el terreno, calcula qué muestra cada una y lo guarda en una carpeta de índice. Buscar en un índice tarda milisegundos, tantas veces como se quiera.

Al ejecutarlo de nuevo con la misma carpeta termina lo que faltaba, añade un ráster nuevo y no hace nada donde nada ha cambiado. Cancelar conserva la parte terminada.

Todo se calcula en este ordenador; ninguna imagen sale de él.</translation>
  </message>
  <message>
   <source>Cuts a raster into tiles and writes, for each, sentences on what a vector layer knows to lie in it: pictures with captions, in the shards that rsvlm (and OpenCLIP) train on, with a data card.

The layer may be an OpenStreetMap extract, or any layer with a field that says what a thing is. Say that it is complete only when everything of its kind is in it: then exact numbers are said. Without a field, OpenStreetMap tags and the usual names of such fields are looked for.

Run it again on the same folder to continue what was stopped. Everything is computed on this computer.</source>
   <translation>Corta un ráster en teselas y escribe para cada una frases sobre lo que una capa vectorial sabe que hay en ella: imágenes con descripciones, en los archivos con los que entrenan rsvlm (y OpenCLIP), con una ficha de datos.

La capa puede ser un extracto de OpenStreetMap o cualquier capa con un campo que diga qué es cada cosa. Diga que está completa solo si contiene todo lo de su clase: entonces se dicen números exactos. Sin campo se buscan las etiquetas de OpenStreetMap y los nombres habituales de tales campos.

Ejecútelo de nuevo con la misma carpeta para continuar lo interrumpido. Todo se calcula en este ordenador.</translation>
  </message>
  <message>
   <source>Delete</source>
   <translation>Eliminar</translation>
  </message>
  <message>
   <source>Describe</source>
   <translation>Describir</translation>
  </message>
  <message>
   <source>Describe what lies in the extent chosen under Where</source>
   <translation>Describir lo que hay en la extensión elegida en «Dónde»</translation>
  </message>
  <message>
   <source>Describes in a sentence what an extent of a raster shows. With a question, answers that instead. Extents of a few hundred metres work best.</source>
   <translation>Describe en una frase lo que muestra una extensión de un ráster. Si hay una pregunta, la responde. Funcionan mejor las extensiones de unos cientos de metros.</translation>
  </message>
  <message>
   <source>Descriptions and answers</source>
   <translation>Descripciones y respuestas</translation>
  </message>
  <message>
   <source>Descriptions and answers appear here.</source>
   <translation>Las descripciones y respuestas aparecen aquí.</translation>
  </message>
  <message>
   <source>Discard</source>
   <translation>Descartar</translation>
  </message>
  <message>
   <source>Discard outlines</source>
   <translation>Descartar contornos</translation>
  </message>
  <message>
   <source>Draw</source>
   <translation>Dibujar</translation>
  </message>
  <message>
   <source>Draw a rectangle on the map</source>
   <translation>Dibujar un rectángulo en el mapa</translation>
  </message>
  <message>
   <source>Draw a rectangle on the map to read what it shows. A few hundred metres work best.</source>
   <translation>Dibuje un rectángulo en el mapa para leer lo que muestra. Lo mejor son unos cientos de metros.</translation>
  </message>
  <message>
   <source>Draw one on the map with the button.</source>
   <translation>Dibuje uno en el mapa con el botón.</translation>
  </message>
  <message>
   <source>Drawing the layer needs {:.0f} MB of room; {:.0f} MB are free at {}.</source>
   <translation>Dibujar la capa necesita {:.0f} MB de espacio; hay {:.0f} MB libres en {}.</translation>
  </message>
  <message>
   <source>Drawing {} × {} pixels of {:g} m: about {} requests.</source>
   <translation>Dibujando {} × {} píxeles de {:g} m: unas {} peticiones.</translation>
  </message>
  <message>
   <source>Drawing “{}”: about {} requests, {:.0f} MB…</source>
   <translation>Dibujando «{}»: unas {} peticiones, {:.0f} MB…</translation>
  </message>
  <message>
   <source>Drawn rectangle</source>
   <translation>Rectángulo dibujado</translation>
  </message>
  <message>
   <source>Empty places</source>
   <translation>Lugares vacíos</translation>
  </message>
  <message>
   <source>Enter them under Settings › Options › Network.</source>
   <translation>Indíquelos en Configuración › Opciones › Red.</translation>
  </message>
  <message>
   <source>Evidence</source>
   <translation>Prueba</translation>
  </message>
  <message>
   <source>Evidence: {}</source>
   <translation>Pruebas: {}</translation>
  </message>
  <message>
   <source>Examples: {} like, {} not like</source>
   <translation>Ejemplos: {} parecidos, {} distintos</translation>
  </message>
  <message>
   <source>Extent</source>
   <translation>Extensión</translation>
  </message>
  <message>
   <source>Failed tiles</source>
   <translation>Teselas fallidas</translation>
  </message>
  <message>
   <source>Fault</source>
   <translation>Fallo</translation>
  </message>
  <message>
   <source>Fetch again</source>
   <translation>Volver a obtener</translation>
  </message>
  <message>
   <source>Field that says what a thing is</source>
   <translation>Campo que dice qué es cada cosa</translation>
  </message>
  <message>
   <source>Find places: {}</source>
   <translation>Buscar lugares: {}</translation>
  </message>
  <message>
   <source>Finds the places of a raster that look like a text and returns them as ranked polygons with a score (the cosine of the model) and a confidence between 0 and 1 that can be compared between texts.

Several texts are separated by semicolons. With a raster, the index is built on the first search and kept; with an index folder the search takes milliseconds.

Short descriptions of what is seen from above work best: “a harbour with small boats”, “solar panels on a roof”, “dense forest”. Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Encuentra los lugares de un ráster que se parecen a un texto y los devuelve como polígonos ordenados, con una puntuación (el coseno del modelo) y una confianza entre 0 y 1 que se puede comparar entre textos.

Varios textos se separan con punto y coma. Con un ráster, el índice se crea en la primera búsqueda y se conserva; con una carpeta de índice la búsqueda tarda milisegundos.

Funcionan mejor las descripciones breves, en inglés, de lo que se ve desde arriba: «a harbour with small boats», «solar panels on a roof», «dense forest». Todo se calcula en este ordenador; ninguna imagen sale de él.</translation>
  </message>
  <message>
   <source>Finished part</source>
   <translation>Parte terminada</translation>
  </message>
  <message>
   <source>Finished rasters are kept: run it again to continue.</source>
   <translation>Los rásteres terminados se conservan: ejecútelo de nuevo para continuar.</translation>
  </message>
  <message>
   <source>Folder for indexes</source>
   <translation>Carpeta de índices</translation>
  </message>
  <message>
   <source>Folder for results</source>
   <translation>Carpeta de resultados</translation>
  </message>
  <message>
   <source>Folder of the training set</source>
   <translation>Carpeta del conjunto de entrenamiento</translation>
  </message>
  <message>
   <source>Folder of wheels</source>
   <translation>Carpeta de wheels</translation>
  </message>
  <message>
   <source>Folder with a model</source>
   <translation>Carpeta con un modelo</translation>
  </message>
  <message>
   <source>For a computer without network: a folder that pip download has filled</source>
   <translation>Para un ordenador sin red: una carpeta llenada con pip download</translation>
  </message>
  <message>
   <source>For each text</source>
   <translation>Para cada texto</translation>
  </message>
  <message>
   <source>For networks that replace certificates: your organisation’s file</source>
   <translation>Para redes que sustituyen certificados: el archivo de su organización</translation>
  </message>
  <message>
   <source>Forget all examples</source>
   <translation>Olvidar todos los ejemplos</translation>
  </message>
  <message>
   <source>Full: any model, with torch for an NVIDIA card (about 6 GB)</source>
   <translation>Completo: cualquier modelo, con torch para una tarjeta NVIDIA (unos 6 GB)</translation>
  </message>
  <message>
   <source>Full: any model, with torch for the processor (about 2 GB)</source>
   <translation>Completo: cualquier modelo, con torch para el procesador (unos 2 GB)</translation>
  </message>
  <message>
   <source>Give a folder with a model of your own (config.json, model.safetensors) a name</source>
   <translation>Dar un nombre a una carpeta con un modelo propio (config.json, model.safetensors)</translation>
  </message>
  <message>
   <source>Give a number, or auto.</source>
   <translation>Indique un número o auto.</translation>
  </message>
  <message>
   <source>Give metres per pixel separated by commas, such as 0.3, 0.6.</source>
   <translation>Indique metros por píxel separados por comas, por ejemplo 0.3, 0.6.</translation>
  </message>
  <message>
   <source>Give red, green and blue as band numbers, such as 4,3,2.</source>
   <translation>Indique rojo, verde y azul como números de banda, por ejemplo 4,3,2.</translation>
  </message>
  <message>
   <source>Give the pixel size in metres.</source>
   <translation>Indique el tamaño de píxel en metros.</translation>
  </message>
  <message>
   <source>Gives every tile of a raster the class that fits it best, with its score. Classes are free words, separated by commas. It also serves to compare how well different wordings work.</source>
   <translation>Da a cada tesela de un ráster la clase que mejor le corresponde, con su puntuación. Las clases son palabras libres en inglés, separadas por comas. También sirve para comparar formulaciones.</translation>
  </message>
  <message>
   <source>Goes to {}; needs {:.0f} GB of room, {:.0f} GB are free.</source>
   <translation>Irá a {}; necesita {:.0f} GB de espacio, hay {:.0f} GB libres.</translation>
  </message>
  <message>
   <source>Heatmap</source>
   <translation>Mapa de calor</translation>
  </message>
  <message>
   <source>Heatmap of “{}”…</source>
   <translation>Mapa de calor de «{}»…</translation>
  </message>
  <message>
   <source>Heatmap: {}</source>
   <translation>Mapa de calor: {}</translation>
  </message>
  <message>
   <source>Index</source>
   <translation>Índice</translation>
  </message>
  <message>
   <source>Index folder (name.rsindex)</source>
   <translation>Carpeta de índice (nombre.rsindex)</translation>
  </message>
  <message>
   <source>Index: none. Build it once, and every search is immediate</source>
   <translation>Índice: ninguno. Créelo una vez y cada búsqueda será inmediata</translation>
  </message>
  <message>
   <source>Index: out of date, the raster has changed</source>
   <translation>Índice: anticuado, el ráster ha cambiado</translation>
  </message>
  <message>
   <source>Index: unfinished, {:.1f} MB</source>
   <translation>Índice: sin terminar, {:.1f} MB</translation>
  </message>
  <message>
   <source>Index: {} tiles, {:.1f} MB</source>
   <translation>Índice: {} teselas, {:.1f} MB</translation>
  </message>
  <message>
   <source>Install the plugin again.</source>
   <translation>Instale el complemento de nuevo.</translation>
  </message>
  <message>
   <source>Installing packages; this takes some minutes…</source>
   <translation>Instalando paquetes; tarda unos minutos…</translation>
  </message>
  <message>
   <source>Interpreters</source>
   <translation>Intérpretes</translation>
  </message>
  <message>
   <source>Its name in lists:</source>
   <translation>Su nombre en las listas:</translation>
  </message>
  <message>
   <source>Its places come from the index.</source>
   <translation>Sus lugares vienen del índice.</translation>
  </message>
  <message>
   <source>Layer of things on the ground</source>
   <translation>Capa de cosas sobre el terreno</translation>
  </message>
  <message>
   <source>Layer to append to</source>
   <translation>Capa a la que se añade</translation>
  </message>
  <message>
   <source>Light: the bundled model on the processor (about 1 GB)</source>
   <translation>Ligero: el modelo incluido, en el procesador (1 GB aprox.)</translation>
  </message>
  <message>
   <source>Log</source>
   <translation>Registro</translation>
  </message>
  <message>
   <source>Log opened</source>
   <translation>Registro abierto</translation>
  </message>
  <message>
   <source>Looking at the place…</source>
   <translation>Mirando el lugar…</translation>
  </message>
  <message>
   <source>Looking at {}…</source>
   <translation>Examinando {}…</translation>
  </message>
  <message>
   <source>Lowest confidence shown</source>
   <translation>Confianza mínima mostrada</translation>
  </message>
  <message>
   <source>Lowest score</source>
   <translation>Puntuación mínima</translation>
  </message>
  <message>
   <source>Make a training set</source>
   <translation>Crear un conjunto de entrenamiento</translation>
  </message>
  <message>
   <source>Make a training set of this layer…</source>
   <translation>Crear un conjunto de entrenamiento con esta capa…</translation>
  </message>
  <message>
   <source>Make an environment for the search engine</source>
   <translation>Crear un entorno para el motor de búsqueda</translation>
  </message>
  <message>
   <source>Make room and try again.</source>
   <translation>Libere espacio e inténtelo de nuevo.</translation>
  </message>
  <message>
   <source>Make room on the disk.</source>
   <translation>Libere espacio en el disco.</translation>
  </message>
  <message>
   <source>Make room, or use an existing interpreter.</source>
   <translation>Libere espacio o use un intérprete existente.</translation>
  </message>
  <message>
   <source>Making an empty environment…</source>
   <translation>Creando un entorno vacío…</translation>
  </message>
  <message>
   <source>Map view</source>
   <translation>Vista del mapa</translation>
  </message>
  <message>
   <source>Markdown files (*.md)</source>
   <translation>Archivos Markdown (*.md)</translation>
  </message>
  <message>
   <source>Mask raster</source>
   <translation>Ráster de máscara</translation>
  </message>
  <message>
   <source>Mean score</source>
   <translation>Puntuación media</translation>
  </message>
  <message>
   <source>Metres per pixel to look at, separated by commas: small objects need small ones</source>
   <translation>Metros por píxel con los que mirar, separados por comas: los objetos pequeños necesitan valores pequeños</translation>
  </message>
  <message>
   <source>Model</source>
   <translation>Modelo</translation>
  </message>
  <message>
   <source>Model (empty: the one in the options, else the bundled one)</source>
   <translation>Modelo (vacío: el de las opciones o, si no, el incluido)</translation>
  </message>
  <message>
   <source>More like these examples</source>
   <translation>Más como estos ejemplos</translation>
  </message>
  <message>
   <source>More like this</source>
   <translation>Más como este</translation>
  </message>
  <message>
   <source>Move it to see at once, on the map, what a threshold would outline</source>
   <translation>Muévalo para ver al instante en el mapa lo que delimitaría un umbral</translation>
  </message>
  <message>
   <source>Name at least two classes.</source>
   <translation>Indique al menos dos clases.</translation>
  </message>
  <message>
   <source>Name your organisation’s certificate file under Network, or in the options of this plugin.</source>
   <translation>Indique el archivo de certificados de su organización en Red o en las opciones de este complemento.</translation>
  </message>
  <message>
   <source>Neither a raster nor a search index is given, or the raster cannot be opened.</source>
   <translation>No se indicó ni un ráster ni un índice de búsqueda, o el ráster no se puede abrir.</translation>
  </message>
  <message>
   <source>Network</source>
   <translation>Red</translation>
  </message>
  <message>
   <source>No Python was found that can run the search engine.</source>
   <translation>No se encontró ningún Python que pueda ejecutar el motor de búsqueda.</translation>
  </message>
  <message>
   <source>No answer.</source>
   <translation>Sin respuesta.</translation>
  </message>
  <message>
   <source>No place in {} tiles</source>
   <translation>Ningún lugar en {} teselas</translation>
  </message>
  <message>
   <source>No place is that sure. Move the slider to the left.</source>
   <translation>Ningún lugar es tan seguro. Mueva el control hacia la izquierda.</translation>
  </message>
  <message>
   <source>No place was found. Try other words, or a larger extent.</source>
   <translation>No se encontró ningún lugar. Pruebe otras palabras o una extensión mayor.</translation>
  </message>
  <message>
   <source>No polygon is selected.</source>
   <translation>No hay ningún polígono seleccionado.</translation>
  </message>
  <message>
   <source>No rectangle is drawn.</source>
   <translation>No hay ningún rectángulo dibujado.</translation>
  </message>
  <message>
   <source>No user name and no home folder is in it.</source>
   <translation>No contiene ni nombre de usuario ni carpeta personal.</translation>
  </message>
  <message>
   <source>None of the examples lies on the searched raster.</source>
   <translation>Ninguno de los ejemplos está en el ráster buscado.</translation>
  </message>
  <message>
   <source>Not like these examples</source>
   <translation>No como estos ejemplos</translation>
  </message>
  <message>
   <source>Not like this</source>
   <translation>No como este</translation>
  </message>
  <message>
   <source>Nothing of the layer was kept.</source>
   <translation>No se conservó nada de la capa.</translation>
  </message>
  <message>
   <source>Nothing of the raster could be read.</source>
   <translation>No se pudo leer nada del ráster.</translation>
  </message>
  <message>
   <source>Nothing was changed.</source>
   <translation>No se cambió nada.</translation>
  </message>
  <message>
   <source>Nothing was outlined. Try a lower threshold, or other words.</source>
   <translation>No se delimitó nada. Pruebe un umbral más bajo u otras palabras.</translation>
  </message>
  <message>
   <source>Nothing was written.</source>
   <translation>No se escribió nada.</translation>
  </message>
  <message>
   <source>Number of outlines</source>
   <translation>Número de contornos</translation>
  </message>
  <message>
   <source>Number of places</source>
   <translation>Número de lugares</translation>
  </message>
  <message>
   <source>Number of places found</source>
   <translation>Número de lugares encontrados</translation>
  </message>
  <message>
   <source>Number of tiles</source>
   <translation>Número de teselas</translation>
  </message>
  <message>
   <source>On Debian and Ubuntu install python3-venv, or choose another interpreter.</source>
   <translation>En Debian y Ubuntu instale python3-venv o elija otro intérprete.</translation>
  </message>
  <message>
   <source>One class gives nothing to choose from.</source>
   <translation>Con una sola clase no hay nada que elegir.</translation>
  </message>
  <message>
   <source>Only in this extent</source>
   <translation>Solo en esta extensión</translation>
  </message>
  <message>
   <source>Only inside these polygons</source>
   <translation>Solo dentro de estos polígonos</translation>
  </message>
  <message>
   <source>Only outlines that meet these polygons</source>
   <translation>Solo los contornos que toquen estos polígonos</translation>
  </message>
  <message>
   <source>Only {} % of the area was finished: the rest is missing, and an automatic threshold was chosen from the finished part alone.</source>
   <translation>Solo se terminó el {} % del área: falta el resto, y un umbral automático se eligió solo a partir de la parte terminada.</translation>
  </message>
  <message>
   <source>Open log file</source>
   <translation>Abrir el registro</translation>
  </message>
  <message>
   <source>Outline</source>
   <translation>Delimitar</translation>
  </message>
  <message>
   <source>Outline it again.</source>
   <translation>Vuelva a delinearlo.</translation>
  </message>
  <message>
   <source>Outline that part</source>
   <translation>Delinear esa parte</translation>
  </message>
  <message>
   <source>Outline {}: {}, confidence {:.0f} %, area {}</source>
   <translation>Contorno {}: {}, confianza {:.0f} %, área {}</translation>
  </message>
  <message>
   <source>Outline: {}</source>
   <translation>Delimitar: {}</translation>
  </message>
  <message>
   <source>Outlines</source>
   <translation>Contornos</translation>
  </message>
  <message>
   <source>Outlines found</source>
   <translation>Contornos encontrados</translation>
  </message>
  <message>
   <source>Outlines what a text names and returns polygons with score, confidence and area.

Several classes are separated by semicolons; each pixel then takes the class that fits best, or none.

Threshold: auto chooses it from the scores; a number sets it. Refinement: none, edges (snaps outlines to edges in the image) or sam (segment-geospatial, when it is installed).

Everything is computed on this computer; no imagery leaves it.</source>
   <translation>Delimita lo que nombra un texto y devuelve polígonos con puntuación, confianza y área.

Varias clases se separan con punto y coma; cada píxel recibe entonces la clase que mejor corresponde, o ninguna.

Umbral: auto lo elige a partir de las puntuaciones; un número lo fija. Refinamiento: none, edges (ajusta los contornos a los bordes de la imagen) o sam (segment-geospatial, si está instalado).

Todo se calcula en este ordenador; ninguna imagen sale de él.</translation>
  </message>
  <message>
   <source>Outlines: {}</source>
   <translation>Contornos: {}</translation>
  </message>
  <message>
   <source>Outlining “{}”…</source>
   <translation>Delimitando «{}»…</translation>
  </message>
  <message>
   <source>Packages</source>
   <translation>Paquetes</translation>
  </message>
  <message>
   <source>Pixel size (m)</source>
   <translation>Tamaño de píxel (m)</translation>
  </message>
  <message>
   <source>Pixel sizes (m)</source>
   <translation>Tamaños de píxel (m)</translation>
  </message>
  <message>
   <source>Pixel sizes to look at, in metres (empty: automatic; web layers need one)</source>
   <translation>Tamaños de píxel con los que mirar, en metros (vacío: automático; las capas web necesitan uno)</translation>
  </message>
  <message>
   <source>Pixels (m)</source>
   <translation>Píxeles (m)</translation>
  </message>
  <message>
   <source>Place it with QGIS’s Georeferencer, or put its world file (.tfw, .jgw) beside it.</source>
   <translation>Colóquelo con el Georreferenciador de QGIS o ponga a su lado su archivo world (.tfw, .jgw).</translation>
  </message>
  <message>
   <source>Place {}: {}, confidence {:.0f} %, score {:.3f}, pixel size {:g} m</source>
   <translation>Lugar {}: {}, confianza {:.0f} %, puntuación {:.3f}, tamaño de píxel {:g} m</translation>
  </message>
  <message>
   <source>Places</source>
   <translation>Lugares</translation>
  </message>
  <message>
   <source>Places found</source>
   <translation>Lugares encontrados</translation>
  </message>
  <message>
   <source>Places: {}</source>
   <translation>Lugares: {}</translation>
  </message>
  <message>
   <source>Please report this.</source>
   <translation>Por favor, comuníquelo.</translation>
  </message>
  <message>
   <source>Preview: {}</source>
   <translation>Vista previa: {}</translation>
  </message>
  <message>
   <source>Put them back, or build the mosaic again.</source>
   <translation>Devuélvalos a su lugar o construya el mosaico de nuevo.</translation>
  </message>
  <message>
   <source>Python interpreter with rsvlm</source>
   <translation>Intérprete de Python con rsvlm</translation>
  </message>
  <message>
   <source>Python to start from</source>
   <translation>Python de partida</translation>
  </message>
  <message>
   <source>Python {}, lacks {}</source>
   <translation>Python {}, falta {}</translation>
  </message>
  <message>
   <source>Question</source>
   <translation>Pregunta</translation>
  </message>
  <message>
   <source>Question (empty: describe what is there)</source>
   <translation>Pregunta (vacío: describir lo que hay)</translation>
  </message>
  <message>
   <source>Rank</source>
   <translation>Puesto</translation>
  </message>
  <message>
   <source>Raster</source>
   <translation>Ráster</translation>
  </message>
  <message>
   <source>Raster layer</source>
   <translation>Capa ráster</translation>
  </message>
  <message>
   <source>Ready. The search engine can be used.</source>
   <translation>Listo. El motor de búsqueda se puede usar.</translation>
  </message>
  <message>
   <source>Refinement</source>
   <translation>Refinamiento</translation>
  </message>
  <message>
   <source>Refinement by segment-geospatial needs a Segment Anything checkpoint.</source>
   <translation>El refinado con segment-geospatial necesita pesos de Segment Anything.</translation>
  </message>
  <message>
   <source>Refinement by segment-geospatial needs that package in the search engine’s Python.</source>
   <translation>El refinado con segment-geospatial necesita ese paquete en el Python del motor de búsqueda.</translation>
  </message>
  <message>
   <source>Refinement of outlines</source>
   <translation>Refinamiento de los contornos</translation>
  </message>
  <message>
   <source>Remove the layer there, or choose another file name.</source>
   <translation>Quite la capa allí o elija otro nombre de archivo.</translation>
  </message>
  <message>
   <source>Repair the layer’s data source, or add the raster again.</source>
   <translation>Repare el origen de datos de la capa o añada el ráster de nuevo.</translation>
  </message>
  <message>
   <source>Report</source>
   <translation>Informe</translation>
  </message>
  <message>
   <source>Report in Markdown</source>
   <translation>Informe en Markdown</translation>
  </message>
  <message>
   <source>Restart</source>
   <translation>Reiniciar</translation>
  </message>
  <message>
   <source>Run Check environment.</source>
   <translation>Ejecute «Comprobar el entorno».</translation>
  </message>
  <message>
   <source>Save</source>
   <translation>Guardar</translation>
  </message>
  <message>
   <source>Save it as a GeoTIFF (Export › Save As…) and search that.</source>
   <translation>Guárdela como GeoTIFF (Exportar › Guardar como…) y busque en ella.</translation>
  </message>
  <message>
   <source>Score (cosine)</source>
   <translation>Puntuación (coseno)</translation>
  </message>
  <message>
   <source>Score heatmap</source>
   <translation>Mapa de calor de puntuación</translation>
  </message>
  <message>
   <source>Score raster</source>
   <translation>Ráster de puntuación</translation>
  </message>
  <message>
   <source>Search</source>
   <translation>Buscar</translation>
  </message>
  <message>
   <source>Search by text</source>
   <translation>Buscar con texto</translation>
  </message>
  <message>
   <source>Search engine</source>
   <translation>Motor de búsqueda</translation>
  </message>
  <message>
   <source>Search further rasters at the same time</source>
   <translation>Buscar a la vez en otros rásteres</translation>
  </message>
  <message>
   <source>Search imagery by text</source>
   <translation>Buscar en imágenes con texto</translation>
  </message>
  <message>
   <source>Search imagery by text (rsvlm)</source>
   <translation>Buscar en imágenes con texto (rsvlm)</translation>
  </message>
  <message>
   <source>Search imagery by text: environment</source>
   <translation>Buscar en imágenes con texto: entorno</translation>
  </message>
  <message>
   <source>Search index (instead of a raster)</source>
   <translation>Índice de búsqueda (en lugar de un ráster)</translation>
  </message>
  <message>
   <source>Search this layer by text…</source>
   <translation>Buscar en esta capa con texto…</translation>
  </message>
  <message>
   <source>Search: {}</source>
   <translation>Búsqueda: {}</translation>
  </message>
  <message>
   <source>Searching for “{}”…</source>
   <translation>Buscando «{}»…</translation>
  </message>
  <message>
   <source>Segment by text</source>
   <translation>Segmentar con texto</translation>
  </message>
  <message>
   <source>Select in the layer</source>
   <translation>Seleccionar en la capa</translation>
  </message>
  <message>
   <source>Select some in a polygon layer.</source>
   <translation>Seleccione algunos en una capa de polígonos.</translation>
  </message>
  <message>
   <source>Selected ({})</source>
   <translation>Seleccionados ({})</translation>
  </message>
  <message>
   <source>Selected polygons</source>
   <translation>Polígonos seleccionados</translation>
  </message>
  <message>
   <source>Set it with a right click on the layer, Layer CRS.</source>
   <translation>Asígnelo con clic derecho sobre la capa, SRC de la capa.</translation>
  </message>
  <message>
   <source>Set up</source>
   <translation>Preparar</translation>
  </message>
  <message>
   <source>Set up Search imagery by text</source>
   <translation>Preparar «Buscar en imágenes con texto»</translation>
  </message>
  <message>
   <source>Set up…</source>
   <translation>Preparar…</translation>
  </message>
  <message>
   <source>Show how much each place looks like the text; with several texts, like that of the marked picture</source>
   <translation>Mostrar cuánto se parece cada lugar al texto; con varios textos, al de la imagen marcada</translation>
  </message>
  <message>
   <source>Side of a tile in pixels</source>
   <translation>Lado de una tesela en píxeles</translation>
  </message>
  <message>
   <source>Smallest area</source>
   <translation>Área mínima</translation>
  </message>
  <message>
   <source>Smallest area (m²)</source>
   <translation>Área mínima (m²)</translation>
  </message>
  <message>
   <source>Start afresh instead of continuing</source>
   <translation>Empezar de nuevo en lugar de continuar</translation>
  </message>
  <message>
   <source>Start the search engine again, and what it was doing</source>
   <translation>Reiniciar el motor de búsqueda y lo que estaba haciendo</translation>
  </message>
  <message>
   <source>Starting the search engine…</source>
   <translation>Iniciando el motor de búsqueda…</translation>
  </message>
  <message>
   <source>Starting…</source>
   <translation>Empezando…</translation>
  </message>
  <message>
   <source>Starts the search engine and reports versions, devices, memory and models, and what to do about what is wrong. The report holds no user name and no home folder, so it can be pasted into an issue.</source>
   <translation>Inicia el motor de búsqueda e informa de versiones, dispositivos, memoria y modelos, y de qué hacer si algo va mal. El informe no contiene nombre de usuario ni carpeta personal, así que se puede pegar en una incidencia.</translation>
  </message>
  <message>
   <source>Stopped.</source>
   <translation>Detenido.</translation>
  </message>
  <message>
   <source>Stopping…</source>
   <translation>Deteniendo…</translation>
  </message>
  <message>
   <source>Switch the plugin Processing on in the plugin manager.</source>
   <translation>Active el complemento Processing en el administrador de complementos.</translation>
  </message>
  <message>
   <source>Take the last examples back and search again</source>
   <translation>Quitar los últimos ejemplos y buscar de nuevo</translation>
  </message>
  <message>
   <source>Take the selected outlines out of the layer, and go to the next (Delete)</source>
   <translation>Quitar de la capa los contornos seleccionados e ir al siguiente (Supr)</translation>
  </message>
  <message>
   <source>Text</source>
   <translation>Texto</translation>
  </message>
  <message>
   <source>Text file</source>
   <translation>Archivo de texto</translation>
  </message>
  <message>
   <source>Text files (*.txt)</source>
   <translation>Archivos de texto (*.txt)</translation>
  </message>
  <message>
   <source>That layer cannot be edited.</source>
   <translation>Esa capa no se puede editar.</translation>
  </message>
  <message>
   <source>That layer does not take the outlines.</source>
   <translation>Esa capa no acepta los contornos.</translation>
  </message>
  <message>
   <source>The Python of the search engine does not start.</source>
   <translation>El Python del motor de búsqueda no arranca.</translation>
  </message>
  <message>
   <source>The Python of the search engine lacks {}.</source>
   <translation>Al Python del motor de búsqueda le falta {}.</translation>
  </message>
  <message>
   <source>The backend is missing from the plugin’s folder.</source>
   <translation>Falta el motor de búsqueda en la carpeta del complemento.</translation>
  </message>
  <message>
   <source>The builder of training sets is missing from the plugin’s folder.</source>
   <translation>En la carpeta del complemento falta la parte que crea los conjuntos de entrenamiento.</translation>
  </message>
  <message>
   <source>The bundled model is missing.</source>
   <translation>Falta el modelo incluido.</translation>
  </message>
  <message>
   <source>The device {} cannot be used.</source>
   <translation>No se puede usar el dispositivo {}.</translation>
  </message>
  <message>
   <source>The disk is full.</source>
   <translation>El disco está lleno.</translation>
  </message>
  <message>
   <source>The environment could not be made.</source>
   <translation>No se pudo crear el entorno.</translation>
  </message>
  <message>
   <source>The environment needs {:.0f} GB; {:.1f} GB are free at {}.</source>
   <translation>El entorno necesita {:.0f} GB; hay {:.1f} GB libres en {}.</translation>
  </message>
  <message>
   <source>The extent cannot be measured.</source>
   <translation>La extensión no se puede medir.</translation>
  </message>
  <message>
   <source>The extent cannot be placed on the layer.</source>
   <translation>La extensión no se puede situar en la capa.</translation>
  </message>
  <message>
   <source>The extent lies outside the raster.</source>
   <translation>La extensión queda fuera del ráster.</translation>
  </message>
  <message>
   <source>The extent {} lies outside “{}”, which covers {}.</source>
   <translation>La extensión {} queda fuera de «{}», que cubre {}.</translation>
  </message>
  <message>
   <source>The file is damaged or not reachable; copy it again.</source>
   <translation>El archivo está dañado o no es accesible; cópielo de nuevo.</translation>
  </message>
  <message>
   <source>The file of “{}” is gone: {}.</source>
   <translation>El archivo de «{}» ya no está: {}.</translation>
  </message>
  <message>
   <source>The file {} is not there.</source>
   <translation>El archivo {} no está.</translation>
  </message>
  <message>
   <source>The index {} is being written by another run.</source>
   <translation>Otra ejecución está escribiendo el índice {}.</translation>
  </message>
  <message>
   <source>The index {} is unfinished.</source>
   <translation>El índice {} está sin terminar.</translation>
  </message>
  <message>
   <source>The index {} was made by a newer version.</source>
   <translation>El índice {} es de una versión más nueva.</translation>
  </message>
  <message>
   <source>The index {} was made with another model.</source>
   <translation>El índice {} se construyó con otro modelo.</translation>
  </message>
  <message>
   <source>The interpreter does not start.</source>
   <translation>El intérprete no arranca.</translation>
  </message>
  <message>
   <source>The layer cannot be edited.</source>
   <translation>La capa no se puede editar.</translation>
  </message>
  <message>
   <source>The layer cannot be saved.</source>
   <translation>La capa no se puede guardar.</translation>
  </message>
  <message>
   <source>The layer is complete</source>
   <translation>La capa está completa</translation>
  </message>
  <message>
   <source>The log says why.</source>
   <translation>El registro dice por qué.</translation>
  </message>
  <message>
   <source>The map shows what this threshold would outline. Press Outline to make it so.</source>
   <translation>El mapa muestra lo que este umbral delimitaría. Pulse «Delimitar» para hacerlo.</translation>
  </message>
  <message>
   <source>The model has no words for this place.</source>
   <translation>El modelo no tiene palabras para este lugar.</translation>
  </message>
  <message>
   <source>The model {} cannot describe.</source>
   <translation>El modelo {} no puede describir.</translation>
  </message>
  <message>
   <source>The network replaces certificates, and pip does not trust the new ones.</source>
   <translation>La red sustituye certificados y pip no confía en los nuevos.</translation>
  </message>
  <message>
   <source>The new environment does not work: {}.</source>
   <translation>El nuevo entorno no funciona: {}.</translation>
  </message>
  <message>
   <source>The outlines have no place in the coordinate system of that layer.</source>
   <translation>Los contornos no tienen lugar en el sistema de coordenadas de esa capa.</translation>
  </message>
  <message>
   <source>The polygons cannot be written to {}.</source>
   <translation>No se pueden escribir los polígonos en {}.</translation>
  </message>
  <message>
   <source>The polygons lie outside the extent.</source>
   <translation>Los polígonos quedan fuera de la extensión.</translation>
  </message>
  <message>
   <source>The proxy asks for a user and a password.</source>
   <translation>El proxy pide usuario y contraseña.</translation>
  </message>
  <message>
   <source>The question is empty.</source>
   <translation>La pregunta está vacía.</translation>
  </message>
  <message>
   <source>The raster is too large for that pixel size.</source>
   <translation>El ráster es demasiado grande para ese tamaño de píxel.</translation>
  </message>
  <message>
   <source>The raster {} has changed since its index was built.</source>
   <translation>El ráster {} ha cambiado desde que se creó su índice.</translation>
  </message>
  <message>
   <source>The result {} cannot be opened.</source>
   <translation>No se puede abrir el resultado {}.</translation>
  </message>
  <message>
   <source>The search engine failed without a message.</source>
   <translation>El motor de búsqueda falló sin mensaje.</translation>
  </message>
  <message>
   <source>The search engine has ended ({}).</source>
   <translation>El motor de búsqueda ha terminado ({}).</translation>
  </message>
  <message>
   <source>The search engine has not been heard for a while. Wait, or Cancel.</source>
   <translation>El motor de búsqueda lleva un rato sin responder. Espere o cancele.</translation>
  </message>
  <message>
   <source>The search engine has not been heard for {:.0f} s; Cancel ends it.</source>
   <translation>El motor de búsqueda lleva {:.0f} s sin responder; Cancelar lo termina.</translation>
  </message>
  <message>
   <source>The search engine reports a problem.</source>
   <translation>El motor de búsqueda informa de un problema.</translation>
  </message>
  <message>
   <source>The search engine runs in a Python of its own, beside QGIS. QGIS’s own Python is not touched.

Set up makes that Python in your user folder and installs free packages into it. The model itself came with the plugin. Nothing else is sent or fetched, then or later.</source>
   <translation>El motor de búsqueda funciona en un Python propio, junto a QGIS. El Python de QGIS no se toca.

La preparación crea ese Python en su carpeta de usuario e instala en él paquetes libres. El modelo vino con el complemento. Ni ahora ni después se envía o se descarga nada más.</translation>
  </message>
  <message>
   <source>The search engine sent a line without end.</source>
   <translation>El motor de búsqueda envió una línea sin fin.</translation>
  </message>
  <message>
   <source>The search engine speaks protocol {}, this plugin speaks {}.</source>
   <translation>El motor de búsqueda habla el protocolo {}, este complemento el {}.</translation>
  </message>
  <message>
   <source>The training set could not be made.</source>
   <translation>No se pudo crear el conjunto de entrenamiento.</translation>
  </message>
  <message>
   <source>The {} surest of {} are listed here; the layer holds all.</source>
   <translation>Aquí figuran los {} más seguros de {}; la capa los contiene todos.</translation>
  </message>
  <message>
   <source>There is no connection to the package index.</source>
   <translation>No hay conexión con el índice de paquetes.</translation>
  </message>
  <message>
   <source>There is no model “{}”.</source>
   <translation>No existe el modelo «{}».</translation>
  </message>
  <message>
   <source>There is no other raster file in the project.</source>
   <translation>No hay otro archivo ráster en el proyecto.</translation>
  </message>
  <message>
   <source>There is no polygon layer of your own in the project that can be edited. Add one, or make one.</source>
   <translation>No hay en el proyecto ninguna capa de polígonos propia que se pueda editar. Añada una o cree una.</translation>
  </message>
  <message>
   <source>There is no raster layer to search.</source>
   <translation>No hay ninguna capa ráster en la que buscar.</translation>
  </message>
  <message>
   <source>There is no text to look for.</source>
   <translation>No hay texto que buscar.</translation>
  </message>
  <message>
   <source>There is not enough memory.</source>
   <translation>No hay memoria suficiente.</translation>
  </message>
  <message>
   <source>There is nothing in the extent but nodata.</source>
   <translation>En la extensión no hay más que nodata.</translation>
  </message>
  <message>
   <source>There is nothing of {} in the extent but nodata.</source>
   <translation>De {} no hay en la extensión más que nodata.</translation>
  </message>
  <message>
   <source>There is nothing to look at: no data, or less than a tile of it.</source>
   <translation>No hay nada que mirar: no hay datos, o menos de una tesela de ellos.</translation>
  </message>
  <message>
   <source>This Python cannot make environments.</source>
   <translation>Este Python no puede crear entornos.</translation>
  </message>
  <message>
   <source>This would be {:.0f} million pixels of {:g} m; the limit is {:.0f} million.</source>
   <translation>Serían {:.0f} millones de píxeles de {:g} m; el límite es {:.0f} millones.</translation>
  </message>
  <message>
   <source>Threshold</source>
   <translation>Umbral</translation>
  </message>
  <message>
   <source>Threshold (0 to 1, or auto)</source>
   <translation>Umbral (de 0 a 1, o auto)</translation>
  </message>
  <message>
   <source>Threshold in percent</source>
   <translation>Umbral en porcentaje</translation>
  </message>
  <message>
   <source>Tick the selected outlines as right, and go to the next (Space)</source>
   <translation>Marcar como correctos los contornos seleccionados e ir al siguiente (Espacio)</translation>
  </message>
  <message>
   <source>Tiles in the index</source>
   <translation>Teselas en el índice</translation>
  </message>
  <message>
   <source>Tiles in the set</source>
   <translation>Teselas en el conjunto</translation>
  </message>
  <message>
   <source>Tiles that could not be read</source>
   <translation>Teselas que no se pudieron leer</translation>
  </message>
  <message>
   <source>Time</source>
   <translation>Hora</translation>
  </message>
  <message>
   <source>Try a smaller extent.</source>
   <translation>Pruebe una extensión menor.</translation>
  </message>
  <message>
   <source>Trying the new environment…</source>
   <translation>Probando el nuevo entorno…</translation>
  </message>
  <message>
   <source>Type one or several classes, in English, separated by ;

Outlines appear here for review, surest first.</source>
   <translation>Escriba una o varias clases, en inglés, separadas por ;

Los contornos aparecen aquí para su revisión, los más seguros primero.</translation>
  </message>
  <message>
   <source>Type what is seen from above, in English; several texts: separated by ;

Places appear here as pictures, best first.

Try: {}</source>
   <translation>Escriba lo que se ve desde arriba, en inglés; varios textos: separados por ;

Los lugares aparecen aquí como imágenes, los mejores primero.

Pruebe: {}</translation>
  </message>
  <message>
   <source>Type what you are looking for.</source>
   <translation>Escriba lo que busca.</translation>
  </message>
  <message>
   <source>Undo</source>
   <translation>Deshacer</translation>
  </message>
  <message>
   <source>Update</source>
   <translation>Actualizar</translation>
  </message>
  <message>
   <source>Update it with the button Index.</source>
   <translation>Actualícelo con el botón Índice.</translation>
  </message>
  <message>
   <source>Update the plugin and its environment together.</source>
   <translation>Actualice juntos el complemento y su entorno.</translation>
  </message>
  <message>
   <source>Update the plugin, or build the index again.</source>
   <translation>Actualice el complemento o construya el índice de nuevo.</translation>
  </message>
  <message>
   <source>Use a Python that has the packages already</source>
   <translation>Usar un Python que ya tiene los paquetes</translation>
  </message>
  <message>
   <source>Use it</source>
   <translation>Usarlo</translation>
  </message>
  <message>
   <source>Wait for it, or cancel it.</source>
   <translation>Espere o cancele.</translation>
  </message>
  <message>
   <source>Wait until it is done.</source>
   <translation>Espere a que termine.</translation>
  </message>
  <message>
   <source>Warp it first: Raster › Projections › Warp.</source>
   <translation>Transfórmelo antes: Ráster › Proyecciones › Combar (reproyectar).</translation>
  </message>
  <message>
   <source>What each field of the layer gets. Edits stay open there: save them, or undo them in one step.</source>
   <translation>Lo que recibe cada campo de la capa. Los cambios quedan abiertos allí: guárdelos o deshágalos en un solo paso.</translation>
  </message>
  <message>
   <source>What is done appears here, line by line.</source>
   <translation>Lo que se hace aparece aquí, línea a línea.</translation>
  </message>
  <message>
   <source>What is seen from above, in English; several texts: separated by ;</source>
   <translation>Lo que se ve desde arriba, en inglés; varios textos: separados por ;</translation>
  </message>
  <message>
   <source>What it had finished is kept; run it again to go on.</source>
   <translation>Se conserva lo que había terminado; ejecútelo de nuevo para seguir.</translation>
  </message>
  <message>
   <source>What to find, in English</source>
   <translation>Qué buscar, en inglés</translation>
  </message>
  <message>
   <source>What to look for</source>
   <translation>Qué buscar</translation>
  </message>
  <message>
   <source>What to look for (several: separated by ;)</source>
   <translation>Qué buscar, en inglés (varios: separados por ;)</translation>
  </message>
  <message>
   <source>What to outline</source>
   <translation>Qué delimitar</translation>
  </message>
  <message>
   <source>What to outline (several classes: separated by ;)</source>
   <translation>Qué delimitar, en inglés (varias clases: separadas por ;)</translation>
  </message>
  <message>
   <source>What to outline: building; road; tree</source>
   <translation>Qué delimitar (en inglés): building; road; tree</translation>
  </message>
  <message>
   <source>What was finished is not there any more.</source>
   <translation>Lo que estaba terminado ya no existe.</translation>
  </message>
  <message>
   <source>What was looked at is kept; the same again goes on from there.</source>
   <translation>Lo ya examinado se conserva; lo mismo otra vez continúa desde ahí.</translation>
  </message>
  <message>
   <source>Where</source>
   <translation>Dónde</translation>
  </message>
  <message>
   <source>Where to look</source>
   <translation>Dónde buscar</translation>
  </message>
  <message>
   <source>Which outlines</source>
   <translation>Qué contornos</translation>
  </message>
  <message>
   <source>Whole layer</source>
   <translation>Toda la capa</translation>
  </message>
  <message>
   <source>Whose threshold the slider sets</source>
   <translation>De quién es el umbral que fija el deslizador</translation>
  </message>
  <message>
   <source>Write what was discarded into the layer</source>
   <translation>Escribir en la capa lo que se descartó</translation>
  </message>
  <message>
   <source>Writes a raster of scores: how much each place looks like a text. Places without data stay empty.

Scores rank places for one text; they are not comparable between texts.</source>
   <translation>Escribe un ráster de puntuaciones: cuánto se parece cada lugar a un texto. Los lugares sin datos quedan vacíos.

Las puntuaciones ordenan lugares para un texto; no son comparables entre textos.</translation>
  </message>
  <message>
   <source>Your antivirus may block it; see the log.</source>
   <translation>Puede que lo bloquee su antivirus; vea el registro.</translation>
  </message>
  <message>
   <source>Zoom to</source>
   <translation>Acercar a</translation>
  </message>
  <message>
   <source>Zoom to the layer and choose again.</source>
   <translation>Acerque a la capa y elija de nuevo.</translation>
  </message>
  <message>
   <source>Zoom to the layer, or choose the whole layer.</source>
   <translation>Acerque a la capa o elija toda la capa.</translation>
  </message>
  <message>
   <source>all</source>
   <translation>todas</translation>
  </message>
  <message>
   <source>automatic</source>
   <translation>automático</translation>
  </message>
  <message>
   <source>blocks</source>
   <translation>bloques</translation>
  </message>
  <message>
   <source>bundled</source>
   <translation>incluido</translation>
  </message>
  <message>
   <source>chosen here</source>
   <translation>elegido aquí</translation>
  </message>
  <message>
   <source>clip,text,search,imagery,aerial,satellite,ai,deep learning</source>
   <translation>clip,texto,búsqueda,imágenes,aérea,satélite,ia,aprendizaje profundo</translation>
  </message>
  <message>
   <source>does not start</source>
   <translation>no arranca</translation>
  </message>
  <message>
   <source>environment variable RSVLM_PYTHON</source>
   <translation>variable de entorno RSVLM_PYTHON</translation>
  </message>
  <message>
   <source>examples</source>
   <translation>ejemplos</translation>
  </message>
  <message>
   <source>exit status {}</source>
   <translation>estado de salida {}</translation>
  </message>
  <message>
   <source>for a computer without network</source>
   <translation>para un ordenador sin red</translation>
  </message>
  <message>
   <source>for a network that replaces certificates</source>
   <translation>para una red que sustituye certificados</translation>
  </message>
  <message>
   <source>found by itself</source>
   <translation>se encuentra solo</translation>
  </message>
  <message>
   <source>found on the path</source>
   <translation>encontrado en la ruta</translation>
  </message>
  <message>
   <source>in the user’s folder for data</source>
   <translation>en la carpeta de datos del usuario</translation>
  </message>
  <message>
   <source>is Python {}; 3.10 or newer is needed</source>
   <translation>es Python {}; se necesita 3.10 o posterior</translation>
  </message>
  <message>
   <source>is no Python that works</source>
   <translation>no es un Python que funcione</translation>
  </message>
  <message>
   <source>it crashed</source>
   <translation>se bloqueó</translation>
  </message>
  <message>
   <source>like the examples</source>
   <translation>como los ejemplos</translation>
  </message>
  <message>
   <source>new</source>
   <translation>nuevo</translation>
  </message>
  <message>
   <source>no Python that works</source>
   <translation>ningún Python que funcione</translation>
  </message>
  <message>
   <source>none</source>
   <translation>ninguno</translation>
  </message>
  <message>
   <source>not usable</source>
   <translation>no utilizable</translation>
  </message>
  <message>
   <source>ok, or what is wrong</source>
   <translation>ok, o lo que va mal</translation>
  </message>
  <message>
   <source>parts</source>
   <translation>partes</translation>
  </message>
  <message>
   <source>removed raster</source>
   <translation>ráster eliminado</translation>
  </message>
  <message>
   <source>segment-geospatial (if installed)</source>
   <translation>segment-geospatial (si está instalado)</translation>
  </message>
  <message>
   <source>set in the options</source>
   <translation>indicado en las opciones</translation>
  </message>
  <message>
   <source>snap to edges in the image</source>
   <translation>ajustar a los bordes de la imagen</translation>
  </message>
  <message>
   <source>the bundled one; or a folder, or open_clip:NAME/PRETRAINED</source>
   <translation>el incluido; o una carpeta, u open_clip:NAME/PRETRAINED</translation>
  </message>
  <message>
   <source>the checkout’s environment</source>
   <translation>el entorno de la copia de trabajo</translation>
  </message>
  <message>
   <source>the plugin’s own environment</source>
   <translation>el entorno propio del complemento</translation>
  </message>
  <message>
   <source>the user’s cache</source>
   <translation>la caché del usuario</translation>
  </message>
  <message>
   <source>tiles</source>
   <translation>teselas</translation>
  </message>
  <message>
   <source>views that show it</source>
   <translation>vistas que lo muestran</translation>
  </message>
  <message>
   <source>windows</source>
   <translation>ventanas</translation>
  </message>
  <message>
   <source>{:.0f} min left</source>
   <translation>quedan {:.0f} min</translation>
  </message>
  <message>
   <source>{:.0f} s left</source>
   <translation>quedan {:.0f} s</translation>
  </message>
  <message>
   <source>{:.1f} h left</source>
   <translation>quedan {:.1f} h</translation>
  </message>
  <message>
   <source>{} % of the area is finished.</source>
   <translation>El {} % del área está terminado.</translation>
  </message>
  <message>
   <source>{} (only {} % finished)</source>
   <translation>{} (solo el {} % terminado)</translation>
  </message>
  <message>
   <source>{} cannot be written.</source>
   <translation>{} no se puede escribir.</translation>
  </message>
  <message>
   <source>{} cannot be written: {}.</source>
   <translation>No se puede escribir {}: {}.</translation>
  </message>
  <message>
   <source>{} has no band {}.</source>
   <translation>{} no tiene la banda {}.</translation>
  </message>
  <message>
   <source>{} has no coordinate system.</source>
   <translation>{} no tiene sistema de coordenadas.</translation>
  </message>
  <message>
   <source>{} has no georeference: it is not known where it lies.</source>
   <translation>{} no está georreferenciado: no se sabe dónde está.</translation>
  </message>
  <message>
   <source>{} holds no valid pixel: all is nodata, masked or transparent.</source>
   <translation>{} no tiene ningún píxel válido: todo es nodata, está enmascarado o es transparente.</translation>
  </message>
  <message>
   <source>{} is a mosaic of files that are not there: {}.</source>
   <translation>{} es un mosaico de archivos que no están: {}.</translation>
  </message>
  <message>
   <source>{} is damaged.</source>
   <translation>{} está dañado.</translation>
  </message>
  <message>
   <source>{} is empty.</source>
   <translation>{} está vacío.</translation>
  </message>
  <message>
   <source>{} is open in another program.</source>
   <translation>{} está abierto en otro programa.</translation>
  </message>
  <message>
   <source>{} is placed by points only, not by a grid.</source>
   <translation>{} está situado solo por puntos, no por una cuadrícula.</translation>
  </message>
  <message>
   <source>{} is {}; Python 3.10 or newer is needed.</source>
   <translation>{} es {}; se necesita Python 3.10 o posterior.</translation>
  </message>
  <message>
   <source>{} may not be read.</source>
   <translation>No hay permiso para leer {}.</translation>
  </message>
  <message>
   <source>{} of {} parts of the layer have empty places: nothing is there, or it did not arrive.</source>
   <translation>{} de {} partes de la capa tienen lugares vacíos: ahí no hay nada, o no llegó.</translation>
  </message>
  <message>
   <source>{} of {} places; {} tiles, pixels of {} m</source>
   <translation>{} de {} lugares; {} teselas, píxeles de {} m</translation>
  </message>
  <message>
   <source>{} of {} {}</source>
   <translation>{} de {} {}</translation>
  </message>
  <message>
   <source>{} outlines</source>
   <translation>{} contornos</translation>
  </message>
  <message>
   <source>{} places found</source>
   <translation>{} lugares encontrados</translation>
  </message>
  <message>
   <source>{} places; {} tiles, pixels of {} m</source>
   <translation>{} lugares; {} teselas, píxeles de {} m</translation>
  </message>
  <message>
   <source>{} tiles could not be read and are missing from the result.</source>
   <translation>{} teselas no se pudieron leer y faltan en el resultado.</translation>
  </message>
  <message>
   <source>{} tiles could not be read and are missing from the result: {}</source>
   <translation>{} teselas no se pudieron leer y faltan en el resultado: {}</translation>
  </message>
  <message>
   <source>{} tiles in {}</source>
   <translation>{} teselas en {}</translation>
  </message>
  <message>
   <source>{} tiles with {} captions in {}</source>
   <translation>{} teselas con {} descripciones en {}</translation>
  </message>
  <message>
   <source>{}: {} outlines, threshold {:.0f} %</source>
   <translation>{}: {} contornos, umbral {:.0f} %</translation>
  </message>
  <message>
   <source>“{}” cannot be read.</source>
   <translation>«{}» no se puede leer.</translation>
  </message>
  <message>
   <source>“{}” does not name three bands.</source>
   <translation>«{}» no indica tres bandas.</translation>
  </message>
  <message>
   <source>“{}” has no coordinate system.</source>
   <translation>«{}» no tiene sistema de coordenadas.</translation>
  </message>
  <message>
   <source>“{}” has to be fetched first: {} × {} pixels of {:.2f} m, about {} requests and {:.0f} MB. Mind the terms of the service. Fetch it now?</source>
   <translation>Primero hay que descargar «{}»: {} × {} píxeles de {:.2f} m, unas {} peticiones y {:.0f} MB. Tenga en cuenta las condiciones del servicio. ¿Descargarla ahora?</translation>
  </message>
  <message>
   <source>“{}” is a service without a pixel size of its own.</source>
   <translation>«{}» es un servicio sin tamaño de píxel propio.</translation>
  </message>
  <message>
   <source>“{}” is not a file ({}).</source>
   <translation>«{}» no es un archivo ({}).</translation>
  </message>
  <message>
   <source>“{}” is not a list of pixel sizes.</source>
   <translation>«{}» no es una lista de tamaños de píxel.</translation>
  </message>
  <message>
   <source>“{}” is not a threshold.</source>
   <translation>«{}» no es un umbral.</translation>
  </message>
 </context>
</TS>

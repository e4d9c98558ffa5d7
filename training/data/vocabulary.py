"""General words for what is seen from above: every scene class under many names, and words no class here has.

Written from dictionaries' common sense, not from any evaluation set: a model that knows a class under one name only
has learnt a label, not a word. An entry is a noun phrase in the singular, an article is added where it has one;
a leading `*` marks a mass noun or a plural, which take none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Concept:
    """One scene class.

    Attributes:
        names: Its names: what captions are drawn from.
        views: Short descriptions that hold for about any image of it, complete noun phrases; drawn less often.
        also: True of it but too unspecific to be drawn: never a negative for such an image.
    """

    names: tuple[str, ...]
    views: tuple[str, ...] = ()
    also: tuple[str, ...] = ()


def _c(names: str, views: str = "", also: str = "") -> Concept:
    def cut(text: str) -> tuple[str, ...]:
        return tuple(p.strip() for p in text.split(",") if p.strip())

    return Concept(cut(names), cut(views), cut(also))


# Keys are `concept_key` of the class names found in the shards.
CONCEPTS: dict[str, Concept] = {
    "airport": _c(
        "airport, airfield, *airport runways, airport terminal, *aircraft parking, aerodrome, airport apron",
        "airplanes parked at an airport terminal, an airport with runways and taxiways, aircraft on the tarmac",
        "*airplanes, *aircraft, runway, *runways, transport infrastructure"),
    "bare land": _c(
        "*bare land, *bareland, *bare ground, *barren land, *bare soil, *exposed soil, *empty land, *wasteland, "
        "*vacant land, *dirt ground, *bare earth, *unvegetated land",
        "bare ground without vegetation, an empty piece of bare land, brown bare soil", "*open land, *soil"),
    "baseball field": _c(
        "baseball field, baseball diamond, baseball ground, softball field, baseball court, baseball park, ballpark",
        "a baseball diamond with a grass outfield, a fan shaped baseball field",
        "sports field, sports ground, *playing fields, playground, *grass"),
    "beach": _c(
        "beach, sandy beach, seashore, coast, shoreline, *beach sand, coastline, seaside, *sandy shore, ocean beach",
        "waves breaking on a sandy beach, sand and sea, a strip of sand beside the ocean",
        "sea, ocean, *water, *sand, *waves"),
    "bridge": _c(
        "bridge, road bridge, *bridges, river crossing, bridge over water, highway bridge",
        "a bridge crossing a river, a bridge over the water, a road bridge spanning a river",
        "river, *water, road, waterway, transport infrastructure"),
    "center": _c(
        "center, centre, civic center, convention center, sports center, exhibition hall, large public building, "
        "cultural center, arena, conference center, landmark building",
        "a large modern public building, a big building with a distinctive roof, a large hall with parking lots",
        "building, *buildings, large building, *parking lots"),
    "church": _c(
        "church, cathedral, chapel, basilica, place of worship, religious building, church building, *churches",
        "a church surrounded by buildings, a cathedral with a dome or tower, a cross shaped church roof",
        "building, *buildings, temple, historic building"),
    "commercial": _c(
        "commercial area, commercial district, business district, *office buildings, downtown, shopping area, "
        "city center, *shops and offices, *commercial buildings, *high-rise buildings, central business district, "
        "*tall buildings, *skyscrapers",
        "tall office buildings in a business district, a busy city center with shops and offices",
        "*buildings, city, urban area, built-up area, *streets, town"),
    "dense residential": _c(
        "dense residential area, *densely packed houses, crowded neighbourhood, *dense housing, residential area, "
        "dense neighborhood, residential district, *tightly packed houses, high-density housing area, "
        "residential quarter, crowded residential district, *apartment blocks",
        "rows of closely spaced houses, many roofs close together, houses crowded side by side",
        "*houses, *homes, *buildings, *housing, built-up area, urban area, neighborhood, city, *roofs, town"),
    "desert": _c(
        "desert, *sand dunes, sandy desert, *desert sand, arid land, *dunes, *sand, *arid desert",
        "ripples of sand in a desert, a vast yellow desert, dry land covered with sand dunes",
        "*bare land, *barren land"),
    "farmland": _c(
        "*farmland, *farmlands, *cropland, *agricultural fields, *fields, field, *crop fields, *farm fields, "
        "*agricultural land, *cultivated land, *arable land, *agriculture, *crops, farm, *plowed fields, "
        "*farm plots, *cultivated fields, *farming",
        "a patchwork of cultivated fields, rectangular agricultural plots, strips of farmland with crops",
        "*rural land, countryside, *plants"),
    "forest": _c(
        "forest, *woods, woodland, *trees, *dense forest, *tree cover, *dense trees, *forest trees, *tree canopy, "
        "*green trees, *wooded land, *forested land, jungle",
        "a dense canopy of trees, a forest seen from above, dark green trees packed together",
        "*vegetation, *greenery, *nature"),
    "industrial": _c(
        "industrial area, *industry, factory, *factories, industrial zone, *factory buildings, industrial park, "
        "*warehouses, manufacturing plant, *industrial buildings, industrial site, industrial district, "
        "industrial estate, *plants and warehouses, industrial facility, works",
        "large factory buildings and warehouses, factory roofs and storage yards, an industrial complex",
        "*buildings, building, built-up area, urban area, *roofs"),
    "meadow": _c(
        "meadow, *grassland, *grass, grass field, *pasture, *green grass, *meadows, lawn, *lawns, grassy field, "
        "*grazing land, prairie, *open grassland, *hay meadow",
        "a wide open green field of grass, short green grass without trees, a plain green meadow",
        "field, *vegetation, *greenery, *open land, countryside"),
    "medium residential": _c(
        "residential area, medium residential area, medium-density residential area, *houses, suburb, "
        "suburban neighborhood, neighborhood, *suburban houses, *family homes, housing estate, *homes, "
        "residential neighbourhood, housing area, *suburban homes",
        "houses with gardens along streets, detached houses with yards and trees, a suburb with rows of houses",
        "*buildings, *housing, built-up area, urban area, *roofs, town"),
    "mountain": _c(
        "mountain, *mountains, mountain range, *hills, mountain ridge, *rocky mountains, mountainous area, *highlands, "
        "mountain slope, *mountain terrain, *peaks and valleys, *rugged terrain",
        "ridges and valleys of a mountain range, bare rocky slopes, steep mountains seen from above",
        "*nature, *rocks"),
    "park": _c(
        "park, public park, city park, *green space, urban park, *gardens, recreation area, *parkland, *park lawns, "
        "public garden",
        "a park with trees and paths, a green park with a pond in a city, lawns and paths among trees",
        "*trees, *greenery, garden, *vegetation"),
    "parking": _c(
        "parking lot, car park, parking area, *parked cars, *cars, parking, *parking spaces, *vehicles, "
        "*parked vehicles, *rows of cars, parking place",
        "many cars parked in rows, a car park full of vehicles, marked parking spaces with cars",
        "car, *asphalt, *pavement"),
    "playfields": _c(
        "*sports fields, *playing fields, sports ground, *sports courts, *basketball courts, *tennis courts, "
        "sports complex, athletic field, recreation ground, *courts, *sports facilities, *ball courts",
        "several courts and fields for sport, basketball and tennis courts side by side",
        "playground, tennis court, basketball court, football field, soccer field"),
    "playground": _c(
        "playground, sports field, athletic track, running track, football field, soccer field, ground track field, "
        "athletics field, sports ground, *playing field, track and field ground, football pitch, soccer pitch",
        "a running track around a green field, an oval track with a soccer field inside",
        "*sports facilities, *grass, sports court, basketball court"),
    "pond": _c(
        "pond, lake, small lake, *pool of water, body of water, fishpond, *ponds, reservoir, *fresh water, water body, "
        "*inland water",
        "a pond with green water, a small lake surrounded by trees, still water with vegetated banks",
        "*water, water surface, water area"),
    "port": _c(
        "port, harbor, harbour, marina, *docks, *boats, *ships, wharf, dock, *piers, *moored boats, *boats at a pier, "
        "shipyard, seaport, ferry terminal",
        "boats moored at piers, ships at the docks of a port, rows of boats in a harbor",
        "*water, boat, ship, sea, *vessels, waterfront"),
    "railway station": _c(
        "railway station, train station, *railway tracks, *rail tracks, *railroad tracks, railroad station, *trains, "
        "*railway, rail yard, railway, railroad, station",
        "many parallel railway tracks, train platforms with a long roof, tracks leading into a station",
        "*buildings, building, transport infrastructure"),
    "resort": _c(
        "resort, holiday resort, hotel, hotel complex, tourist resort, vacation resort, beach resort, *hotel pools, "
        "holiday village, *villas with pools",
        "hotel buildings with swimming pools, a resort with pools and palm trees, holiday villas near the water",
        "*buildings, swimming pool, *swimming pools, *trees"),
    "river": _c(
        "river, stream, waterway, river bend, *rivers, *flowing water, *river water, river channel, winding river, "
        "watercourse, creek, canal",
        "a river winding through the land, a wide river with green banks, a curved stream of water",
        "*water, body of water, water body, water area, water surface"),
    "school": _c(
        "school, campus, school campus, university, *school buildings, college, *educational buildings, "
        "university campus, school ground, educational institution",
        "school buildings around a sports field, a campus with teaching buildings and a playground",
        "*buildings, building, *trees"),
    "sparse residential": _c(
        "sparse residential area, *scattered houses, *rural houses, *farmhouses, *isolated houses, "
        "low-density residential area, *countryside houses, rural settlement, *houses among trees, "
        "sparsely populated residential area, hamlet, homestead, residential area",
        "a few scattered houses, a single house among trees, houses far apart from each other, "
        "a few houses surrounded by vegetation",
        "house, *houses, building, *buildings, *homes, countryside, *trees, village"),
    "square": _c(
        "square, public square, plaza, city square, town square, *paved square, piazza, central square",
        "a large paved square in a city, an open plaza between buildings, a circular flower bed in a square",
        "*buildings, city, urban area"),
    "stadium": _c(
        "stadium, sports stadium, football stadium, sports arena, arena, soccer stadium, *stadium stands, grandstand",
        "an oval stadium with a green field, seats around a football field, a big stadium with a roof",
        "football field, soccer field, building, *sports facilities, playground, large building"),
    "storage tanks": _c(
        "*storage tanks, storage tank, *oil tanks, *tanks, *fuel tanks, tank farm, *oil storage, *gas tanks, "
        "oil depot, *circular tanks, refinery, *silos",
        "rows of round white tanks, cylindrical storage tanks, large circular oil tanks on the ground",
        "industrial area, *industry, industrial facility"),
    "viaduct": _c(
        "viaduct, overpass, highway interchange, flyover, road interchange, highway overpass, *elevated roads, "
        "freeway interchange, interchange, motorway junction, *highway ramps, cloverleaf interchange",
        "elevated roads crossing each other, a ring shaped highway interchange, ramps of a multi-level junction",
        "road, *roads, highway, *highways, freeway, bridge, motorway, transport infrastructure"),
    # 10 m land cover
    "cropland": _c(
        "*cropland, *farmland, *agricultural fields, *fields, *crop fields, *agricultural land, *cultivated land, "
        "*arable land, *crops, *agriculture, field, *annual crop, *irrigated fields, *farms",
        "a patchwork of small agricultural fields, fields of crops, a mosaic of cultivated plots",
        "*rural land, countryside, *farm fields"),
    "built up": _c(
        "built-up area, city, urban area, settlement, *buildings, *houses, town, residential area, *urban fabric, "
        "*built-up land, developed area, *artificial surfaces, neighborhood, urban settlement, *housing",
        "dense buildings and streets of a city, a built-up urban area, roofs and streets of a town",
        "*roofs, *streets, *homes, *roads, village, dense residential area"),
    "tree cover": _c(
        "*tree cover, forest, *trees, *woods, woodland, *tree canopy, *dense trees, *wooded land, *forested land",
        "an area covered with trees, a dense stand of trees, dark green tree canopy",
        "*vegetation, *greenery, *green trees, park"),
    "shrubland": _c(
        "*shrubland, *shrubs, *bushes, *scrub, *scrubland, *bushland, *shrub and scrub, *brush, *thicket",
        "low bushes and shrubs, sparse scrub on dry ground, an area of shrubs", "*vegetation"),
    "grassland": _c(
        "*grassland, *grass, meadow, *pasture, *open grassland, *herbaceous vegetation, grass field, *grazing land",
        "open land covered with grass, a green grassy area", "*vegetation, field"),
    "bare sparse vegetation": _c(
        "*bare land, *sparse vegetation, *barren land, *bare soil, *bare ground, *sand, "
        "*bare or sparsely vegetated land",
        "bare ground with little vegetation", "*open land, *soil"),
    "permanent water bodies": _c(
        "water body, body of water, lake, river, *water, *open water, reservoir, *inland water, *permanent water",
        "open water of a lake or river, a dark water surface", "pond, *fresh water, water surface, stream"),
    "herbaceous wetland": _c(
        "wetland, marsh, swamp, *herbaceous wetland, *marshland, *flooded vegetation", "wet land with reeds",
        "*vegetation"),
    # houses after a flood
    "flooded or damaged building": _c(
        "flooded building, flooded house, *flooded houses, *flooded buildings, damaged building, damaged house, "
        "*flood damage, *flooding, flooded area, flooded residential area, *flood water, flooded or damaged building, "
        "flooded neighborhood, *hurricane damage, *floodwater, inundated house, *submerged houses",
        "a house standing in flood water, houses surrounded by brown flood water, "
        "streets under water after a hurricane, a building damaged by a hurricane, homes inundated by a flood",
        "*houses, house, building, *buildings, *water, residential area, disaster"),
    "undamaged building": _c(
        "intact building, undamaged building, intact house, *intact houses, *undamaged houses, *intact buildings, "
        "undamaged house, dry house, *dry houses, unflooded house, unaffected building, *houses on dry ground",
        "a house without any damage, a dry neighborhood without flooding, houses not affected by the flood, "
        "intact roofs and dry streets",
        "*houses, house, building, *buildings, residential area"),
}

# Names above that say what is in a scene rather than what the scene is: no synonyms in a holdout's word list.
CONTENTS = frozenset(
    "cars|vehicles|parked cars|parked vehicles|rows of cars|boats|ships|moored boats|boats at a pier|trees|green trees|"
    "dense trees|tree canopy|buildings|tall buildings|houses|homes|housing|sand|fresh water|grass|green grass|"
    "lawn|lawns|water|field|fields|crops|airport apron|trains|building|large public building|flood water|"
    "floodwater|station|works|gardens|courts|hotel|tanks|centre|center|college|university|arena|soil".split("|")
)

# Noun phrases that no class here covers, for text anchors (sentences without images): the query words of users.
GENERAL_NOUNS: tuple[str, ...] = (
    "solar farm", "*solar panels", "wind turbine", "*wind turbines", "roundabout", "traffic circle", "orchard",
    "vineyard", "olive grove", "*greenhouses", "*rice paddies", "tea plantation", "palm plantation", "golf course",
    "cemetery", "quarry", "open-pit mine", "landfill", "construction site", "dam", "hydroelectric dam", "power plant",
    "nuclear power plant", "*cooling towers", "substation", "*power lines", "*transmission towers", "water tower",
    "wastewater treatment plant", "sewage works", "swimming pool", "tennis court", "basketball court", "race track",
    "ice rink", "skate park", "amusement park", "zoo", "campsite", "trailer park", "mobile home park", "*caravans",
    "castle", "palace", "mosque", "temple", "pagoda", "monastery", "ruin", "archaeological site", "pyramid",
    "lighthouse", "breakwater", "pier", "jetty", "lock", "canal", "ditch", "estuary", "delta", "lagoon", "*mangroves",
    "coral reef", "island", "atoll", "cliff", "volcano", "crater", "glacier", "*snow", "*ice", "*sea ice", "iceberg",
    "*tundra", "savanna", "steppe", "oasis", "*salt flats", "salt pan", "*mudflats", "swamp", "marsh", "peat bog",
    "heath", "*deforestation", "clearing", "*burned area", "wildfire", "*smoke", "landslide", "*flooding", "drought",
    "village", "slum", "refugee camp", "informal settlement", "skyscraper", "hospital", "prison", "shopping mall",
    "supermarket", "warehouse", "barn", "farm", "silo", "greenhouse", "livestock pen", "cattle feedlot", "*sheep",
    "*cows", "fish farm", "aquaculture pond", "sawmill", "timber yard", "scrapyard", "junkyard", "container terminal",
    "*shipping containers", "cargo ship", "oil tanker", "cruise ship", "sailboat", "*yachts", "ferry", "submarine",
    "helicopter", "helipad", "fighter jet", "hangar", "airplane", "runway", "taxiway", "control tower", "bus station",
    "bus stop", "truck", "*trucks", "bus", "van", "minibus", "car", "tractor", "train", "tram line", "subway station",
    "railway bridge", "level crossing", "tunnel entrance", "intersection", "crossroads", "T-junction", "highway",
    "motorway", "freeway", "dirt road", "gravel track", "hiking trail", "footpath", "zebra crossing", "toll station",
    "service area", "gas station", "petrol station", "oil well", "pipeline", "drilling rig", "military base",
    "shooting range", "border fence", "wall", "hedge", "hedgerow", "single tree", "*palm trees", "*conifers",
    "deciduous forest", "pine forest", "eucalyptus plantation", "tree nursery", "*wheat fields", "corn field",
    "*maize", "cotton field", "sunflower field", "*sugar cane", "center pivot irrigation", "*circular fields",
    "terraced fields", "*paddy fields", "allotment garden", "backyard", "driveway", "rooftop", "*rooftops", "*chimneys",
    "courtyard", "fountain", "monument", "statue", "amphitheatre", "theater", "museum", "town hall", "market",
    "fairground", "football stadium", "cricket ground", "baseball stadium", "ski slope", "ski resort", "chairlift",
    "waterfall", "spring", "rapids", "sandbank", "sandbar", "*shadows", "*clouds", "*haze", "*fog",
)

# Interchangeable words in sentences (METHODS 6.5); every row's words may stand for one another, same number.
SYNONYM_ROWS: tuple[tuple[str, ...], ...] = (
    ("airplanes", "planes", "aircraft", "aeroplanes"), ("airplane", "plane", "aeroplane"),
    ("houses", "homes", "residential buildings"), ("cars", "vehicles", "automobiles"), ("boats", "ships", "vessels"),
    ("road", "street"), ("roads", "streets"), ("bareland", "bare land", "bare ground", "barren land"),
    ("farmland", "cropland", "agricultural land"), ("farmlands", "fields", "crop fields", "agricultural fields"),
    ("meadow", "grassland", "grass field"), ("meadows", "grasslands"), ("forest", "woods", "woodland"),
    ("port", "harbor", "harbour"), ("parking lot", "car park", "parking area"), ("parking lots", "car parks"),
    ("pond", "small lake"), ("railway station", "train station", "railroad station"), ("railways", "railway tracks",
    "railroads"), ("viaduct", "overpass", "flyover", "interchange"), ("playground", "sports field", "sports ground"),
    ("football field", "soccer field", "football pitch"), ("storage tanks", "oil tanks", "tanks"), ("factory",
    "industrial plant"), ("industrial area", "industrial zone", "industrial district"), ("commercial area",
    "business district", "commercial district"), ("dense residential area", "densely built residential area",
    "crowded residential area"), ("medium residential area", "residential area", "suburban residential area"),
    ("sparse residential area", "sparsely built residential area", "low-density residential area"), ("ocean", "sea"),
    ("beach", "sandy beach", "shore"), ("many", "lots of", "numerous", "a lot of"), ("several", "some", "a few"),
    ("gray", "grey"), ("big", "large"), ("next to", "beside", "close to", "near"), ("surrounded by", "encircled by"),
    ("lawn", "grass"), ("square", "plaza"), ("baseball field", "baseball diamond"), ("baseball fields",
    "baseball diamonds"), ("green plants", "green vegetation"), ("school", "campus"), ("trees", "plants"),
    ("swimming pool", "pool"), ("tall buildings", "high-rise buildings", "skyscrapers"),
)

DIRECTION_WORDS = frozenset(
    "left right top bottom upper lower above below north south east west northern southern eastern western northeast "
    "northwest southeast southwest leftmost rightmost uppermost horizontal horizontally vertical vertically "
    "diagonal diagonally".split()
)


def concept_key(class_name: str) -> str:
    """`SparseResidential`, `sparse_residential`, `Sparse residential` -> `sparse residential`."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", class_name)
    return " ".join(re.sub(r"[^0-9A-Za-z]+", " ", spaced).lower().split())


def concept(class_name: str) -> Concept:
    """The concept of a class; an unknown class is its own only name."""
    key = concept_key(class_name)
    if key in CONCEPTS:
        return CONCEPTS[key]
    plural = key.endswith("s") and not key.endswith("ss")
    return Concept((("*" if plural else "") + key,))


def bare(entry: str) -> str:
    """The entry as plain words."""
    return entry.lstrip("*")


def with_article(entry: str) -> str:
    """`airport` -> `an airport`; mass nouns and plurals stay as they are."""
    if entry.startswith("*"):
        return entry[1:]
    vowel = entry[0].lower() in "aeiou" and not re.match(r"(uni|use|eu|one)", entry.lower())
    return f"{'an' if vowel else 'a'} {entry}"


def plural(entry: str) -> str:
    """`church` -> `churches`; entries without a plural stay as they are."""
    if entry.startswith("*"):
        return entry[1:]
    head, _, rest = entry.partition(" of ")
    if re.search(r"(s|x|ch|sh)$", head):
        head += "es"
    elif re.search(r"[^aeiou]y$", head):
        head = head[:-1] + "ies"
    elif head.endswith("craft"):
        pass
    else:
        head += "s"
    return f"{head} of {rest}" if rest else head

"""What OpenStreetMap's tags look like from above, as noun phrases."""

from __future__ import annotations

from collections.abc import Mapping

# key: value=noun, ...; a value alone is its own noun; `*` marks mass nouns and plurals as in training.data.vocabulary
_TABLE = """
aeroway: aerodrome=airport, runway, taxiway, apron=airport apron, terminal=airport terminal, helipad, hangar
amenity: parking=parking lot, school, university=university campus, college=college campus, hospital,
    place_of_worship, fuel=gas station, marketplace=market place, grave_yard=cemetery, prison, fountain,
    bus_station, fire_station, theatre, kindergarten
barrier: wall, hedge, fence
boundary: protected_area
building: apartments=apartment building, barn, cathedral, church, chapel, mosque, temple,
    commercial=commercial building, detached=detached house, farm=farmhouse, garage, garages=*garages,
    greenhouse, hangar, house, industrial=industrial building, office=office building, residential=residential
    building, retail=shop building, school=school building, shed, silo, stadium, terrace=*terraced houses,
    train_station, warehouse
highway: bus_stop, cycleway=cycle path, footway=footpath, path, motorway, motorway_link=motorway ramp,
    primary=main road, trunk=major road, residential=residential street, service=service road, track=dirt
    track, unclassified=minor road, pedestrian=pedestrian square, crossing=pedestrian crossing, steps=*steps,
    secondary=road, tertiary=road, turning_circle, mini_roundabout=roundabout
junction: roundabout
historic: castle, ruins=*ruins, monument
landuse: allotments=*allotment gardens, basin=water basin, brownfield=*vacant land, cemetery,
    commercial=commercial area, construction=construction site, farmland=*farmland, farmyard, forest,
    garages=*garages, grass=*grass, greenhouse_horticulture=*greenhouses, industrial=industrial area,
    landfill, meadow, military=military area, orchard, plant_nursery, quarry, railway=railway area,
    recreation_ground, reservoir, residential=residential area, retail=shopping area, salt_pond, vineyard
leisure: garden, golf_course, marina, nature_reserve, park, pitch=sports pitch, playground, stadium,
    swimming_pool, track=running track, sports_centre, slipway
man_made: bridge, breakwater, chimney, lighthouse, pier, storage_tank, silo, tower,
    wastewater_plant=wastewater treatment plant, water_tower, works=factory, pipeline
natural: bare_rock=*bare rock, bay, beach, cliff, coastline, glacier, grassland=*grassland, heath, sand=*sand,
    scree=*scree, scrub=*scrubland, tree, tree_row=row of trees, water=water body, wetland, wood=*woods
place: island, square
power: generator=power generator, line=power line, plant=power plant, substation, tower=transmission tower
railway: platform=railway platform, rail=railway track, station=railway station, tram=tram line,
    level_crossing
shop: mall=shopping mall, supermarket
sport: baseball=baseball field, basketball=basketball court, soccer=soccer field, tennis=tennis court
tourism: camp_site=campsite, hotel, museum, zoo, theme_park=amusement park
water: lake, pond, reservoir, river
waterway: canal, dam, ditch, river, riverbank=river, stream, weir
"""


def _parse(table: str) -> dict[str, str]:
    tags = {}
    for line in table.strip().replace("\n    ", " ").splitlines():
        key, _, pairs = line.partition(":")
        for pair in (part.strip() for part in pairs.split(",")):
            value, _, noun = pair.partition("=")
            tags[f"{key}={value}"] = noun or value.replace("_", " ")
    return tags


TAGS = _parse(_TABLE)
# the more telling keys first: a school's playing field is a pitch before it is a school's ground
KEYS = (
    "sport", "leisure", "aeroway", "man_made", "water", "junction", "amenity", "tourism", "historic", "power", "shop",
    "railway", "waterway", "natural", "landuse", "place", "barrier", "highway", "building", "boundary",
)
# keys whose bare or unknown values still say something
BARE = {
    "building": "building", "highway": "road", "waterway": "waterway", "railway": "railway", "water": "water body",
    "aeroway": "airfield", "shop": "shop",
}


def noun_of(tags: Mapping[str, str]) -> str | None:
    """The noun phrase of OSM tags, or None where they say nothing that can be seen."""
    for key in KEYS:
        value = tags.get(key, "").split(";")[0].strip().lower()
        if not value or value == "no":
            continue
        if f"{key}={value}" in TAGS:
            return TAGS[f"{key}={value}"]
        if key in BARE:
            return BARE[key]
    return None


# what a value without its key means depends on what it stands on: `residential` is a building, a street, an area
_LINES = ("highway", "railway", "waterway", "aeroway", "barrier", "power")


def noun_of_value(value: str, line: bool = False, building: bool = False) -> str | None:
    """The noun phrase of a value whose key is not told, as in Geofabrik's `fclass` and Overture's `class`.

    Args:
        value: Such as `residential`.
        line: It is told of a line.
        building: It is told of a building.
    """
    first = ("building",) if building else _LINES if line else ()
    return next((TAGS[f"{k}={value.lower()}"] for k in (*first, *KEYS) if f"{k}={value.lower()}" in TAGS), None)

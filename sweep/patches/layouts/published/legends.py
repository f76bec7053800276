"""What the values and colours of published masks mean, as their publishers say."""

from __future__ import annotations

from trainables.task import IGNORE, REST, Task


def _classes(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(","))


LOVEDA = Task(
    kind="multiclass",
    classes=_classes("background, building, road, water, barren, forest, agricultural"),
    colours=((255, 255, 255), (255, 0, 0), (255, 255, 0), (0, 0, 255), (159, 129, 183), (0, 255, 0), (255, 195, 128)),
    remap={
        "0": IGNORE,
        "1": "background",
        "2": "building",
        "3": "road",
        "4": "water",
        "5": "barren",
        "6": "forest",
        "7": "agricultural",
    },
)
"""Source: LoveDA's readme; the colours are those of mmsegmentation."""

DEEPGLOBE_LAND = Task(
    kind="multiclass",
    classes=_classes("urban land, agriculture land, rangeland, forest land, water, barren land"),
    colours=((0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255), (255, 255, 255)),
    remap={"0,0,0": IGNORE},
)
"""Source: the readme of DeepGlobe's land cover challenge."""

LANDCOVER_AI = Task(kind="multiclass", classes=_classes("background, building, woodland, water, road"))
"""Source: landcover.ai; the first version has no roads."""

ISPRS = Task(
    kind="multiclass",
    classes=_classes("impervious surfaces, building, low vegetation, tree, car, clutter"),
    colours=((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)),
    remap={"0,0,0": IGNORE},
)
"""Source: ISPRS 2D semantic labelling contest. Black is the border that noBoundary leaves out."""

ISAID = Task(
    kind="multiclass",
    classes=_classes(
        "background, ship, storage tank, baseball diamond, tennis court, basketball court, ground track field, bridge,"
        "large vehicle, small vehicle, helicopter, swimming pool, roundabout, soccer ball field, plane, harbor"
    ),
    colours=(
        *((0, 0, 0), (0, 0, 63), (0, 63, 63), (0, 63, 0), (0, 63, 127), (0, 63, 191), (0, 63, 255), (0, 127, 63)),
        *((0, 127, 127), (0, 0, 127), (0, 0, 191), (0, 0, 255), (0, 191, 127), (0, 127, 191), (0, 127, 255)),
        (0, 100, 155),
    ),
)
"""Source: helpers/labels.py of iSAID's development kit."""

DUBAI = Task(
    kind="multiclass",
    classes=_classes("land, building, road, vegetation, water"),
    colours=((132, 41, 246), (60, 16, 152), (110, 193, 228), (254, 221, 58), (226, 169, 41)),
    remap={"155,155,155": IGNORE, "0,0,0": IGNORE},
)
"""Source: the publisher's page. The colours of its classes.json are others than those of its masks."""

VOC = Task(
    kind="multiclass",
    classes=_classes(
        "background, aeroplane, bicycle, bird, boat, bottle, bus, car, cat, chair, cow, diningtable, dog, horse,"
        "motorbike, person, pottedplant, sheep, sofa, train, tvmonitor"
    ),
)
"""Source: Pascal VOC's development kit; 255 is the border. Indices count, not the palette that shows them."""

CITYSCAPES = Task(
    kind="multiclass",
    classes=_classes(
        "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, terrain, sky, person,"
        "rider, car, truck, bus, train, motorcycle, bicycle"
    ),
    remap={
        **{"7": "road", "8": "sidewalk", "11": "building", "12": "wall", "13": "fence", "17": "pole"},
        **{"19": "traffic light", "20": "traffic sign", "21": "vegetation", "22": "terrain", "23": "sky"},
        **{"24": "person", "25": "rider", "26": "car", "27": "truck", "28": "bus", "31": "train"},
        **{"32": "motorcycle", "33": "bicycle", REST: IGNORE},
    },
)
"""Source: helpers/labels.py of cityscapesScripts: the classes that have a train id."""

CAMVID_11 = Task(
    kind="multiclass",
    classes=_classes("sky, building, pole, road, pavement, tree, sign symbol, fence, car, pedestrian, bicyclist"),
    colours=(
        *((128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (0, 0, 192), (128, 128, 0), (192, 128, 128)),
        *((64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)),
    ),
    remap={"11": IGNORE},
)
"""Source: the tutorial of SegNet; 11 is unlabelled."""

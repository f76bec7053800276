"""Seeded synthetic scenes: roofs from the air with their outlines, and roads with four classes."""

from sweep.patches.synthetic.roads import ROAD_CLASSES, ROAD_COLOURS, draw_road_scene
from sweep.patches.synthetic.scene import SCENE_KINDS, draw_scene

__all__ = ["ROAD_CLASSES", "ROAD_COLOURS", "SCENE_KINDS", "draw_road_scene", "draw_scene"]

"""Seeded synthetic aerial scenes with the outlines of their roofs."""

from trainables.data.synthetic.scene import SCENE_KINDS, draw_scene

__all__ = ["SCENE_KINDS", "draw_scene"]

"""Classifiers of pixels on a frozen encoder's features, fitted in closed form: the floor that a training must beat."""

"""How right a class map is: a sample of its pixels, labelled by eye, and what follows from it."""

"""Ways to choose what is labelled next, behind one seam."""

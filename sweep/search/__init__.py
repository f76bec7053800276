"""Where recipes come from: planned trials and studies."""

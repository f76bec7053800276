"""Opens layers in QGIS as a user would, and says how they are drawn; run by the Python that QGIS has."""

import json
import os
import sys

os.environ["QT_QPA_PLATFORM"] = "offscreen"

from qgis.core import (  # type: ignore[import-not-found]
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize  # type: ignore[import-not-found]

QgsApplication.setPrefixPath("/usr", True)
application = QgsApplication([], False)
application.initQgis()
out, *paths = sys.argv[1:]
found = {}
layers = []
for path in paths:
    layer = QgsRasterLayer(path, "raster") if path.endswith(".tif") else QgsVectorLayer(path, "vector")
    assert layer.isValid(), path
    renderer = layer.renderer()
    items = (
        [(item.label(), item.symbol().color().name()) for item in renderer.legendSymbolItems()]
        if path[-3:] != "tif"
        else [(one.label, one.color.name(), one.color.alpha()) for one in getattr(renderer, "classes", list)()]
    )
    if renderer.type() == "singlebandpseudocolor":
        steps = renderer.shader().rasterShaderFunction().colorRampItemList()
        items = [(one.label, one.color.name(), one.value) for one in steps]
    found[path] = {"type": renderer.type(), "legend": items}
    layers.insert(0, layer)
settings = QgsMapSettings()
settings.setLayers(layers)
settings.setExtent(layers[-1].extent())
settings.setOutputSize(QSize(layers[-1].width(), layers[-1].height()))
settings.setDestinationCrs(layers[-1].crs())
job = QgsMapRendererParallelJob(settings)
job.start()
job.waitForFinished()
job.renderedImage().save(out)
sys.stdout.write(json.dumps(found))

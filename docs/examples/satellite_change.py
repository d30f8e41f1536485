"""How an area changed between two dates: the same places in two GeoTIFF pictures, their areas in square metres.

python satellite_change.py URL DATASET BEFORE.tif AFTER.tif X,Y [X,Y ...]        the token is in ANYMASK_TOKEN
"""

import os
import sys
from pathlib import Path

from annotation.client import Client

client = Client(sys.argv[1], os.environ["ANYMASK_TOKEN"])
dataset, files = int(sys.argv[2]), [Path(name) for name in sys.argv[3:5]]
prompts = [{"name": place, "points": [[float(side) for side in place.split(",")]]} for place in sys.argv[5:]]
for file in files:
    client.upload(dataset, file)
images = {one.file_name: one.id for one in client.images(dataset)}
before, after = (client.segment(images[file.name], prompts) for file in files)
print("place,before m2,after m2,change m2")
for old, new in zip(before, after, strict=True):
    if old.area_m2 is None or new.area_m2 is None:
        sys.exit(f"{old.name}: the size of a pixel is not known; set it on the page Measurements")
    print(f'"{old.name}",{old.area_m2:.1f},{new.area_m2:.1f},{new.area_m2 - old.area_m2:+.1f}')

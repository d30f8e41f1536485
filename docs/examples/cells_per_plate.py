"""How many cells lie on each plate: everything like the masks of one category, counted on every picture, as CSV.

python cells_per_plate.py URL DATASET CATEGORY THRESHOLD        the token is in ANYMASK_TOKEN
"""

import csv
import os
import sys

from annotation.client import Client

client = Client(sys.argv[1], os.environ["ANYMASK_TOKEN"])
dataset, category, threshold = int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
table = csv.writer(sys.stdout)
table.writerow(["plate", "cells", "mean area in pixels"])
for plate in client.images(dataset):
    cells = [one for one in client.find_alike(plate.id, category=category) if one.score >= threshold]
    mean = sum(one.area for one in cells) / len(cells) if cells else 0
    table.writerow([plate.file_name, len(cells), round(mean, 1)])

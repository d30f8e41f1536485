"""Where a gripper takes hold: boxes of a detector in, centroid, box and angle of every object out, the surest first.

python robot_pick.py URL IMAGE X0,Y0,X1,Y1 [X0,Y0,X1,Y1 ...]        the token is in ANYMASK_TOKEN
"""

import json
import os
import sys

from annotation.client import Client

client = Client(sys.argv[1], os.environ["ANYMASK_TOKEN"])
image = int(sys.argv[2])
prompts = [{"name": f"part {n}", "box": [float(side) for side in box.split(",")]} for n, box in enumerate(sys.argv[3:])]
found = [one for one in client.segment(image, prompts, orientation=True) if one.area > 0]
for one in sorted(found, key=lambda one: -one.predicted_iou):
    # The gripper closes across the shorter axis: its angle is that of the longer one turned by 90 degrees.
    pick = {"name": one.name, "centroid": one.centroid, "box": one.bbox, "angle": one.angle, "width": one.minor}
    print(json.dumps(pick))

"""What all clients here have in common: where the gate is, which key to show, and how they say what they saw.

A client prints one line of JSON: `error`, the classes of the exception that its user would catch, the nearest
first, and what the user can read in it. Its retries are as its makers set them.
"""

import json
import os

GATE = os.environ["GATE"]
KEY = os.environ["KEY"]


def classes(why):
    return [kind.__name__ for kind in type(why).__mro__ if kind not in (Exception, BaseException, object)]


def say(**seen):
    print(json.dumps(seen))

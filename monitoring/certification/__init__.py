"""KRA's automated test: 23 cases in its order, within its hour, through our own services.

KRA's answers are Call rows, and the folder's state file says which case they belong to; a second
start goes on from there. What a case did before a crash is never done twice: the services know
their references, and the device is never initialised again.
"""

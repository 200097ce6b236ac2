"""The gateway: knows who calls and which service answers, and nothing of the business."""

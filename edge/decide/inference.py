"""Brings in onnxruntime, which must not report to its makers what a PoP runs.

Its wheels of today count sessions, describe models by their hashes and make an id of the
machine, and send all of it over HTTPS. The variable is read once, as the library is loaded; a
call to `disable_telemetry_events` comes too late for the id and the first report.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort"]

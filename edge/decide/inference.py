"""Brings in onnxruntime, which must neither report what a PoP runs nor take a PoP's memory.

Its wheels of today count sessions, describe models by their hashes and make an id of the
machine, and send all of it over HTTPS. The variable is read once, as the library is loaded; a
call to `disable_telemetry_events` comes too late for the id and the first report.

All sessions of a process take what they compute with from one arena that has an end: a graph that
asks for more fails that call, where it would end the process.
"""

import os
from typing import Final

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["MAX_RUN_BYTES", "ort", "session_options"]

MAX_RUN_BYTES: Final = 512 << 20
"""What all calls of a process may hold at once; arrays that are bound do not count."""

ort.create_and_register_allocator(
    ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT),
    ort.OrtArenaCfg(MAX_RUN_BYTES, -1, -1, -1),  # the others as onnxruntime has them
)


def session_options() -> ort.SessionOptions:
    """On one thread, as a worker is one core, and with memory from the arena alone."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Plans of memory are kept for each shape ever seen, without bound.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4  # what goes wrong is raised as well
    return options

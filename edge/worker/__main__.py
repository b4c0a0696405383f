"""`python -m edge.worker`: started by the supervisor."""

import sys

from edge import log
from edge.lifeline import read_inherited
from edge.settings import read_settings
from edge.worker.main import main

inherited, rest = read_inherited(sys.argv[1:])
settings = read_settings(rest)
log.configure(settings.log_level, f"worker-{inherited.index}", settings.log_format)
main(settings, inherited)

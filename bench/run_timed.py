"""Runs a command and prints JSON: seconds by the clock, peak memory, exit code.

    python3 -I -S bench/run_timed.py COMMAND...

In a process as small as this one, because Linux counts a child's memory from that of the process it was forked from.
"""

import json
import resource
import subprocess
import sys
import time

start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=False)
wall_s = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
facts = {
    "wall_s": wall_s,
    "peak_bytes": 1024 * used.ru_maxrss,
    "exit_code": done.returncode,
}
json.dump(facts, sys.stdout)

"""What is measured on: cores, limits, and the line that says so in a table."""

import datetime
import os
import platform
import re
import resource
import subprocess

# A core for the peer that is measured, and one for the upstream and the load. The last core and the first,
# since the first takes most interrupts.
CORES = sorted(os.sched_getaffinity(0))
PEER_CORE = CORES[-1]
LOAD_CORE = CORES[0]

# Two for each of the connections of the largest measurement, and some.
WANTED_FILES = 32768


def raise_file_limit():
    """Gives how many files a process may open, after asking for enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = hard == resource.RLIM_INFINITY or hard >= WANTED_FILES
    for limits in [(WANTED_FILES, hard if enough else WANTED_FILES), (hard, hard)]:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            return limits[0]
        except (ValueError, OSError):
            continue
    return soft


def describe():
    """Machine and date."""
    model = "an unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": model,
        "cores": len(CORES),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average": round(os.getloadavg()[0], 1),
    }


def version(command):
    """The version that a program tells, from whichever of its outputs."""
    told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+[^\s,]*", told.stdout + told.stderr)
    return found.group(0) if found else "unknown"

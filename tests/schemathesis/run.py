"""Has schemathesis (4.32) make requests up from the proxy's own OpenAPI document.

Usage: run.py OPENAPI_URL API_URL, with PROXY_KEY, PROXY_USER and PROXY_PASSWORD in the environment. Ends with 0 when
no answer was a server error and every error had the on-prem form. SCHEMATHESIS_EXAMPLES=200 looks harder.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

document, api = sys.argv[1:]
folder = pathlib.Path(__file__).resolve().parent
environment = dict(
    os.environ,
    PROXY_API=api,
    SCHEMATHESIS_HOOKS="hooks",
    PYTHONPATH=str(folder),
    PYTHONDONTWRITEBYTECODE="1",
    NO_PROXY="*",
    no_proxy="*",
)
command = [
    sys.executable, "-m", "schemathesis.cli", "run", document,
    "--url", api,
    "--checks", "not_a_server_error,on_prem_form",
    "--phases", "examples,coverage,fuzzing",
    "--max-examples", os.environ.get("SCHEMATHESIS_EXAMPLES", "10"),
    # The same requests in every run.
    "--generation-deterministic", "--workers", "1",
    # Not a fault, and slow machines are no reason to fail.
    "--suppress-health-check", "all", "--warnings", "off",
    "--generation-with-security-parameters", "false",
    "--continue-on-failure", "--no-color",
]
# Away from the source, where it would leave caches behind.
with tempfile.TemporaryDirectory() as scratch:
    sys.exit(subprocess.run(command, env=environment, cwd=scratch).returncode)

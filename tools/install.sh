#!/bin/sh
# Install into an environment: `install.sh PYTHON REQUIREMENT...`. uv resolves Airflow's dependencies ten times
# faster than pip; where it cannot be had, or cannot reach the index that pip is set up for, pip does the same.
# Both compile what they install: otherwise each of the hundreds of Airflow processes that tests start compiles Airflow anew
# where Python may not write bytecode, as in many containers, and needs twice as long to start.
set -eu
python=$1
shift
if "$python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null &&
    "$python" -m uv pip install --quiet --compile-bytecode --python "$python" "$@"; then
    exit 0
fi
echo "uv could not install; trying pip" >&2
"$python" -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
"$python" -m pip install --quiet --disable-pip-version-check "$@"

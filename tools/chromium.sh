#!/bin/sh
# See to it that there is a Chromium for the tests of the viewer: that of the distribution, or the one that Playwright brings.
set -eu
python=$1
if command -v chromium >/dev/null || command -v chromium-browser >/dev/null; then
    exit 0
fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium && exit 0
fi
"$python" -m playwright install chromium

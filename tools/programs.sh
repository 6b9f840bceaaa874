#!/bin/sh
# Install the distribution's programs with which the emulator converts DjVu and reads aloud: djvulibre-bin and espeak-ng.
# Only root on Debian or a child of it can. Elsewhere this says what is missing, and the tests that need it are skipped.
set -eu
packages=
for pair in ddjvu:djvulibre-bin espeak-ng:espeak-ng; do
    if ! command -v "${pair%%:*}" >/dev/null; then packages="$packages ${pair#*:}"; fi
done
if [ -z "$packages" ]; then exit 0; fi
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    # The names of the packages hold no blanks: they are meant to be split.
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=600 $packages && exit 0
fi
echo "Not installed here, so that their tests are skipped:$packages" >&2

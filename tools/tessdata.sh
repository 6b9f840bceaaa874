#!/bin/sh
# Copy Tesseract's language data into a folder, without root, where the distribution is Debian or a child of it:
# English for the demo, Hebrew and Arabic for the tests of right-to-left scripts, osd for the orientation of a page.
# What the distribution has installed is copied; the rest is downloaded. Elsewhere, or without the package index, the
# folder may stay empty: then the emulator offers its other engine, and the tests that need the data are skipped.
set -eu
folder=$1
installed=${TESSDATA_INSTALLED:-/usr/share/tesseract-ocr}
wanted="eng osd heb ara"
mkdir -p "$folder"
for data in "$installed"/*/tessdata/*.traineddata; do
    if [ -f "$data" ]; then cp "$data" "$folder"; fi
done
packages=
for language in $wanted; do
    if [ ! -f "$folder/$language.traineddata" ]; then packages="$packages tesseract-ocr-$language"; fi
done
if [ -z "$packages" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A new machine has no lists of packages yet, and only root may fetch them to where they belong: a private copy does.
apt() {
    apt-get -q -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User="$(id -un)" "$@" >"$work/log" 2>&1
}
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
# The names of the packages hold no blanks: they are meant to be split.
# shellcheck disable=SC2086
if apt update && (cd "$work" && apt download $packages); then
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/unpacked"; done
    cp "$work"/unpacked/usr/share/tesseract-ocr/*/tessdata/*.traineddata "$folder"
else
    echo "Some language data of Tesseract cannot be downloaded here ($packages ). apt-get said:" >&2
    tail -n 3 "$work/log" >&2 || true
    if [ ! -f "$folder/eng.traineddata" ]; then echo "Without English, the demo shows one engine." >&2; fi
fi

#!/bin/sh
# Bring Tesseract's English data into a folder, without root, where the distribution is Debian or a child of it.
# Elsewhere, or without its package index, the folder stays empty and the emulator offers its other engine.
set -eu
folder=$1
installed=${TESSDATA_INSTALLED:-/usr/share/tesseract-ocr}
mkdir -p "$folder"
if ls "$installed"/*/tessdata/eng.traineddata >/dev/null 2>&1; then
    cp "$installed"/*/tessdata/*.traineddata "$folder"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A new machine has no lists of packages yet, and only root may fetch them to where they belong: a private copy does.
apt() {
    apt-get -q -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o Debug::NoLocking=1 \
        -o APT::Sandbox::User="$(id -un)" "$@" >"$work/log" 2>&1
}
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
if apt update && (cd "$work" && apt download tesseract-ocr-eng tesseract-ocr-osd); then
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/unpacked"; done
    cp "$work"/unpacked/usr/share/tesseract-ocr/*/tessdata/*.traineddata "$folder"
else
    echo "No Tesseract language data can be had here; the demo shows one engine. apt-get said:" >&2
    tail -n 3 "$work/log" >&2 || true
fi

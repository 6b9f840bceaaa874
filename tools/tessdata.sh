#!/bin/sh
# Bring Tesseract's English data into a folder, without root, where the distribution is Debian or a child of it.
# Elsewhere, or without its package index, the folder stays empty and the emulator offers its other engine.
set -eu
folder=$1
mkdir -p "$folder"
if ls /usr/share/tesseract-ocr/*/tessdata/eng.traineddata >/dev/null 2>&1; then
    cp /usr/share/tesseract-ocr/*/tessdata/*.traineddata "$folder"
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if (cd "$work" && apt-get download tesseract-ocr-eng tesseract-ocr-osd >/dev/null 2>&1); then
    for package in "$work"/*.deb; do dpkg -x "$package" "$work/unpacked"; done
    cp "$work"/unpacked/usr/share/tesseract-ocr/*/tessdata/*.traineddata "$folder"
else
    echo "No Tesseract language data here (apt-get download failed); the demo shows one engine." >&2
fi

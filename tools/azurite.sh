#!/bin/sh
# Put Azurite, Azure's own emulator of its storage, into a folder: `azurite.sh FOLDER`. It comes from npm and needs node.
set -eu
folder=$1
version=3.37.0
# Node knows only certificates of its own; a machine behind a proxy has more.
bundle=/etc/ssl/certs/ca-certificates.crt
if [ -z "${NODE_EXTRA_CA_CERTS:-}" ] && [ -f "$bundle" ]; then
    export NODE_EXTRA_CA_CERTS="$bundle"
fi
mkdir -p "$folder"
npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "azurite@$version"
test -f "$folder/node_modules/azurite/dist/src/blob/main.js"

#!/usr/bin/env bash
# Installs Debian's Chromium for the tests in test/browser, where this may be done; never fails a build: without a
# Chromium those tests are skipped.
set -u

if command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ -n "${CHROMIUM_PATH:-}" ]; then
  echo 'chromium: already there'
elif ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo 'chromium: not installed (needs apt-get and root); the browser tests will be skipped'
else
  export DEBIAN_FRONTEND=noninteractive
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null; then
    chromium --version --no-sandbox
  else
    echo 'chromium: apt-get could not install it; the browser tests will be skipped'
  fi
fi
exit 0

#!/bin/sh
# What pip cannot install: Python's venv module, and QGIS for the tests. Uses the distribution's packages where there
# are any and it may, else says in one line what to do.
#
#   tools/system.sh venv PYTHON     make sure that PYTHON can make virtual environments and is new enough
#   tools/system.sh qgis            make sure that a Python of the system imports qgis; status 3 where it cannot be had
set -eu

say() { echo "rsvlm: $*" >&2; }

# apt PACKAGE...: install Debian packages; status 1 where this machine or user cannot
apt() {
    command -v apt-get >/dev/null 2>&1 || return 1
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        # without a terminal sudo must not wait for a password
        if [ -t 0 ]; then as_root="sudo"; else as_root="sudo -n"; fi
        $as_root true 2>/dev/null || return 1
    fi
    say "installing $* from the distribution"
    $as_root apt-get update -qq || true
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
}

case "${1:-}" in
venv)
    python=${2:-python3}
    command -v "$python" >/dev/null 2>&1 || { say "there is no $python; install Python 3.10 or newer, or give PYTHON=…"; exit 2; }
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        say "$("$python" --version) is too old; give a newer one: make … PYTHON=python3.11"; exit 2; }
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        apt "python$version-venv" || {
            say "$python cannot make virtual environments; run: sudo apt-get install python$version-venv (or your system's like)"
            exit 2; }
    fi
    ;;
qgis)
    has_qgis() { /usr/bin/python3 -c 'import qgis.core, ensurepip' 2>/dev/null && command -v qgis_process >/dev/null 2>&1; }
    has_qgis && exit 0
    apt qgis python3-qgis qgis-providers python3-gdal python3-numpy xvfb xauth python3-venv xdotool qgis-server-wms || true
    # Tests of services skip without these, which not every release names so.
    apt qgis-server-wcs || true
    apt postgresql-15-postgis-3 postgis || true
    has_qgis && exit 0
    say "no QGIS for /usr/bin/python3; install it (Debian, Ubuntu: apt-get install qgis python3-qgis python3-venv xvfb)"
    exit 3
    ;;
*)
    sed -n '2,7p' "$0"
    exit 2
    ;;
esac

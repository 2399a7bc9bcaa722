#!/bin/sh
# Installs the Debian packages that the demo and the tests start: asks dpkg first, so that it is quick when all is there.
# Usage: deploy/install_system_packages.sh PACKAGE...
set -eu
missing=""
for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "Installing system packages:$missing"
sudo=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Not root and no sudo here. As root: apt-get install$missing" >&2; exit 1; }
    sudo="sudo"
fi
# Debian starts servers on installation; the demo and the tests start their own on free ports, so the system's stay down
# where they were not there before.
policy=/usr/sbin/policy-rc.d
placed=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
    $sudo chmod 755 "$policy"
    placed=yes
fi
restore() { [ -z "$placed" ] || $sudo rm -f "$policy"; }
trap restore EXIT
$sudo apt-get update -qq
# shellcheck disable=SC2086 # a list of package names
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

# To be sourced: install_missing WHAT PACKAGE... installs the Debian packages that are not there yet, and nothing else.

# The packages among the arguments that are not installed, one a line.
missing_packages() {
  local installed
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed //p' | sort -u) || true
  printf '%s\n' "$@" | sort -u | comm -23 - <(printf '%s\n' "$installed")
}

# Packages such as docker-registry bring a service; kiln starts what it needs itself. invoke-rc.d asks this file, and 101
# means no. One that the administrator wrote stays as it is.
policy_file=/usr/sbin/policy-rc.d
forbid_services() {
  [ -e "$policy_file" ] && return
  trap 'rm -f "$policy_file"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy_file"
  chmod 0755 "$policy_file"
}
allow_services() {
  [ "$(trap -p EXIT)" ] || return 0
  rm -f "$policy_file"
  trap - EXIT
}

install_missing() {
  local what=$1 missing
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "this is no Debian: install what corresponds to these packages yourself: $*" >&2
    return
  fi
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  echo "Installing for $what:" $missing
  if [ "$(id -u)" != 0 ]; then
    echo "this needs root: apt-get install --no-install-recommends" $missing >&2
    exit 1
  fi
  forbid_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get -q update
  # shellcheck disable=SC2086  # one word per package
  apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends $missing
  allow_services
  # Nor at the next start of the machine, where it was not wanted before.
  if grep -qx docker-registry <<<"$missing" && command -v systemctl >/dev/null; then
    systemctl disable docker-registry.service >/dev/null 2>&1 || true
  fi
}

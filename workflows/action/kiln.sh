#!/usr/bin/env bash
# Written by 'kiln ci init'; 'kiln ci check' says when it is stale. The steps of action.yml: kiln.sh install | run.
set -euo pipefail

temp=${RUNNER_TEMP:-/tmp}

# What of the environment goes with sudo, which drops it otherwise: to a package manager what the network needs.
proxies=HTTP_PROXY,HTTPS_PROXY,ALL_PROXY,NO_PROXY,http_proxy,https_proxy,all_proxy,no_proxy,SSL_CERT_FILE,SSL_CERT_DIR

# To kiln everything, since definitions may name any variable (a secret, a variable of a bake file), but for what belongs
# to a user or a shell and for the words of this action. Secrets are in the environment, never on a command line.
environment() {
  compgen -e | grep -xE '[A-Za-z_][A-Za-z0-9_]*' |
    grep -vxE 'HOME|PATH|USER|LOGNAME|SHELL|MAIL|PWD|OLDPWD|SHLVL|_|(LD|BASH|SUDO|XDG)_.*|COMMAND|TARGETS|PLATFORM|PARENTS|PUSH|CACHE|SBOM|PROVENANCE|SIGNING_KEY|SIGNING_KEY_PASSWORD|AGAINST|GROWTH|RUNNER' |
    paste -sd,
}

# docker/login-action and 'docker login' write below the home of the user that runs the job, not below root's.
export DOCKER_CONFIG=${DOCKER_CONFIG:-$HOME/.docker}
if [ -z "${REGISTRY_AUTH_FILE:-}" ] && [ -f "${XDG_RUNTIME_DIR:-}/containers/auth.json" ]; then
  export REGISTRY_AUTH_FILE=$XDG_RUNTIME_DIR/containers/auth.json
fi

# Programs of another processor run by an emulator, where none is registered yet.
install_emulator() {
  local machine
  case $(uname -m) in
    x86_64) machine='linux/(amd64|386)' ;;
    aarch64) machine='linux/arm64' ;;
    *) return ;;
  esac
  [ "$COMMAND" = bake ] && [ -n "$PLATFORM" ] && [[ ! $PLATFORM =~ ^$machine(/|$) ]] || return 0
  sudo --preserve-env="$proxies" apt-get update -q
  sudo --preserve-env="$proxies" apt-get install -qy --no-install-recommends qemu-user-static binfmt-support
}

install_kiln() {
  if command -v kiln >/dev/null; then
    echo "kiln is here already: $(kiln version | head -n 1)"
    return
  fi
  sudo --preserve-env="$proxies" apt-get update -q
  sudo --preserve-env="$proxies" apt-get install -qy --no-install-recommends runc mmdebstrap uidmap ca-certificates git curl jq
  if [ -n "$KILN_SHA256" ]; then
    case $(uname -m) in
      x86_64) arch=amd64 ;;
      aarch64) arch=arm64 ;;
      *) echo "::error::there is no kiln for $(uname -m)"; exit 1 ;;
    esac
    name=kiln-$KILN_VERSION-linux-$arch
    curl -fsSL --retry 5 -o "$temp/$name.tar.gz" "https://github.com/$KILN_REPOSITORY/releases/download/v$KILN_VERSION/$name.tar.gz"
    echo "$KILN_SHA256  $temp/$name.tar.gz" | sha256sum --check --quiet
    sudo tar -xzf "$temp/$name.tar.gz" -C /opt
    sudo ln -s "/opt/$name/bin/kiln" /usr/local/bin/kiln
  else
    git clone -q --depth 1 --branch "v$KILN_VERSION" "https://github.com/$KILN_REPOSITORY" "$temp/kiln-source"
    sudo --preserve-env="$proxies" apt-get install -qy --no-install-recommends ccache
    sudo --preserve-env="$proxies" env CCACHE_DIR="$temp/kiln-ccache" "$temp/kiln-source/script/bootstrap"
    sudo chown -R "$(id -u)" "$temp/kiln-ccache"
    sudo install -m 0755 "$temp/kiln-source/build/kiln" /usr/local/bin/kiln
  fi
  echo "kiln runs by sudo; its store is /var/lib/kiln, and later steps of this job find it as it was left"
}

run_kiln() {
  sudo --preserve-env="$(environment)" kiln "$@"
}

# Shows what a command says, and keeps it for its errors. In it the runner obeys nothing, since a RUN prints what it likes, but
# for what stands behind a token that is kiln's, which folds the output of steps. All in one stream: the runner reads two
# of them in no order.
told() {
  local token code=0
  token=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
  echo "::stop-commands::$token"
  KILN_LOG_TOKEN=$token "$@" 2>&1 | tee "$temp/kiln-stderr" || code=$?
  echo "::$token::"
  return $code
}

with_output() {
  local file=$1
  shift
  "$@" >"$file"
}

# The same of a command that builds nothing, folded as a whole.
in_group() {
  local title=$1 code=0
  shift
  echo "::group::$title"
  told "$@" || code=$?
  echo "::endgroup::"
  return $code
}

# A text as the value of a workflow command.
escaped() {
  local text=${1//'%'/%25}
  text=${text//$'\r'/%0D}
  printf '%s' "${text//$'\n'/%0A}"
}

# kiln's errors at the lines they name: "error: images/app/Dockerfile:7: what".
annotate() {
  local line
  while IFS= read -r line; do
    if [[ $line =~ ^(error|warning):\ ([^:\ ]+):([0-9]+):\ (.*)$ ]]; then
      echo "::${BASH_REMATCH[1]} file=${BASH_REMATCH[2]//[,:%]/_},line=${BASH_REMATCH[3]}::$(escaped "${BASH_REMATCH[4]}")"
    elif [[ $line =~ ^error:\ (.*)$ ]]; then
      echo "::error::$(escaped "${BASH_REMATCH[1]}")"
    fi
  done <"$temp/kiln-stderr"
}

# Below 900 KiB, whatever the fleet's size: GitHub takes 1 MiB for a step.
summarise() {
  [ -s "$temp/kiln-report.json" ] || return 0
  run_kiln report "$temp/kiln-report.json" --format markdown >>"${GITHUB_STEP_SUMMARY:-/dev/null}" || true
}

# What the images of a build that pushed nothing cost beside the registry's, for the comment of kiln-comment.yml. Where no
# growth is judged, a registry that does not answer fails nothing.
compare() {
  local flags=(--format markdown --brief --against "$AGAINST" --output "$temp/kiln-comment.md") code=0
  [ "$PUSH" != true ] && [ -n "$AGAINST" ] && [ -s "$temp/kiln-report.json" ] || return 0
  [ -z "$GROWTH" ] || flags+=(--fail-over "growth=$GROWTH")
  told run_kiln report "$temp/kiln-report.json" "${flags[@]}" || code=$?
  [ $code != 0 ] || return 0
  if [ -n "$GROWTH" ]; then
    annotate
    exit $code
  fi
  echo "::warning::nothing is compared with $AGAINST: $(escaped "$(sed -n 's/^error: //p' "$temp/kiln-stderr" | head -n 1)")"
}

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

bake() {
  local flags=(--progress plain --network-log --metadata-file "$temp/kiln-metadata.json" --report "$temp/kiln-report.json") code=0 parent
  rm -rf "$temp/kiln-report.json" "$temp/kiln-comment.md" "$temp/kiln-scan"
  [ ! -f images/kiln.lock ] || flags+=(--locked)
  [ -z "$PLATFORM" ] || flags+=(--only-platform "$PLATFORM")
  for parent in $PARENTS; do flags+=(--pin "$parent"); done
  [ -z "$CACHE" ] || flags+=(--cache-from "type=registry,ref=$CACHE")
  [ -z "${SBOM:-}" ] || flags+=(--sbom "$SBOM")
  [ -z "${PROVENANCE:-}" ] || flags+=(--provenance "$PROVENANCE")
  if [ "$PUSH" = true ]; then
    flags+=(--push --inputs-tag)
    [ -z "$CACHE" ] || flags+=(--cache-to "type=registry,ref=$CACHE,mode=max,ignore-error=false")
  else
    export KILN_CACHE_MODE=read
  fi
  # shellcheck disable=SC2086 # a list of words
  told run_kiln bake "${flags[@]}" -- $TARGETS || code=$?
  annotate
  # A gate that failed has left a report of what it refused.
  summarise
  [ $code = 0 ] || exit $code
  describe
  list_for_scan
  compare
}

# The index of an image whose platforms other jobs have pushed.
index() {
  local code=0
  # shellcheck disable=SC2086 # a list of words
  in_group "kiln index bake ${TARGETS:-default}" run_kiln index bake --progress plain --metadata-file "$temp/kiln-metadata.json" -- $TARGETS || code=$?
  annotate
  [ $code = 0 ] || exit $code
  describe
}

# The pushed images by their digests, a line each.
pushed_references() {
  jq -r 'to_entries[] | .value | select(."image.name") | (."image.name" | split(",")[0] | sub(":[^:/]+$"; "")) + "@" + ."containerimage.digest"' "$temp/kiln-metadata.json"
}

# What was built, or put, as outputs.
describe() {
  local references
  references=$(pushed_references)
  output digest "$(jq -r '[.[]][0]["containerimage.digest"] // ""' "$temp/kiln-metadata.json")"
  output imageid "$(jq -r '[.[]][0]["containerimage.config.digest"] // ""' "$temp/kiln-metadata.json")"
  output metadata "$(jq -c . "$temp/kiln-metadata.json")"
  output reference "$(head -n 1 <<<"$references")"
  output other-references "$(tail -n +2 <<<"$references" | tr '\n' ' ' | sed 's/ $//')"
}

# For the job that scans: each pushed image by its digest with a number, and under that number what is in it, by the indexes that
# are here already. What kiln can list no packages of is scanned by its layers.
list_for_scan() {
  local number=0 reference
  [ "$PUSH" = true ] || return 0
  mkdir "$temp/kiln-scan"
  while IFS= read -r reference; do
    [ -n "$reference" ] || continue
    echo "$number $reference" >>"$temp/kiln-scan/references"
    if ! run_kiln sbom "$reference" --format cyclonedx >"$temp/kiln-scan/$number.cdx.json" 2>"$temp/kiln-stderr"; then
      rm "$temp/kiln-scan/$number.cdx.json"
      echo "::warning::$(escaped "$reference is scanned by its layers: $(sed -n 's/^error: //p' "$temp/kiln-stderr" | head -n 1)")"
    fi
    number=$((number + 1))
  done < <(pushed_references)
}

matrix() {
  local flags=(--format github) code=0 runner
  for runner in $RUNNER; do flags+=(--runner "$runner"); done
  [ "$PUSH" != true ] || flags+=(--tag-unchanged)
  # shellcheck disable=SC2086 # a list of words
  told with_output "$temp/kiln-matrix" run_kiln matrix "${flags[@]}" -- $TARGETS || code=$?
  annotate
  [ $code = 0 ] || exit $code
  cat "$temp/kiln-matrix" >>"$GITHUB_OUTPUT"
  {
    echo '### kiln matrix'
    sed -n -e 's/^changed=/To build: /p' -e 's/^unchanged=/\nAt the registry already: /p' "$temp/kiln-matrix"
  } >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

release() {
  local code=0
  # shellcheck disable=SC2086 # a list of words
  in_group "kiln release create $GITHUB_REF_NAME" run_kiln release create --record "$temp/kiln-release.json" -- "$GITHUB_REF_NAME" $TARGETS || code=$?
  annotate
  exit $code
}

prune() {
  local code=0
  in_group 'kiln prune --registry --yes' run_kiln prune --registry --yes || code=$?
  annotate
  exit $code
}

case ${1:-} in
  install)
    install_kiln
    install_emulator
    ;;
  run)
    : >"$temp/kiln-stderr"
    # The token as registries' tokens are asked for with it.
    [ -z "${SIGNING_KEY:-}" ] || export KILN_SIGN_KEY=$SIGNING_KEY
    [ -z "${SIGNING_KEY_PASSWORD:-}" ] || export COSIGN_PASSWORD=$SIGNING_KEY_PASSWORD
    [ -z "${GITHUB_TOKEN:-}" ] || echo "::add-mask::$(printf '%s:%s' "${GITHUB_ACTOR:-}" "$GITHUB_TOKEN" | base64 -w 0)"
    case $COMMAND in
      bake | index | matrix | release | prune) "$COMMAND" ;;
      *) echo "::error::'$COMMAND' is no command of this action; it knows bake, index, matrix, release and prune"; exit 2 ;;
    esac
    ;;
  *) echo "usage: kiln.sh install|run" >&2; exit 2 ;;
esac

# To be sourced: build WHAT [TARGET...] builds in build/. Says nothing where there is nothing to do.
build() {
  local what=$1
  shift
  if ninja -C build -n "$@" 2>/dev/null | grep -q 'no work to do'; then return; fi
  echo "Building $what"
  if [ -t 1 ]; then
    ninja -C build "$@"
  else
    ninja -C build --quiet "$@"
  fi
}

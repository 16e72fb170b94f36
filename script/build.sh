# To be sourced: build [TARGET...] builds in build/, with ninja's progress on a terminal and only complaints elsewhere.
build() {
  if [ -t 1 ]; then
    ninja -C build "$@"
  else
    ninja -C build --quiet "$@" | sed '/^ninja: no work to do/d'
  fi
}

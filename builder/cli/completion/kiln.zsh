#compdef kiln
# Completes kiln's words in zsh: source <(kiln completion zsh), or this as _kiln in a folder of $fpath.
_kiln() {
  local line takes_files=
  local -a described
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      takes_files=1
    else
      # _describe splits at a colon.
      described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    fi
  done < <("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( $#described )) && _describe kiln described
  [[ -z $takes_files ]] || _files
}
if [[ $funcstack[1] == _kiln ]]; then
  _kiln "$@"
else
  compdef _kiln kiln
fi

# Completes kiln's words in bash: source <(kiln completion bash)
_kiln() {
  local line=${COMP_LINE:0:COMP_POINT} typed cut word
  local -a words
  read -ra words <<<"$line"
  [[ $line != *[[:space:]] ]] || words+=("")
  typed=${words[-1]}
  # Readline takes what is behind a '=' or ':' for a word of its own.
  cut=${typed%"${typed##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ $word == :files ]]; then
      compopt -o default
    else
      word=${word%%$'\t'*}
      COMPREPLY+=("${word#"$cut"}")
    fi
  done < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _kiln kiln

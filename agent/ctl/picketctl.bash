# bash completion for picketctl. The program itself knows what may follow; it gives only what fits the word so far, and nothing
# here expands it (compgen -W would run what stands in it).
_picketctl() {
  mapfile -t COMPREPLY < <(picketctl __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  if [[ "${COMPREPLY[0]-}" == "<files>" ]]; then
    COMPREPLY=()
    compopt -o default 2>/dev/null
  fi
}
complete -F _picketctl picketctl

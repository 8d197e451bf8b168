# bash completion of certauth; installed as share/bash-completion/completions/certauth
_certauth() {
	local word=${COMP_WORDS[COMP_CWORD]} candidates
	candidates=$("${COMP_WORDS[0]}" complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
	mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}
complete -o default -F _certauth certauth

/**
 * The scripts by which shells ask `autocert` what may come next. What they ask and what it answers is the protocol that
 * kubectl speaks with its plugins.
 * @module
 */

/** The hidden command that they call, with the words of the command line. */
export const COMPLETE = '__complete';

const BASH = `# bash completion for autocert:  source <(autocert completion bash)
_autocert() {
  local line directive=4 current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :*) directive=\${line#:} ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <(autocert ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [ "$directive" = 4 ] && return
  [ "$current" = = ] && current=
  compopt -o filenames 2>/dev/null
  local kind=-f
  [ "$directive" = 16 ] && kind=-d
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <(compgen "$kind" -- "$current")
}
complete -F _autocert autocert
`;

const ZSH = `#compdef autocert
# zsh completion for autocert:  autocert completion zsh > "\${fpath[1]}/_autocert", or source <(autocert completion zsh)
_autocert() {
  local line description directive=4
  local -a candidates
  for line in "\${(@f)$(autocert ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      :*) directive=\${line#:} ;;
      *)
        description=\${line#*$'\\t'}
        candidates+=("\${\${line%%$'\\t'*}//:/\\\\:}\${description:+:$description}")
        ;;
    esac
  done
  (( $#candidates )) && _describe autocert candidates
  case $directive in
    0) _files ;;
    16) _files -/ ;;
  esac
}
if [ "$funcstack[1]" = _autocert ]; then _autocert "$@"; else compdef _autocert autocert; fi
`;

const FISH = `# fish completion for autocert:  autocert completion fish > ~/.config/fish/completions/autocert.fish
function __autocert_complete
  set -l given (commandline -opc)
  set -l current (commandline -ct)
  for line in (autocert ${COMPLETE} $given[2..-1] "$current" 2>/dev/null)
    switch $line
      case ':0'
        __fish_complete_path "$current"
      case ':16'
        __fish_complete_directories "$current"
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c autocert -f -a '(__autocert_complete)'
`;

const KUBECTL = `#!/bin/sh
# For kubectl's own completion: this file, executable, as kubectl_complete-autocert on the PATH, beside kubectl-autocert
exec autocert ${COMPLETE} "$@"
`;

/** By shell; `kubectl` is for kubectl's own completion of its plugins. */
export const COMPLETION_SCRIPTS = { bash: BASH, zsh: ZSH, fish: FISH, kubectl: KUBECTL } as const;

/** Shells that there is a script for. */
export const SHELLS = Object.keys(COMPLETION_SCRIPTS) as (keyof typeof COMPLETION_SCRIPTS)[];

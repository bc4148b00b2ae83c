/**
 * `autocert completion`: the command and its help.
 * @module
 */
import { Argument, type Command } from 'commander';
import { print } from '../terminal.ts';
import { COMPLETION_SCRIPTS, SHELLS } from './scripts.ts';

const HELP = `
Examples:
  source <(autocert completion bash)                      # in ~/.bashrc
  autocert completion zsh > "\${fpath[1]}/_autocert"
  autocert completion fish > ~/.config/fish/completions/autocert.fish
  autocert completion kubectl > ~/bin/kubectl_complete-autocert && chmod +x ~/bin/kubectl_complete-autocert
`;

/** Adds `completion`. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description(
      'print the script by which a shell completes commands, options and files; kubectl: for kubectl autocert',
    )
    .addArgument(new Argument('<shell>', 'which').choices(SHELLS))
    .addHelpText('after', HELP)
    .action((shell: (typeof SHELLS)[number]) => print(COMPLETION_SCRIPTS[shell]));
}

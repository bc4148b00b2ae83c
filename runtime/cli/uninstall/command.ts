/**
 * `autocert uninstall`: the command, its help, and its exit codes.
 * @module
 */
import type { Command } from 'commander';
import { withCluster } from '../cluster-options.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { colourWanted, print } from '../terminal.ts';

const HELP = `
Exit codes: 0 shown, or done, 1 failed, 2 what was asked is wrong, 3 the cluster cannot be reached, or does not let you.

Examples:
  autocert uninstall                              # only shows what would go, and what stays
  autocert uninstall --yes                        # keeps the keys: autocert install brings it back with the same root
  autocert pki backup --out pki.backup && autocert uninstall --yes --delete-pki --clean-annotations
`;

/** Adds `uninstall`. */
export function addUninstall(program: Command): void {
  withCluster(program.command('uninstall'))
    .description('show what would go of Autocert, or remove it; the keys stay unless told otherwise')
    .option('--yes', 'do it', false)
    .option('--delete-pki', "also the namespace with the CA's keys, which nobody can make again", false)
    .option(
      '--clean-annotations',
      'also take annotations autocert.step.sm/… out of Deployments and the like, which makes new pods',
      false,
    )
    .option('--timeout <duration>', 'how long to wait for the namespace to go', '5m')
    .option('--autocert-namespace <name>', 'namespace of Autocert itself', 'step')
    .addHelpText('after', HELP)
    .action((options) =>
      endingUnreachable(async () => {
        const [{ uninstall }, { connect }] = await Promise.all([
          import('./run.ts'),
          import('../cluster-connection.ts'),
        ]);
        const colour = colourWanted(process.stdout, process.env);
        await uninstall(options, { connect: () => connect(options), write: print, colour });
      }),
    );
}

/**
 * `autocert install`: the command, its help, and its exit codes.
 * @module
 */
import type { Command } from 'commander';
import { withCluster } from '../cluster-options.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { colourWanted, print } from '../terminal.ts';

const HELP = `
Exit codes: 0 installed and ready, 1 applied and not ready in time, or failed, 2 what was asked is wrong, or the cluster lacks
what it takes, 3 the cluster cannot be reached, or does not let you. Nothing is applied when a check fails.

Examples:
  autocert install                          # the manifests that come with this program
  autocert install --dir dist --dry-run     # yours; only shows what would be applied
  kubectl run autocert-init -it --rm --image autocert:0.1.0 --restart Never     # from inside of the cluster
`;

/** Adds `install`. */
export function addInstall(program: Command): void {
  withCluster(program.command('install'))
    .description('check version, APIs and rights of a cluster, apply the manifests, wait until all is ready')
    .option('--dir <folder>', 'manifests, as npm run synth writes them; absent: those that come with this program')
    .option(
      '--image <image>',
      "image of Autocert's own containers; absent: that by which this runs, where it is Autocert's, else what the manifests name",
    )
    .option('--timeout <duration>', 'how long to wait until all is ready', '5m')
    .option('--dry-run', 'have the API server try everything, and apply nothing', false)
    .option('--force-conflicts', 'take over fields that another tool manages', false)
    .option('--show-passwords', 'print the passwords, not only how to read them', false)
    .addHelpText('after', HELP)
    .action((options) =>
      endingUnreachable(async () => {
        const [{ install }, { ownImage }, { connect }] = await Promise.all([
          import('./run.ts'),
          import('./own-image.ts'),
          import('../cluster-connection.ts'),
        ]);
        const isElsewhere = options.kubeconfig ?? options.context ?? process.env.KUBECONFIG;
        await install(options, {
          connect: () => connect(options),
          program: process.argv[1] ?? '',
          ownImage: async (api) => (isElsewhere ? undefined : ownImage(api, process.env)),
          write: print,
          colour: colourWanted(process.stdout, process.env),
        });
      }),
    );
}

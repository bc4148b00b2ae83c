/**
 * `autocert status`: the command, its help, and its exit codes.
 * @module
 */
import { type Command, Option } from 'commander';
import { aborted } from '../../lib/stop-signal.ts';
import type { Connection } from '../cluster-connection.ts';
import { withCluster } from '../cluster-options.ts';
import { endWanted } from '../end-wanted.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { colourWanted, painter, print } from '../terminal.ts';
import type { StatusEffects } from './run.ts';

const HELP = `
Exit codes: 0 shown, 1 failed, 2 what was asked is wrong, 3 the cluster cannot be reached, or does not let you list pods.

Examples:
  autocert status -A
  autocert status -n shop -o wide
  autocert status -A --watch
`;

/** Adds `status`. */
export function addStatus(program: Command): void {
  withCluster(program.command('status'))
    .description('CA, webhook, signer, roots, admission, and every pod that asks for a certificate; reads only')
    .option('-n, --namespace <name>', "whose pods; absent: the kubeconfig's namespace, else default")
    .option('-A, --all-namespaces', 'pods of all namespaces', false)
    .addOption(
      new Option('-o, --output <format>', 'how to print it')
        .choices(['table', 'wide', 'json', 'yaml'])
        .default('table'),
    )
    .option('-w, --watch', 'again every two seconds, until Ctrl-C', false)
    .option('--autocert-namespace <name>', 'namespace of Autocert itself', 'step')
    .addHelpText('after', HELP)
    .action((options) =>
      endingUnreachable(async () => {
        const [{ remembering, status }, { connect }] = await Promise.all([
          import('./run.ts'),
          import('../cluster-connection.ts'),
        ]);
        const paint = painter(colourWanted(process.stdout, process.env));
        const read = (to: Connection, more: Partial<StatusEffects> = {}) =>
          status(options, { connect: () => to, now: new Date(), paint, ...more });
        if (!options.watch) return print(await read(connect(options)));
        const { watchStatus } = await import('./watch.ts');
        const readers = remembering(() => performance.now());
        const connection = connect(options, 1); // the whole of it takes a dozen small requests
        const stop = endWanted();
        const rows = process.stdout.isTTY ? { rows: () => process.stdout.rows } : {};
        const effects = { write: print, stop, now: () => new Date(), ...rows };
        await Promise.race([watchStatus(() => read(connection, { readers }), effects), aborted(stop)]);
        process.exit(); // a question that is still open would keep it for a quarter of a minute
      }),
    );
}

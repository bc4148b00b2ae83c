/**
 * `autocert dashboard`: the command, its help, and its exit codes.
 * @module
 */
import type { Command } from 'commander';
import { AutocertError } from '../../lib/errors.ts';
import { withCluster } from '../cluster-options.ts';
import { endWanted } from '../end-wanted.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { print } from '../terminal.ts';

/** Unless `--port` names another. */
export const DEFAULT_PORT = 9470;
/** Connections to the API server: the page is no reason to be a burden. */
const MAX_SOCKETS = 4;

const HELP = `
It listens on 127.0.0.1 alone, and goes on until Ctrl-C. The address that it prints has a token in it, new at each start: who
has the address sees the page, and other users of this machine do not. The page has no secrets, and changes nothing.

Exit codes: 0 ended by you, 1 failed, 2 what was asked is wrong (a port that is taken, too), 3 the cluster cannot be reached,
or does not let you list pods.

Examples:
  autocert dashboard -A
  autocert dashboard -n shop --port 0
  kubectl autocert dashboard -A --context production
`;

/** Adds `dashboard`. */
export function addDashboard(program: Command): void {
  withCluster(program.command('dashboard'))
    .description(
      'the status as a page for the browser of this machine: problems, PKI, pods with live expiry; reads only',
    )
    .option('-n, --namespace <name>', "whose pods; absent: the kubeconfig's namespace, else default")
    .option('-A, --all-namespaces', 'pods of all namespaces', false)
    .option('--port <number>', 'where it listens on 127.0.0.1; 0: any port that is free', portOf, DEFAULT_PORT)
    .option('--autocert-namespace <name>', 'namespace of Autocert itself', 'step')
    .addHelpText('after', HELP)
    .action((options) =>
      endingUnreachable(async () => {
        const [{ dashboard }, { connect }] = await Promise.all([
          import('./run.ts'),
          import('../cluster-connection.ts'),
        ]);
        const stop = endWanted();
        await dashboard(options, {
          connect: () => connect(options, MAX_SOCKETS),
          onListening: (url) => print(`Autocert's dashboard: ${url}\nCtrl-C ends it.\n`),
          stop,
          now: () => new Date(),
          monotonic: () => performance.now(),
        });
        process.exit(); // a question that is still open would keep it for a quarter of a minute
      }),
    );
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new AutocertError('INVALID_INPUT', `--port ${JSON.stringify(text.slice(0, 20))}: want a port, 0 to 65535`);
}

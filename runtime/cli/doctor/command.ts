/**
 * `autocert doctor`: the command, its help, and its exit codes.
 * @module
 */
import { type Command, Option } from 'commander';
import { withCluster } from '../cluster-options.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { colourWanted, painter, print } from '../terminal.ts';

const HELP = `
Exit codes: 0 nothing is wrong, 1 something is, 2 what was asked is wrong, 3 the cluster cannot be reached, or does not let
you look at anything.

Examples:
  autocert doctor
  autocert doctor --autocert-namespace pki -o json
`;

/** See {@link HELP}. */
const UNHEALTHY = 1;

/** Adds `doctor`. */
export function addDoctor(program: Command): void {
  withCluster(program.command('doctor'))
    .description(
      'what is wrong with Autocert and the cluster around it, a line each with its remedy; reads only, and no Secret',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['table', 'json', 'yaml']).default('table'),
    )
    .option('-n, --autocert-namespace <name>', 'namespace of Autocert itself', 'step')
    .addHelpText('after', HELP)
    .action((options) =>
      endingUnreachable(async () => {
        const [{ doctor }, { connect }] = await Promise.all([import('./run.ts'), import('../cluster-connection.ts')]);
        const { text, healthy } = await doctor(options, {
          connect: () => connect(options),
          now: () => new Date(),
          monotonic: () => performance.now(),
          paint: painter(colourWanted(process.stdout, process.env)),
        });
        if (!healthy) process.exitCode = UNHEALTHY;
        print(text);
      }),
    );
}

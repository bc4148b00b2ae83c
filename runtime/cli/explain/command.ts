/**
 * `autocert explain …`: the command, its help, and its exit codes.
 * @module
 */
import { type Command, Option } from 'commander';
import { withCluster } from '../cluster-options.ts';
import { endingUnreachable } from '../exit-codes.ts';
import { colourWanted, painter, print } from '../terminal.ts';

const HELP = `
Exit codes: 0 all would be injected or are left alone, 1 a pod would be refused, or reported in report mode, 2 what was asked
or read is wrong, 3 the cluster cannot be reached, or does not let you read what is needed.

Examples:
  autocert explain deployment/web -n shop
  autocert explain pod/web-0 --diff
  helm template web | autocert explain -f -
  autocert explain -f web.yaml --config dist/0001-autocert.k8s.yaml --kubernetes-version 1.34    # no cluster is asked
`;

/** See {@link HELP}. */
const REFUSED = 1;

const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** Adds `explain`. */
export function addExplain(program: Command): void {
  withCluster(program.command('explain [objects...]'))
    .description(
      'what becomes of a pod, by the code that decides: injected with what, refused by which rule, or left alone',
    )
    .option('-f, --filename <file>', 'manifests, YAML or JSON; -: standard input; can be given more than once', collect)
    .option('-n, --namespace <name>', "namespace of what names none; absent: the kubeconfig's, else default")
    .addOption(
      new Option('-o, --output <format>', 'how to print it').choices(['table', 'json', 'yaml']).default('table'),
    )
    .option('--diff', 'also the pod before and after, as a unified diff of YAML', false)
    .option(
      '--config <file>',
      "configuration of the webhook, or the manifest with ConfigMap autocert-config; absent: the cluster's",
    )
    .option('--autocert-namespace <name>', 'namespace of Autocert itself', 'step')
    .option('--kubernetes-version <version>', "such as 1.37; absent: the cluster's")
    .option(
      '--namespace-labels <labels>',
      'key=value,…: labels of namespaces, where no cluster is asked; absent: the one by which Autocert is turned on',
    )
    .addHelpText('after', HELP)
    .action((words: string[], options) =>
      endingUnreachable(async () => {
        const [{ explainAll }, { connect }] = await Promise.all([
          import('./run.ts'),
          import('../cluster-connection.ts'),
        ]);
        const paint = painter(colourWanted(process.stdout, process.env));
        const effects = { connect: () => connect(options), stdin: process.stdin, paint };
        const { text, refused } = await explainAll(words, options, effects);
        if (refused) process.exitCode = REFUSED;
        print(text);
      }),
    );
}

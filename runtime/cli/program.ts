/**
 * The command line: what there is, its help, and which part of the runtime answers. Parts are loaded when they are
 * asked for, so that each command starts with what it needs.
 * @module
 */
import { Command, Option } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { withCluster } from './cluster-options.ts';
import { addCompletion } from './completion/command.ts';
import { addDashboard } from './dashboard/command.ts';
import { addDoctor } from './doctor/command.ts';
import { endWanted } from './end-wanted.ts';
import { withExamples } from './examples.ts';
import { addExplain } from './explain/command.ts';
import { fingerprintFile, inspectFile } from './inspect.ts';
import { addInstall } from './install/command.ts';
import { addPki } from './pki-commands.ts';
import { addStatus } from './status/command.ts';
import { addUninstall } from './uninstall/command.ts';

/** `autocert`, all of it. */
export function buildProgram(): Command {
  const program = new Command('autocert')
    .description('TLS certificates for annotated Kubernetes pods, renewed.')
    .version(packageJson.version, '--version', 'show the version')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 what was asked is wrong; a command with others says so in its help.',
    )
    .showHelpAfterError('(autocert --help shows how)')
    .exitOverride(exitWithUsage);
  addInstall(program);
  addInit(program);
  addCertificateCommands(program, ['text', 'json']);
  addParts(program);
  addRenew(program);
  addExplain(program);
  addStatus(program);
  addDashboard(program);
  addDoctor(program);
  addPki(program);
  addUninstall(program);
  addStart(program);
  addCompletion(program);
  program.command('agent').description('what runs in pods: autocert agent --help').helpOption(false);
  return program;
}

/** `step`, as far as the image has it: the tutorial's `step certificate inspect` and `step certificate fingerprint`. */
export function buildStepProgram(): Command {
  const program = new Command('step')
    .description('The part of the step command line that the autocert image has.')
    .exitOverride(exitWithUsage);
  // not JSON: step's has another shape than ours
  addCertificateCommands(program.command('certificate').description('look at certificates'), ['text']);
  return program;
}

/** Commander's errors are about usage: code 2; its help is no error. */
function exitWithUsage(error: { readonly exitCode: number }): never {
  process.exit(error.exitCode === 0 ? 0 : 2);
}

/** `autocert`, or `step certificate`. */
function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function addCertificateCommands(parent: Command, formats: readonly string[]): void {
  withExamples(
    parent.command('inspect <file>'),
    `${nameOf(parent)} inspect site.crt`,
    `${nameOf(parent)} inspect --bundle --short site.crt`,
  )
    .description('show a certificate, as `step certificate inspect` does')
    .addOption(new Option('--format <format>', 'how to print it').choices(formats).default('text'))
    .option('--short', 'the gist in a few lines', false)
    .option('--bundle', 'every certificate of the file, not only the first', false)
    .action((file: string, options) => {
      process.stdout.write(inspectFile(file, options));
    });
  withExamples(parent.command('fingerprint <file>'), `${nameOf(parent)} fingerprint root.crt`)
    .description('show the SHA-256 fingerprint of a certificate, as STEP_FINGERPRINT takes it')
    .action((file: string) => {
      process.stdout.write(`${fingerprintFile(file)}\n`);
    });
}

function addInit(program: Command): void {
  withExamples(
    program.command('init'),
    'autocert init --dir pki --name Example --dns ca.example.com --address :443',
    'autocert init --password-files',
  )
    .description('make a PKI in a folder: root, intermediate, provisioners; shows the passwords once')
    .option('--dir <folder>', 'where to', 'pki')
    .option('--name <name>', 'organization and first word of the common names', 'Autocert')
    .option(
      '--dns <names>',
      'names and addresses at which the CA is reached, separated by commas',
      'localhost,127.0.0.1',
    )
    .option('--address <host:port>', 'where the CA listens', '127.0.0.1:4443')
    .option('--password-files', 'also write both passwords to secrets/, for programs', false)
    .action(async (options) => {
      const { init } = await import('./init.ts');
      process.stdout.write(await init(options));
    });
}

function addParts(program: Command): void {
  withExamples(program.command('webhook'), 'autocert webhook --config /etc/autocert/config.json')
    .description('the admission webhook and the certificate endpoint')
    .requiredOption('--config <file>', 'configuration, JSON (ConfigMap autocert-config)')
    .action(async ({ config }: { config: string }) => (await import('../webhook/run.ts')).runWebhook(config));
  withExamples(program.command('signer'), 'autocert signer --config /etc/autocert/config.json')
    .description('the signer of PodCertificateRequests (native delivery)')
    .requiredOption('--config <file>', 'configuration, JSON (ConfigMap autocert-signer-config)')
    .action(async ({ config }: { config: string }) => (await import('../signer/run.ts')).runSigner(config));
  withExamples(program.command('supervisor'), 'autocert supervisor --config /etc/ca/supervisor.json')
    .description('what runs beside step-ca: its configuration, its database, its restarts')
    .requiredOption('--config <file>', 'configuration, JSON (ConfigMap ca-config)')
    .action(async ({ config }: { config: string }) => (await import('../supervisor/run.ts')).runSupervisor(config));
  withExamples(
    program.command('ca'),
    'autocert init --password-files',
    'autocert ca --password-file pki/secrets/password',
  )
    .description("a CA that speaks step-ca's protocol, for trying things out; in a cluster run step-ca")
    .option('--config <file>', 'ca.json, as autocert init makes it', 'pki/config/ca.json')
    .requiredOption('--password-file <file>', 'password of the intermediate key')
    .action(async (options) => (await import('./ca.ts')).runCa(options, endWanted()));
}

function addRenew(program: Command): void {
  withExamples(
    withCluster(program.command('renew')),
    'autocert renew -n shop -n bank',
    'autocert renew --all --context production',
  )
    .description('have certificates replaced before their time, within ten minutes; with the rights of your kubeconfig')
    .option('-n, --namespace <name...>', 'whose certificates: those of the pods of these namespaces')
    .option('--all', 'those of all namespaces', false)
    .option('--system-namespace <name>', 'namespace of Autocert itself', 'step')
    .action(async (options) => {
      const [{ renew }, { KubernetesApi }] = await Promise.all([
        import('./renew.ts'),
        import('../kubernetes/client.ts'),
      ]);
      process.stdout.write(await renew(options, () => KubernetesApi.load(options), new Date()));
    });
}

function addStart(program: Command): void {
  withExamples(program.command('start'), 'autocert start', 'autocert start --once web.yaml')
    .description('the whole way on this machine: PKI, CA, webhook, injection, agent, mutual TLS, renewals; no cluster')
    .argument('[file]', "manifest of the workload to inject; absent: examples/sleep.yaml, the tutorial's")
    .option('--once', 'end after the first renewal', false)
    .option('--json', 'a JSON object a line, for programs', false)
    .action(async (file: string | undefined, options) =>
      (await import('./demo/demo.ts')).runDemo({ file, ...options }),
    );
}

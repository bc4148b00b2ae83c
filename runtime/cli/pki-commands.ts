/**
 * `autocert pki …`: the commands and their help.
 * @module
 */
import type { Command } from 'commander';
import { withExamples } from './examples.ts';
import { inNamespace, withPermit, withRootKey } from './pki-options.ts';
import { addSecretCommands } from './pki-secrets.ts';

/** Adds `pki` with what there is below it. */
export function addPki(program: Command): void {
  const pki = program.command('pki').description("the CA's keys and certificates in a cluster: made, kept, replaced");
  withExamples(
    withPermit(named(inNamespace(pki.command('create')))),
    'autocert pki create',
    'autocert pki create --ca-name Example --permit example.com,10.0.0.0/8',
  )
    .description('make the PKI where there is none: what the Job runs, which may read no key')
    .action(async (options) => (await import('./pki.ts')).createInCluster(options));
  withExamples(withPermit(inNamespace(pki.command('upkeep'))), 'autocert pki upkeep -n step')
    .description('make again what was lost of the PKI, and renew the intermediate: what the CronJob runs')
    .action(async (options) => (await import('./pki.ts')).upkeepInCluster(options));
  withExamples(withPermit(named(inNamespace(pki.command('init')))), 'autocert pki init')
    .description('both: make what is missing of the PKI, and renew the intermediate')
    .action(async (options) => (await import('./pki.ts')).initInCluster(options));
  withExamples(inNamespace(pki.command('status')), 'autocert pki status', 'autocert pki status --check --json')
    .description('show roots, intermediate, rotations, pods that do not know the newest root, and what is to be done')
    .option('--json', 'a JSON object, for programs', false)
    .option('--check', 'exit with 1 when somebody has to do something', false)
    .action(async (options) => (await import('./pki.ts')).status(options));
  withExamples(
    withPermit(withRootKey(inNamespace(pki.command('intermediate')))),
    'autocert pki intermediate',
    'autocert pki intermediate --root-key root_ca_key --root-key-password-file password --force',
  )
    .description(
      'replace the intermediate, with a new key, when less than half of its life is left, or its constraints are to change',
    )
    .option('--force', 'replace it also when more is left', false)
    .action(async (options) => (await import('./pki.ts')).intermediate(options));
  addRotation(pki);
  addSecretCommands(pki);
}

function named(command: Command): Command {
  return command.option('--ca-name <name>', 'organization and first word of the common names', 'Autocert');
}

function addRotation(pki: Command): void {
  const rotate = pki.command('rotate').description('replace the root: announce, switch, retire (docs/pki.md)');
  withExamples(withRootKey(inNamespace(rotate.command('announce'))), 'autocert pki rotate announce')
    .description("make a new root, signed by the old one, and have both trusted; --root-key: the old root's")
    .action(async (options) => (await import('./pki.ts')).rotate('announce', options));
  withExamples(withRootKey(inNamespace(rotate.command('switch'))), 'autocert pki rotate switch')
    .description("have the CA sign under the new root; --root-key: the new root's")
    .action(async (options) => (await import('./pki.ts')).rotate('switch', options));
  withExamples(inNamespace(rotate.command('retire')), 'autocert pki rotate retire')
    .description('trust the old root no more; refuses while a pod or a certificate needs it')
    .option('--force', 'retire it all the same', false)
    .action(async (options) => (await import('./pki.ts')).rotate('retire', options));
  withExamples(inNamespace(rotate.command('abort')), 'autocert pki rotate abort')
    .description('give up an announced root; before the switch only')
    .action(async (options) => (await import('./pki.ts')).rotate('abort', options));
}

/**
 * `autocert pki password`, `provisioner`, `backup`, `restore`: the commands and their help.
 * @module
 */
import { type Command, Option } from 'commander';
import { Provisioner } from '../contract.ts';
import { withCluster } from './cluster-options.ts';
import { withExamples } from './examples.ts';
import { inNamespace } from './pki-options.ts';

/** Adds the commands to `pki`. */
export function addSecretCommands(pki: Command): void {
  withExamples(inNamespace(pki.command('password')), 'autocert pki password')
    .description("replace the password of the CA's keys and of the provisioner admin; run again after an interruption")
    .option(
      '--root-key-elsewhere',
      "the root's key, or the new root's, is kept outside of the cluster, and its password is saved there",
      false,
    )
    .action(async (options) => (await import('./rotate-secrets.ts')).rotatePassword(options));
  withExamples(
    inNamespace(pki.command('provisioner')),
    'autocert pki provisioner',
    'autocert pki provisioner --name admin',
  )
    .description("replace a provisioner's key, and the password of autocert's; run again after an interruption")
    .addOption(new Option('--name <name>', 'which').choices(Object.values(Provisioner)).default(Provisioner.autocert))
    .option('--wait <duration>', 'how long kubelet is given to bring each change to the pods', '2m')
    .action(async (options) => (await import('./rotate-secrets.ts')).rotateProvisioner(options));
  withExamples(
    inNamespace(pki.command('backup')),
    'autocert pki backup --out pki.backup',
    'autocert pki backup --plain --out - | sops encrypt --input-type json --output-type yaml --filename-override pki.yaml /dev/stdin > pki.enc.yaml',
  )
    .description('save the PKI, root key and passwords included, to a file under a passphrase')
    .requiredOption('--out <file>', 'file to make; - for standard output')
    .option('--passphrase-file <file>', 'file with the passphrase; absent: it is asked for')
    .option('--plain', 'not encrypted: manifests for SOPS and the like', false)
    .action(async (options) => (await import('./backup.ts')).backup(options));
  withExamples(withCluster(pki.command('restore <file>')), 'autocert pki restore pki.backup')
    .description('put the PKI of a backup back; what is there and differs is replaced with --force only')
    .option('-n, --namespace <name>', 'namespace of the CA; absent: that of the backup')
    .option('--passphrase-file <file>', 'file with the passphrase; absent: it is asked for')
    .option('--plain', 'take a file that is not encrypted, and may be from anybody', false)
    .option(
      '--force',
      'replace what differs, delete what the backup does not have, take a backup that is not whole',
      false,
    )
    .action(async (file: string, options) => (await import('./backup.ts')).restore(file, options));
}

/**
 * Options that several commands of `autocert pki` have.
 * @module
 */
import type { Command } from 'commander';
import { withCluster } from './cluster-options.ts';

/** `--namespace`, and the flags by which the cluster is found. */
export const inNamespace = (command: Command) =>
  withCluster(command).option('-n, --namespace <name>', 'namespace of the CA', 'step');

/** `--root-key` and its password. */
export const withRootKey = (command: Command) =>
  command
    .option('--root-key <file>', 'key of the root, PEM; absent: the key in the cluster')
    .option('--root-key-password-file <file>', "its password; absent: that of the CA's keys in the cluster");

/** `--permit`. */
export const withPermit = (command: Command) =>
  command.option(
    '--permit <names>',
    'names that the intermediate may sign, by commas: DNS domains with all below them, IP addresses, CIDR blocks; "any": no constraints; absent: as they are',
  );

/**
 * The flags by which kubectl finds its cluster.
 * @module
 */
import type { Command } from 'commander';

/** `--kubeconfig` and `--context`. */
export const withCluster = (command: Command) =>
  command
    .option(
      '--kubeconfig <file>',
      "kubeconfig; absent: KUBECONFIG, else the pod's service account, else ~/.kube/config",
    )
    .option('--context <name>', 'context of the kubeconfig; absent: the current one');

/**
 * All checks, in the order in which they are told: what rests upon nothing else first.
 * @module
 */
import { admissionChecks } from './admission-checks.ts';
import { clusterChecks } from './cluster-checks.ts';
import { creationChecks } from './creation-checks.ts';
import type { Check } from './finding.ts';
import { installationChecks } from './installation-checks.ts';
import { namespaceChecks } from './namespace-checks.ts';
import { networkChecks } from './network-checks.ts';
import { pkiChecks } from './pki-checks.ts';
import { podChecks } from './pod-checks.ts';
import { rightsChecks } from './rights-checks.ts';
import { systemPodChecks } from './system-pod-checks.ts';

/** See the module. */
export const CHECKS: readonly Check[] = [
  ...installationChecks,
  ...systemPodChecks,
  ...clusterChecks,
  ...namespaceChecks,
  ...rightsChecks,
  ...networkChecks,
  ...pkiChecks,
  ...admissionChecks,
  ...creationChecks,
  ...podChecks,
];

/**
 * Removes from somebody's cluster what the tests deployed there: all of it, whichever step they came to.
 * @module
 */
import { existsSync } from 'node:fs';
import { ALLOW_DELETION } from '../../runtime/contract.ts';
import { ATTACK_NAMESPACES } from './attacks/lab.ts';
import { CaseNamespace } from './cases.ts';
import { type Context, SYSTEM } from './context.ts';
import { FAULTS_NAMESPACE } from './faults/settings.ts';
import { manifestsOf } from './installed.ts';
import { PLATFORM_NAMESPACE } from './platform.ts';
import { DOCTOR_NAMESPACES } from './sick/breakages.ts';
import { removeViewer } from './sick/viewer.ts';
import { INSTALL_LEFTOVERS } from './steps/install-command.ts';
import { FIXED_NAMESPACE } from './steps/least-privilege.ts';
import { LONG_NAMESPACE } from './steps/long.ts';
import { NATIVE_NAMESPACE } from './steps/native.ts';
import { NETWORK_NAMESPACES } from './steps/network.ts';
import { GO_RENEWAL_NAMESPACE, RENEWAL_NAMESPACE } from './steps/renewal.ts';
import { RIGHTS_NAMESPACES } from './steps/rights.ts';
import { ROTATION_NAMESPACE } from './steps/rotation.ts';
import { TUTORIAL_APPS } from './steps/tutorial.ts';
import { UNLABELLED_NAMESPACE } from './steps/workloads.ts';

/** Deletes workloads, namespaces and Autocert itself, and takes the label off the namespace `default`. */
export async function cleanUp({ kubectl, scratch }: Pick<Context, 'kubectl' | 'scratch'>): Promise<void> {
  const gone = ['--ignore-not-found', '--wait=false'];
  const apps = `app in (${TUTORIAL_APPS.join(',')})`;
  await kubectl.try(['label', 'namespace', 'default', 'autocert.step.sm-']);
  await kubectl.try(['-n', 'default', 'delete', 'deployments,services', '-l', apps, ...gone]);
  await kubectl.try(['-n', 'default', 'delete', ...INSTALL_LEFTOVERS, ...gone]);
  const namespaces = [
    ...Object.values(CaseNamespace),
    ...Object.values(RIGHTS_NAMESPACES),
    ...Object.values(NETWORK_NAMESPACES),
    ...[
      RENEWAL_NAMESPACE,
      GO_RENEWAL_NAMESPACE,
      UNLABELLED_NAMESPACE,
      NATIVE_NAMESPACE,
      ROTATION_NAMESPACE,
      LONG_NAMESPACE,
    ],
    ...Object.values(DOCTOR_NAMESPACES),
    FAULTS_NAMESPACE,
    ...Object.values(ATTACK_NAMESPACES),
    ...[FAULTS_NAMESPACE, FIXED_NAMESPACE, PLATFORM_NAMESPACE],
  ];
  await removeViewer({ kubectl });
  await kubectl.try(['delete', 'namespace', ...namespaces, ...gone]);
  const manifests = manifestsOf({ scratch });
  // The namespace with the CA's keys is kept until that is said.
  await kubectl.try(['annotate', 'namespace', SYSTEM, `${ALLOW_DELETION}=true`, '--overwrite']);
  if (existsSync(manifests)) await kubectl.try(['delete', '-f', manifests, ...gone]);
}

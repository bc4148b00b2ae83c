/**
 * An API server of these steps' own, beside the cluster, that serves less than its version has: what its flags leave out
 * cannot be taken from the one that the other steps use.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { KUBERNETES_BIN } from '../../../scripts/cluster/settings.ts';
import { tryRun } from '../../../scripts/cluster/shell.ts';
import { ApiServer } from '../../support/api-server.ts';
import { AUTOCERT } from '../autocert.ts';

const DISABLED = [
  'certificates.k8s.io/v1/podcertificaterequests',
  'admissionregistration.k8s.io/v1/validatingadmissionpolicies',
];

/** What `autocert doctor` has to say of each of them. */
const SAYS = [
  /podcertificaterequests and clustertrustbundles are not served, though this is Kubernetes 1/,
  /validatingadmissionpolicies are not served/,
];

/** Applies the manifests of `folder` to it, and looks whether `autocert doctor` names what is missing. */
export async function doctorNamesDisabledApis(folder: string): Promise<void> {
  await using server = await ApiServer.start({
    'runtime-config': DISABLED.map((api) => `${api}=false`).join(),
    'disable-admission-plugins': 'ValidatingAdmissionPolicy', // it waits for its policies, and everything else for it
  });
  // What it has no kind for it does not take, and says so.
  const applied = await tryRun([
    join(KUBERNETES_BIN, 'kubectl'),
    `--kubeconfig=${server.kubeconfig}`,
    'apply',
    '-f',
    folder,
  ]);
  assert.match(applied.stderr, /no matches for kind "ValidatingAdmissionPolicy"/);
  const { code, stdout, stderr } = await tryRun([...AUTOCERT, 'doctor', '-o', 'json'], {
    env: { KUBECONFIG: server.kubeconfig },
  });
  assert.equal(code, 1, stderr);
  const { findings } = JSON.parse(stdout) as { findings: { check: string; message: string }[] };
  const named = findings.filter(({ check }) => check === 'api').map(({ message }) => message);
  assert.equal(named.length, SAYS.length, named.join('\n'));
  for (const words of SAYS)
    assert(
      named.some((message) => words.test(message)),
      `${words}: ${named.join('\n')}`,
    );
}

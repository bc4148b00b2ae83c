import { originOf } from '../../../runtime/kubernetes/pod-origin.ts';
import { runningPod } from '../../support/pods.ts';

const agent = (env: readonly object[], name = 'autocert-renewer') => ({ initContainers: [{ name, env }] });
const reaches = (value: string, name?: string) => agent([{ name: 'AUTOCERT_URL', value }], name);
const native = (signerName: string) => ({
  volumes: [{ name: 'autocert-certs', projected: { sources: [{ podCertificate: { signerName } }] } }],
});
const of = (spec: object, status = 'injected') => originOf(runningPod({ status }, { spec }));
const autocert = (namespace: string) => ({ kind: 'autocert', namespace });

test.each([
  ['by the Service that its agent asks', reaches('https://autocert.tls.svc:4444'), autocert('tls')],
  ['by that with the cluster’s domain', reaches('https://autocert.tls.svc.cluster.local:4444'), autocert('tls')],
  ['by the bootstrapper’s', reaches('https://autocert.step.svc:4444', 'autocert-bootstrapper'), autocert('step')],
  ['by the signer of native delivery', native('autocert.step.sm/workload.tls'), autocert('tls')],
  ['by the usual signer', native('autocert.step.sm/workload'), autocert('step')],
  ['by what the original gives its containers', agent([{ name: 'STEP_CA_URL', value: 'x' }]), { kind: 'original' }],
])('an injected pod tells which installation it is of: %s', (_, spec, expected) => {
  expect(of(spec)).toEqual(expected);
});

test.each([
  ['that is not injected', reaches('https://autocert.tls.svc:4444'), ''],
  ['whose agent asks an address', reaches('https://127.0.0.1:4444'), 'injected'],
  ['whose agent asks what is no URL', reaches('autocert'), 'injected'],
  ['whose namespace would be no name of one', reaches('https://autocert.%61_b.svc'), 'injected'],
  ['with a signer of somebody else', native('example.com/workload.tls'), 'injected'],
  ['with a container of its own that has the variable', reaches('https://autocert.tls.svc', 'web'), 'injected'],
  ['with nothing', {}, 'injected'],
])('a pod does not tell: one %s', (_, spec, status) => {
  expect(of(spec, status)).toBeUndefined();
});

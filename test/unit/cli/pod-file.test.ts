import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readPod } from '../../../runtime/cli/demo/pod-file.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'autocert-pod-file-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const file = (text: string) => {
  const path = join(dir, 'manifest.yaml');
  writeFileSync(path, text);
  return path;
};
const TEMPLATE = '{metadata: {annotations: {a: b}}, spec: {containers: [{name: app, image: i}]}}';

describe('reading a pod out of a manifest', () => {
  test("takes the tutorial's Deployment", () => {
    const pod = readPod('examples/sleep.yaml');
    expect(pod.metadata.name).toMatch(/^sleep-/);
    expect(pod.metadata.namespace).toBe('default');
    expect(pod.metadata.annotations).toEqual({ 'autocert.step.sm/name': 'sleep.default.svc.cluster.local' });
    expect(pod.spec.containers).toHaveLength(1);
  });

  test.each(['Deployment', 'StatefulSet', 'DaemonSet', 'Job'])('takes the template of a %s', (kind) => {
    const pod = readPod(file(`{kind: ${kind}, metadata: {name: x, namespace: shop}, spec: {template: ${TEMPLATE}}}`));
    expect(pod).toMatchObject({ kind: 'Pod', metadata: { namespace: 'shop', annotations: { a: 'b' } } });
  });

  test('takes the template of a CronJob', () => {
    const pod = readPod(
      file(`{kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {spec: {template: ${TEMPLATE}}}}}`),
    );
    expect(pod.spec.containers).toEqual([{ name: 'app', image: 'i' }]);
  });

  test('takes a Pod by its own name', () => {
    expect(readPod(file('{kind: Pod, metadata: {name: x}, spec: {containers: []}}')).metadata.name).toBe('x');
  });

  test('passes over other documents of the file', () => {
    expect(readPod('examples/hello-mtls/node/hello-mtls.server.yaml').metadata.name).toMatch(/^hello-mtls-/);
  });

  test.each([
    ['a missing file', () => join(dir, 'none.yaml'), /cannot read .*none\.yaml/],
    ['what is not YAML', () => file('{a: [}'), /is not YAML/],
    [
      'a manifest without a pod',
      () => file('{kind: Service, metadata: {name: x}, spec: {ports: []}}'),
      /holds no pod: want a manifest of/,
    ],
    ['an empty file', () => file(''), /holds no pod/],
    ['a list', () => file('[1, 2]'), /holds no pod/],
    ['a file of more than a mebibyte', () => file(`a: ${'x'.repeat(1 << 20)}`), /larger than/],
  ])('refuses %s in one sentence', (_, path, message) => {
    expect(() => readPod(path())).toThrow(message);
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignerConfig, WebhookConfig } from '../../../runtime/contract.ts';
import { readSignerConfig } from '../../../runtime/signer/config.ts';
import { readWebhookConfig } from '../../../runtime/webhook/config.ts';
import { policy } from '../../support/pods.ts';
import { webhookConfig } from '../../support/reviews.ts';

const dir = mkdtempSync(join(tmpdir(), 'autocert-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

function file(content: unknown): string {
  const path = join(dir, 'config.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const faultsOf = (content: unknown) => {
  try {
    readWebhookConfig(file(content));
    return '';
  } catch (error) {
    expect(error).toMatchObject({ code: 'INVALID_CONFIG' });
    return error instanceof Error ? error.message : '';
  }
};

test('a right configuration is read as it is', () => {
  const config: WebhookConfig = webhookConfig({
    namespaces: { shop: { allowedNames: ['*.example.com'], maxDuration: '2h' } },
  });
  expect(readWebhookConfig(file(config))).toEqual(config);
  expect(readWebhookConfig(file({ ...config, host: '127.0.0.1' }))).toEqual({ ...config, host: '127.0.0.1' });
  const signer: SignerConfig = {
    ...policy(),
    caUrl: 'https://ca.step.svc',
    rootFile: '/root.crt',
    provisioner: 'autocert',
    provisionerPasswordFile: '/password',
    lease: { namespace: 'step', name: 'autocert-signer' },
    port: 9402,
  };
  expect(readSignerConfig(file(signer))).toEqual(signer);
});

test('a label of namespaces and report mode are read, and what is none is a fault', () => {
  const settings = { namespaceLabel: { key: 'tls.example.com/on', value: 'yes' }, mode: 'report' } as const;
  expect(readWebhookConfig(file(webhookConfig(settings)))).toMatchObject(settings);
  expect(faultsOf({ ...webhookConfig(), mode: 'warn' })).toContain('mode: must be one of enforce, report, got "warn"');
});

test.each<[string, unknown, RegExp]>([
  ['a text', 'a=b', /namespaceLabel: must be an object/],
  ['a key that is none', { key: 'a b', value: 'c' }, /namespaceLabel: got .* it takes a label/],
  ['no value', { key: 'a', value: '' }, /namespaceLabel\.value: must be a text/],
  ['a value that would select more', { key: 'a', value: 'b,c=d' }, /namespaceLabel: got .* it takes a label/],
  ['a misspelt setting', { key: 'a', value: 'b', vaule: 'c' }, /namespaceLabel\.vaule: is no setting/],
  ['a label of Kubernetes', { key: 'kubernetes.io/metadata.name', value: 'a' }, /namespaceLabel: .*Kubernetes’ own/],
])('a label of namespaces that is %s is a fault', (_what, namespaceLabel, message) => {
  expect(faultsOf({ ...webhookConfig(), namespaceLabel })).toMatch(message);
});

test('every fault is reported at once, each with its path', () => {
  const faults = faultsOf({
    ...webhookConfig(),
    clusterDomain: 'Cluster.local',
    caUrl: 'http://ca',
    autocertUrl: 'autocert.step.svc',
    excludedNamespaces: 'kube-system',
    servingNames: [],
    namespace: '',
    port: 99999,
    certificatePort: undefined,
    delivery: 'pigeon',
    signer: 'none',
    sidecar: undefined,
    agent: { image: '', imagePullPolicy: 'Sometimes', resources: { requests: { cpu: 1 }, limits: {} } },
    namespaces: { shop: { allowedNames: ['*.example.com', '*'], maxDuration: '5 parsecs', maxduration: '1h' } },
  });
  for (const fault of [
    /clusterDomain: must be a DNS domain, got "Cluster.local": it has upper-case/,
    /caUrl: must be an https:\/\/ URL, got "http:\/\/ca"/,
    /servingNames: must be a list of at least 1, got \[\]/,
    /autocertUrl: must be an https:\/\/ URL, got "autocert\.step\.svc"/,
    /excludedNamespaces: must be a list, got "kube-system"/,
    /namespace: must be a text, got ""/,
    /^ {2}port: must be a port \(0 to 65535\), got 99999$/m,
    /certificatePort: must be a port \(0 to 65535\), got nothing/,
    /delivery: must be one of auto, native, sidecar, got "pigeon"/,
    /signer: must be .*, got "none"/,
    /sidecar: must be one of auto, native, classic, got nothing/,
    /agent\.image: must be a text, got ""/,
    /agent\.imagePullPolicy: must be one of/,
    /agent\.resources\.requests\.cpu: must be a text, got 1/,
    /namespaces\.shop\.allowedNames\[1\]|namespaces\.shop\.allowedNames.*"\*" allows every name/,
    /namespaces\.shop\.maxDuration: "5 parsecs" is not a duration/,
    /namespaces\.shop\.maxduration: is no setting; known are allowedNames, maxDuration/,
  ]) {
    expect(faults).toMatch(fault);
  }
});

test.each([
  [{ minDuration: '25h' }, /maxDuration: must be at least minDuration \(25h\), got "24h"/],
  [{ defaultDuration: '1m' }, /defaultDuration: must be between minDuration and maxDuration \(5m to 24h\), got "1m"/],
  [
    { namespaces: { shop: { maxDuration: '1m' } } },
    /namespaces\.shop\.maxDuration: must be at least minDuration \(5m\)/,
  ],
  [{ minDuration: '0s' }, /minDuration: must be a duration longer than nothing/],
])('lifetimes that contradict each other are faults: %j', (overrides, fault) => {
  expect(faultsOf({ ...webhookConfig(), ...overrides })).toMatch(fault);
});

test.each([
  [{ clusterDomain: 'foo.svc' }, /clusterDomain: must be a DNS domain, got "foo\.svc": it ends in "svc"/],
  [{ reservedNames: undefined }, /reservedNames: must be a list, got nothing/],
  [{ namespaces: { shop: { allowedNames: ['x.example.com', '**.svc'] } } }, /shop\.allowedNames\[1\]: got "\*\*\.svc"/],
  [
    { namespaces: { shop: { serviceAccounts: { pay: { allowedNames: ['*.*.svc'] } } } } },
    /namespaces\.shop\.serviceAccounts\.pay\.allowedNames\[0\]: got "\*\.\*\.svc"/,
  ],
  [
    { namespaces: { shop: { serviceAccounts: { pay: { allowed: [] } } } } },
    /serviceAccounts\.pay\.allowed: is no setting/,
  ],
])("names that would be others' are faults: %j", (overrides, fault) => {
  expect(faultsOf({ ...webhookConfig(), ...overrides })).toMatch(fault);
});

test.each([
  ['10.96.0.1', ['ca.example.com', '10.96.0.1']],
  ['fd00::1', ['ca.example.com', 'fd00::1']],
  [undefined, ['ca.example.com']],
  ['no host', ['ca.example.com']],
])('the API server is reserved at the address that the pod was told: %s', (apiServer, reservedNames) => {
  const config = webhookConfig({ reservedNames: ['ca.example.com'] });
  expect(readWebhookConfig(file(config), apiServer).reservedNames).toEqual(reservedNames);
});

test.each([
  ['', /JSON/],
  ['[1', /JSON/],
  ['null', /must be an object, got null/],
  ['[]', /must be an object/],
])('a file with %j says what is wrong', (content, fault) => {
  expect(faultsOf(content)).toMatch(fault);
});

test('a file that is not there is named', () => {
  expect(() => readWebhookConfig(join(dir, 'none.json'))).toThrow(/cannot read .*none\.json: .*ENOENT/);
});

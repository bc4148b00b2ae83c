import { ClusterObjects } from '../../../runtime/pki/cluster-objects.ts';
import { longestLifetimeMs } from '../../../runtime/pki/leaf-lifetime.ts';
import { ObjectStore } from '../../support/object-store.ts';

const HOUR = 3_600_000;

const longest = (config: string | undefined, provisioners = '[]') => {
  const store = new ObjectStore();
  if (config !== undefined) {
    store.objects.set('/api/v1/namespaces/step/configmaps/ca-config', { metadata: {}, data: { 'ca.json': config } });
  }
  const stored = { files: { 'provisioners.json': provisioners }, resourceVersion: '1', createdAt: new Date() };
  return longestLifetimeMs(store, new ClusterObjects(store, 'step'), new Map([['provisioners', stored]]));
};
const claims = (maxTLSCertDuration: unknown) => ({ claims: { maxTLSCertDuration } });
const named = (maxTLSCertDuration: string) => ({ name: maxTLSCertDuration, ...claims(maxTLSCertDuration) });

describe('the longest lifetime of a certificate is', () => {
  test.each([
    ["the CA's", { authority: claims('48h') }, [], 48 * HOUR],
    ['that of a provisioner, if it is longer', { authority: claims('48h') }, [named('72h'), named('1h')], 72 * HOUR],
    [
      "of a provisioner of the CA's own configuration, too",
      { authority: { provisioners: [named('72h')] } },
      [],
      72 * HOUR,
    ],
    ["step-ca's, where nothing is said", { authority: {} }, [{ name: 'a' }], 24 * HOUR],
    ['the longest of all, where what is said cannot be read', { authority: claims('a day') }, [], 2184 * HOUR],
  ])('%s', async (_what, config, provisioners, expected) => {
    expect(await longest(JSON.stringify(config), JSON.stringify(provisioners))).toBe(expected);
  });

  test.each([[undefined], ['no JSON'], ['[]']])('the longest of all, where the configuration is %s', async (config) => {
    expect(await longest(config)).toBe(2184 * HOUR);
  });

  test.each([['no JSON'], ['[{}]']])('the longest of all, where the provisioners are %s', async (provisioners) => {
    expect(await longest('{}', provisioners)).toBe(2184 * HOUR);
  });
});

import { apiError } from '../../../runtime/kubernetes/wire.ts';
import type { Log } from '../../../runtime/lib/log.ts';
import { findCapabilities } from '../../../runtime/webhook/capabilities.ts';
import { repeat } from '../../../runtime/webhook/repeat.ts';
import { ServiceAddresses } from '../../../runtime/webhook/service-addresses.ts';

const warnings: object[] = [];
const log: Log = { info: () => {}, warn: (fields) => void warnings.push(fields), error: () => {} };
beforeEach(() => warnings.splice(0));

describe('capabilities', () => {
  const ask = (minor: string, resources: readonly string[] | undefined, major = '1') =>
    findCapabilities({
      get: async <T>(path: string): Promise<T> => {
        if (path === '/version') return { major, minor } as T;
        if (!resources) throw apiError(404, 'NotFound', 'no such group');
        return { resources: resources.map((name) => ({ name })) } as T;
      },
    });

  test.each<[string, string[] | undefined, object]>([
    ['28', undefined, { podCertificates: false, nativeSidecars: false }],
    ['29', ['certificatesigningrequests'], { podCertificates: false, nativeSidecars: true }],
    ['29+', ['certificatesigningrequests'], { podCertificates: false, nativeSidecars: true }],
    ['36', ['podcertificaterequests'], { podCertificates: false, nativeSidecars: true }],
    ['37', ['clustertrustbundles', 'podcertificaterequests'], { podCertificates: true, nativeSidecars: true }],
  ])('of 1.%s with %j', async (minor, resources, capabilities) => {
    expect(await ask(minor, resources)).toEqual(capabilities);
  });

  test('of a version 2 are not fewer', async () => {
    expect(await ask('0', [], '2')).toMatchObject({ nativeSidecars: true });
  });

  test('are not guessed when the API server gives no answer', async () => {
    const down = async () => {
      throw apiError(503, '', 'down');
    };
    await expect(findCapabilities({ get: down })).rejects.toThrow('down');
  });
});

describe('addresses of Services', () => {
  const urls = ['https://ca.step.svc', 'https://autocert.step.svc:8443/', 'https://10.0.0.9', 'https://[::1]:4443'];

  test('are those of the hosts in the URLs that are not addresses already', async () => {
    const addresses = new ServiceAddresses(urls);
    await addresses.refresh(async (host) => (host.startsWith('ca') ? '10.0.0.1' : 'fd00::2'), log);
    expect(addresses.aliases).toBe('ca.step.svc=10.0.0.1,autocert.step.svc=fd00::2');
  });

  test('that are not known are left out, with a warning', async () => {
    const addresses = new ServiceAddresses(urls);
    const resolve = async (host: string) => {
      if (host.startsWith('ca')) throw new Error('ENOTFOUND');
      return '10.0.0.2';
    };
    await addresses.refresh(resolve, log);
    expect(addresses.aliases).toBe('autocert.step.svc=10.0.0.2');
    expect(warnings).toEqual([{ host: 'ca.step.svc', reason: 'ENOTFOUND' }]);
  });

  test('stay as they were while DNS fails', async () => {
    const addresses = new ServiceAddresses(['https://ca.step.svc']);
    await addresses.refresh(async () => '10.0.0.1', log);
    await addresses.refresh(async () => {
      throw new Error('SERVFAIL');
    }, log);
    expect(addresses.aliases).toBe('ca.step.svc=10.0.0.1');
    expect(warnings).toEqual([]);
  });
});

test('a repeated task outlives its failures, tells its outcome, and ends with the signal', async () => {
  const stop = new AbortController();
  const outcomes: (string | undefined)[] = [];
  let runs = 0;
  const task = async () => {
    runs += 1;
    if (runs === 1) throw new Error('not yet');
    if (runs === 3) stop.abort();
  };
  const onOutcome = (problem: string | undefined) => void outcomes.push(problem);
  await repeat(task, { what: 'task', everyMs: 1, log, signal: stop.signal, onOutcome });
  expect(outcomes).toEqual(['not yet', undefined, undefined]);
  expect(warnings).toMatchObject([{ reason: 'not yet' }]);
});

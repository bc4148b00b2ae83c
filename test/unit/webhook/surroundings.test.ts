import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { findCapabilities } from '../../../runtime/webhook/capabilities.ts';
import { ServiceAddresses } from '../../../runtime/webhook/service-addresses.ts';
import { keptLog } from '../../support/logs.ts';

const log = keptLog();
beforeEach(() => log.lines.splice(0));

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
  const addressesOf = (...hosts: string[]) => new ServiceAddresses(() => hosts);

  test('are those of the hosts in the URLs that are not addresses already', async () => {
    const addresses = addressesOf(...urls);
    await addresses.refresh(async (host) => (host.startsWith('ca') ? '10.0.0.1' : 'fd00::2'), log);
    expect(addresses.aliases).toBe('ca.step.svc=10.0.0.1,autocert.step.svc=fd00::2');
  });

  test('that are not known are left out, with a warning', async () => {
    const addresses = addressesOf(...urls);
    const resolve = async (host: string) => {
      if (host.startsWith('ca')) throw new Error('ENOTFOUND');
      return '10.0.0.2';
    };
    await addresses.refresh(resolve, log);
    expect(addresses.aliases).toBe('autocert.step.svc=10.0.0.2');
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { host: 'ca.step.svc', reason: 'ENOTFOUND' } }]);
  });

  test('stay as they were while DNS fails', async () => {
    const addresses = addressesOf('https://ca.step.svc');
    await addresses.refresh(async () => '10.0.0.1', log);
    await addresses.refresh(async () => {
      throw new Error('SERVFAIL');
    }, log);
    expect(addresses.aliases).toBe('ca.step.svc=10.0.0.1');
    expect(log.lines).toEqual([]);
  });

  test('follow the configuration: a host that is no longer in it is forgotten', async () => {
    const hosts = ['https://autocert.step.svc:4444'];
    const addresses = new ServiceAddresses(() => hosts);
    const resolve = async (host: string) => (host === 'autocert.step.svc' ? '10.0.0.1' : '10.0.0.2');
    await addresses.refresh(resolve, log);
    hosts.splice(0, 1, 'https://autocert.example.com');
    await addresses.refresh(resolve, log);
    expect(addresses.aliases).toBe('autocert.example.com=10.0.0.2');
  });

  test('that change are followed', async () => {
    const addresses = addressesOf('https://autocert.step.svc');
    await addresses.refresh(async () => '10.0.0.1', log);
    await addresses.refresh(async () => '10.0.0.2', log);
    expect(addresses.aliases).toBe('autocert.step.svc=10.0.0.2');
  });
});

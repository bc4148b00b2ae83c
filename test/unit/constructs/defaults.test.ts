import { join } from 'node:path';
import { App, Chart, Duration, Size } from 'cdk8s';
import * as ours from '../../../constructs/index.ts';
import { windowOf } from '../../../runtime/signer/request-status.ts';
import { propsReader } from '../../../scripts/docs/props.ts';
import { createAuthorities } from '../../support/authorities.ts';

const { read } = propsReader(join(import.meta.dirname, '../../..'));

/** The props of an interface whose TSDoc has a default that is code, with that code. */
function codedDefaults(name: string): readonly (readonly [prop: string, code: string])[] {
  return read(name).props.flatMap(({ name: prop, usual = '' }) => {
    const [, code] = /^`([^`]+)`(?:: |$)/.exec(usual) ?? [];
    return code === undefined ? [] : [[prop, code] as const];
  });
}

const evaluated = (code: string): unknown => {
  const names = { Duration, Size, ...ours };
  return new Function(...Object.keys(names), `return ${code}`)(...Object.values(names));
};

describe('a default that TSDoc has', () => {
  let pem: { rootCertificate: string; intermediateCertificate: string };
  beforeAll(async () => {
    const { root, intermediate } = await createAuthorities();
    pem = { rootCertificate: root, intermediateCertificate: intermediate };
  });

  type Given = Readonly<Record<string, unknown>>;
  /** What is made of each interface, with what is given and with what has to be. */
  const makers: Readonly<Record<string, (chart: Chart, given: Given) => void>> = {
    StepCaProps: (chart, given) => new ours.StepCa(chart, 'ca', given),
    LifetimeProps: (chart, given) => new ours.StepCa(chart, 'ca', given),
    NetworkProps: (chart, given) => new ours.StepCa(chart, 'ca', given),
    ApiServerOptions: (chart, given) => new ours.StepCa(chart, 'ca', { apiServer: given }),
    CaServiceOptions: (chart, given) => new ours.StepCa(chart, 'ca', { service: given }),
    InClusterPkiOptions: (chart, given) => new ours.StepCa(chart, 'ca', { pki: ours.Pki.inCluster(given) }),
    ExistingPkiOptions: (chart, given) =>
      new ours.StepCa(chart, 'ca', { pki: ours.Pki.existing({ ...pem, ...given }) }),
    PersistentDatabaseOptions: (chart, given) =>
      new ours.StepCa(chart, 'ca', { database: ours.CaDatabase.persistent(given) }),
    SharedDatabaseOptions: (chart, given) =>
      new ours.StepCa(chart, 'ca', { database: ours.CaDatabase.postgresql({ dataSourceSecret: 'db', ...given }) }),
    StepCaFromUrlProps: (chart, given) => {
      const ca = { url: 'https://ca.example.com', rootCertificate: pem.rootCertificate, ...given };
      new ours.AutocertWebhook(chart, 'autocert', { ca: ours.StepCa.fromUrl(chart, 'ca', ca) });
    },
    AutocertWebhookProps: (chart, given) => webhook(chart, given),
    SignerOptions: (chart, given) => webhook(chart, { signer: given }),
    WebhookInjectorOptions: (chart, given) => webhook(chart, { injector: ours.Injector.webhook(given) }),
    ApiServerClientCa: (chart, given) => {
      const apiServerClientCa = { configMap: 'api-server', ...given };
      webhook(chart, { injector: ours.Injector.webhook({ apiServerClientCa }) });
    },
    AutocertNamespaceProps: (chart, given) =>
      new ours.AutocertNamespace(chart, 'shop', { webhook: webhook(chart), name: 'shop', ...given }),
    AutocertMonitoringProps: (chart, given) =>
      new ours.AutocertMonitoring(chart, 'monitoring', { webhook: webhook(chart), metricsFrom: [], ...given }),
  };
  const webhook = (chart: Chart, given: Given = {}) =>
    new ours.AutocertWebhook(chart, 'autocert', { ca: new ours.StepCa(chart, 'ca'), ...given });

  const manifests = (name: string, given: Given) => {
    const chart = new Chart(new App(), 'chart');
    makers[name]?.(chart, given);
    return chart.toJson();
  };
  // What is not in the manifests unless it is given: the API server, and the signer, have the same default.
  const ofOthers = ['CaServiceOptions.type', 'SignerOptions.renewAt'];
  const all = Object.keys(makers).flatMap((name) =>
    codedDefaults(name).map(([prop, code]) => [name, prop, code] as const),
  );
  const cases = all.filter(([name, prop]) => !ofOthers.includes(`${name}.${prop}`));

  test('is code for most props', () => expect(cases.length).toBeGreaterThan(40));

  test('is that of the signer, where it is the signer that fills it in', () => {
    const renewAt = codedDefaults('SignerOptions').find(([prop]) => prop === 'renewAt')?.[1] ?? '';
    expect(evaluated(renewAt)).toBe(windowOf(undefined).end);
  });

  test.each(cases)('is the default: %s, %s: %s', (name, prop, code) => {
    expect(manifests(name, { [prop]: evaluated(code) })).toEqual(manifests(name, {}));
  });
});

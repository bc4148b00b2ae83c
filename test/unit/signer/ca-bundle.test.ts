import type { V1MutatingWebhookConfiguration } from '@kubernetes/client-node';
import { type CaBundlePorts, caBundleKeeper } from '../../../runtime/signer/ca-bundle.ts';
import { signerMetrics } from '../../../runtime/signer/metrics.ts';
import { fingerprintOf, splitPem } from '../../../runtime/x509/certificate.ts';
import { fakeCa } from './fake-ca.ts';
import { NOON } from './fixtures.ts';

const [one, other, foreign] = (await Promise.all([fakeCa(NOON), fakeCa(NOON), fakeCa(NOON)])).map(
  ({ root }) => root,
) as [string, string, string];

const base64 = (text: string) => Buffer.from(text).toString('base64');

/** A cluster with one webhook configuration, whose `caBundle` is `text`, and what keeps it. */
function keeping(text?: string, anchors: readonly string[] = [one]) {
  const world = {
    name: 'autocert' as string | undefined,
    anchors,
    webhooks: [{ name: 'autocert.step.sm', caBundle: text === undefined ? undefined : base64(text) }] as
      | { name: string; caBundle: string | undefined }[]
      | undefined,
    broken: false,
    reads: 0,
    writes: [] as string[],
    looks: [] as boolean[],
    lines: [] as string[],
  };
  const note = (_fields: object, message: string) => void world.lines.push(message);
  const ports: CaBundlePorts = {
    configuration: () => world.name,
    anchors: () => world.anchors,
    read: async () => {
      world.reads += 1;
      if (world.broken) throw new Error('forbidden');
      const webhooks = world.webhooks?.map(({ name, caBundle }) => ({ name, clientConfig: { caBundle } }));
      return webhooks && ({ webhooks } as unknown as V1MutatingWebhookConfiguration);
    },
    apply: async (name, caBundle) => {
      world.writes.push(name);
      for (const webhook of world.webhooks ?? []) webhook.caBundle = caBundle;
    },
    onLook: (isCurrent) => void world.looks.push(isCurrent),
    log: { info: note, warn: note, error: note },
  };
  const look = caBundleKeeper(ports);
  const bundle = () => Buffer.from(world.webhooks?.[0]?.caBundle ?? '', 'base64').toString();
  return { world, look, bundle };
}

describe('the caBundle', () => {
  test('that is missing is set', async () => {
    const { world, look, bundle } = keeping();
    await look();
    expect(bundle()).toBe(one);
    expect(world.looks).toEqual([true]);
  });

  test.each([
    ['lacks a root', one, [one, other]],
    ['has a root that the CA has no more', one + other, [other]],
    ['is that of another CA', foreign, [one]],
    ['cannot be read', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', [one]],
    ['is empty', '', [one]],
  ])('that %s is replaced by exactly the roots', async (_what, text, anchors) => {
    const { look, bundle, world } = keeping(text, anchors);
    await look();
    expect(splitPem(bundle()).map(fingerprintOf).sort()).toEqual(anchors.map(fingerprintOf).sort());
    await look();
    expect(world.writes).toHaveLength(1);
  });

  test('with the same roots, however ordered and written, is left alone', async () => {
    const { world, look } = keeping(`# roots\n${other.trim()}\n\n${one}${one}`, [one, other]);
    await look();
    expect(world.writes).toEqual([]);
    expect(world.looks).toEqual([true]);
  });

  test('is the same text whoever leads, so that two never undo each other', async () => {
    const [first, second] = [keeping('', [one, other]), keeping('', [other, one, other])];
    await Promise.all([first.look(), second.look()]);
    expect(first.bundle()).toBe(second.bundle());
  });

  test('is set again when the configuration was deleted and applied anew', async () => {
    const { world, look, bundle } = keeping(one);
    await look();
    world.webhooks = undefined;
    await look();
    await look();
    expect(world.lines).toEqual([expect.stringMatching(/no such MutatingWebhookConfiguration/)]);
    world.webhooks = [{ name: 'autocert.step.sm', caBundle: undefined }];
    await look();
    expect(bundle()).toBe(one);
    expect(world.looks).toEqual([true, false, false, true]);
  });

  test('stays as it is while the roots are not known, and where there is no webhook', async () => {
    const { world, look } = keeping(foreign, []);
    await look();
    world.anchors = [one];
    world.name = undefined;
    await look();
    expect(world).toMatchObject({ reads: 0, writes: [], looks: [] });
  });

  test('of a configuration without our webhook is an error that says what to do', async () => {
    const { world, look } = keeping();
    world.webhooks = [{ name: 'other.example.com', caBundle: undefined }];
    await expect(look()).rejects.toThrow(
      /autocert has no webhook named autocert\.step\.sm: apply Autocert's manifests/,
    );
    expect(world).toMatchObject({ writes: [], looks: [false] });
  });

  test('that cannot be read counts as not current', async () => {
    const { world, look } = keeping(one);
    world.broken = true;
    await expect(look()).rejects.toThrow('forbidden');
    expect(world.looks).toEqual([false]);
  });
});

test('its metrics are those of the leader: absent before, and after its term', async () => {
  const metrics = signerMetrics();
  const rendered = async () =>
    (await metrics.render()).split('\n').filter((line) => line.startsWith('autocert_signer_ca_bundle'));
  expect(await rendered()).toEqual([]);
  metrics.leading(true);
  metrics.caBundle(true, NOON);
  metrics.caBundle(false, new Date(NOON.getTime() + 1000));
  expect(await rendered()).toEqual([
    'autocert_signer_ca_bundle_current 0',
    `autocert_signer_ca_bundle_current_timestamp_seconds ${NOON.getTime() / 1000}`,
  ]);
  metrics.leading(false);
  expect(await rendered()).toEqual([]);
});

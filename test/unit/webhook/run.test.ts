import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import { type CertificateAnswer, RENEWALS_CONFIG_MAP } from '../../../runtime/contract.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { fingerprintOf, validityOf } from '../../../runtime/x509/certificate.ts';
import { readKeyRequestPem } from '../../../runtime/x509/certificate-request.ts';
import { createKeyAndRequest } from '../../../runtime/x509/csr.ts';
import { waitFor } from '../../../scripts/cluster/shell.ts';
import { runningPod } from '../../support/pods.ts';
import { reviewOf, sleepPod, webhookConfig } from '../../support/reviews.ts';
import { PROVISIONERS, provisioner, WebhookWorld } from '../../support/webhook-world.ts';

describe('readiness', () => {
  test('while the CA is away it lives, is not ready, and says what it waits for; then it is ready by itself', async () => {
    await using world = await WebhookWorld.start(({ ca }) => {
      ca.routes[PROVISIONERS] = [503, { message: 'starting' }];
    });
    expect((await world.probe('/healthz')).status).toBe(200);
    const reply = await world.until('starting');
    expect(reply.status).toBe(503);
    expect(reply.body).toMatch(/^waiting for the root certificate: https:.*provisioners answered 503: starting/);
    // Nobody trusts the placeholder, on either port.
    for (const port of [world.webhook.port, world.webhook.certificatePort]) {
      await expect(world.call('/nowhere', { port })).rejects.toThrow(/self-signed certificate/);
    }
    world.ca.routes[PROVISIONERS] = [200, { provisioners: [provisioner] }];
    await world.until();
    for (const port of [world.webhook.port, world.webhook.certificatePort]) {
      await expect(world.call('/nowhere', { port })).resolves.toMatchObject({ status: 404 });
    }
  });

  test('while the API server is away the same', async () => {
    await using world = await WebhookWorld.start(({ store }) => {
      store.failures.set('/version', apiError(503, '', 'etcd is down'));
    });
    const reply = await world.until('etcd');
    expect(reply).toMatchObject({ status: 503, body: 'waiting for the API server: etcd is down\n' });
    world.store.failures.clear();
    await world.until();
  });

  test('while the CA refuses its names it says so', async () => {
    await using world = await WebhookWorld.start(({ ca }) => {
      ca.routes['/1.0/sign'] = [403, { message: 'localhost is not allowed' }];
    });
    const { body } = await world.until('not allowed');
    expect(body).toMatch(/^waiting for the CA: no serving certificate: https:.*sign answered 403: localhost is not/);
  });
});

describe('agents whose image is not configured', () => {
  const { image: _, ...agent } = webhookConfig().agent;
  const own = '/api/v1/namespaces/step/pods/autocert-1';
  const pod = {
    spec: {
      containers: [
        { name: 'mesh', image: 'mesh:1' },
        { name: 'autocert', image: 'registry.example/a:2' },
      ],
    },
  };

  test('are of the image of the webhook’s own pod', async () => {
    await using world = await WebhookWorld.ready(({ store, config }) => {
      store.objects.set(own, pod);
      Object.assign(config, { agent });
    });
    expect(await world.patch()).toContain('"image":"registry.example/a:2"');
    // Somebody who names one has it at once.
    world.config = { ...world.config, agent: { ...agent, image: 'agent:3' } };
    expect(await world.patch()).toContain('"image":"agent:3"');
  });

  test('are not made up: it is not ready until the pod can be looked at', async () => {
    await using world = await WebhookWorld.start(({ config }) => void Object.assign(config, { agent }));
    const { body } = await world.until('not known');
    expect(body).toMatch(/there is no pod autocert-1 with a container autocert in namespace step; agent\.image/);
  });
});

describe('the certificate that it serves', () => {
  test('is replaced for new connections on both ports, while those that are open stay so', async () => {
    await using world = await WebhookWorld.ready();
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const kept = () => world.call('/nowhere', { agent });
    const before = await kept();
    world.config = { ...world.config, servingNames: ['localhost', 'autocert.step.svc'] };
    for (const port of [world.webhook.port, world.webhook.certificatePort]) {
      const isNew = async () => (await world.call('/nowhere', { port })).serial !== before.serial;
      await waitFor('another certificate', isNew, { everyMs: 20 });
    }
    expect(await kept()).toMatchObject({ status: 404, serial: before.serial, localPort: before.localPort });
    agent.destroy();
  });
});

describe('a webhook that is ready', () => {
  let world: WebhookWorld;
  beforeAll(async () => {
    world = await WebhookWorld.ready(({ store }) => {
      store.objects.set(`/api/v1/namespaces/step/configmaps/${RENEWALS_CONFIG_MAP}`, {
        data: { shop: '2020-01-01T00:00:00Z' },
      });
    });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  test('injects what agents need to reach it and to trust it', async () => {
    const patch = await world.patch();
    expect(patch).toContain('"restartPolicy":"Always"');
    expect(patch).toContain('https://localhost:4444');
    expect(patch).toContain(JSON.stringify(world.ca.root.certificatePem));
  });

  test('gives a pod the certificate for its key', async () => {
    const { csrPem } = await createKeyAndRequest();
    const { status, body } = await world.certificate('good', csrPem);
    expect(status).toBe(200);
    const { certificate, renewal } = JSON.parse(body) as CertificateAnswer;
    const leaf = new X509Certificate(certificate);
    expect(leaf.publicKey.equals(readKeyRequestPem(csrPem, 'csr').publicKey)).toBe(true);
    expect(renewal).toMatchObject({ roots: world.ca.root.certificatePem, anchors: world.ca.root.certificatePem });
  });

  test('gives nobody else one', async () => {
    const { csrPem } = await createKeyAndRequest();
    expect((await world.certificate('bad', csrPem)).status).toBe(401);
    expect((await world.certificate('good', 'no request')).status).toBe(400);
  });

  test('tells agents how to renew, and what is to be replaced', async () => {
    const { status, body } = await world.call('/renewal-info?namespace=shop', { port: world.webhook.certificatePort });
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({
      roots: world.ca.root.certificatePem,
      replace: { issuedBefore: '2020-01-01T00:00:00.000Z' },
    });
  });

  test('has a port for each of its peers, and on it what is for that peer alone', async () => {
    const { port, certificatePort } = world.webhook;
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect((await world.probe(path)).status).toBe(200);
      for (const other of [port, certificatePort]) expect((await world.call(path, { port: other })).status).toBe(404);
    }
    expect((await world.probe('/renewal-info?namespace=shop')).status).toBe(404);
    expect((await world.call('/mutate', { body: {}, port: certificatePort })).status).toBe(404);
    expect((await world.call('/certificate', { body: {} })).status).toBe(404);
    expect((await world.call('/renewal-info?namespace=shop')).status).toBe(404);
  });

  test('shows Prometheus what happens on all ports, and when the certificates of the PKI expire', async () => {
    const { csrPem } = await createKeyAndRequest();
    await world.certificate('bad', csrPem);
    await world.patch();
    const { body } = await world.probe('/metrics');
    expect(body).toMatch(/^autocert_certificates_refused_total\{delivery="sidecar",reason="Unauthenticated"\} [1-9]/m);
    expect(body).toMatch(/^autocert_admissions_total\{result="injected"\} [1-9]/m);
    expect(body).toMatch(/^autocert_ca_up 1$/m);
    const { certificatePem } = world.ca.root;
    const root = { fingerprint: fingerprintOf(certificatePem), ...validityOf(certificatePem) };
    expect(body).toContain(
      `certificate_not_after_timestamp_seconds{kind="root",fingerprint="${root.fingerprint.slice(0, 16)}"} ${root.notAfter.getTime() / 1000}\n`,
    );
    for (const kind of ['serving', 'intermediate']) {
      expect(body).toMatch(
        new RegExp(`^autocert_certificate_not_before_timestamp_seconds\\{kind="${kind}",.*\\} \\d{10}$`, 'm'),
      );
    }
  });

  test('takes the report of a failing agent, tells the pod’s owner, and counts it until the pod has a certificate', async () => {
    const { certificatePort: port } = world.webhook;
    const body = {
      reason: 'no space left',
      since: '2026-01-01T00:00:00Z',
      notAfter: '2026-01-02T00:00:00Z',
      late: true,
    };
    // The same text is told for a second.
    const told = (text: string) =>
      waitFor(text, async () => (await world.probe('/metrics')).body.includes(`${text}\n`), { everyMs: 50 });
    expect((await world.call('/report', { port, body, token: 'bad' })).status).toBe(401);
    await told('autocert_agents_failing 0');
    expect((await world.call('/report', { port, body, token: 'good' })).status).toBe(204);
    expect(world.events.at(-1)).toMatchObject({
      type: 'Warning',
      involvedObject: { name: 'web-0', uid: 'uid-1' },
      reason: 'CertificateNotObtained',
      message: expect.stringContaining('no space left'),
    });
    await told('autocert_agents_failing 1');
    await told('autocert_certificates_late{delivery="sidecar"} 1');
    const { csrPem } = await createKeyAndRequest();
    await world.certificate('good', csrPem);
    await told('autocert_agents_failing 0');
    expect((await world.call('/report', { body, token: 'good' })).status).toBe(404);
  });
});

test('where it is asked for, each certificate is an Event of type Normal on the pod', async () => {
  await using world = await WebhookWorld.ready();
  const { csrPem } = await createKeyAndRequest();
  await world.certificate('good', csrPem);
  expect(world.events).toEqual([]);
  world.config = { ...world.config, issuanceEvents: true };
  await world.certificate('good', csrPem);
  expect(world.events).toMatchObject([
    {
      type: 'Normal',
      reason: 'CertificateIssued',
      message: expect.stringMatching(/^certificate \w+ for web\.shop\.svc, valid/),
    },
  ]);
});

test('a configuration that changes is followed: the policy of names, and what agents are told', async () => {
  await using world = await WebhookWorld.ready(({ store }) => {
    store.objects.set('/api/v1/namespaces/shop/pods/web-0', runningPod({ name: 'www.example.com' }));
  });
  const { csrPem } = await createKeyAndRequest();
  expect((await world.certificate('good', csrPem)).status).toBe(403);
  // The pod's owner is told why.
  expect(world.events).toMatchObject([
    {
      involvedObject: { name: 'web-0', uid: 'uid-1' },
      reason: 'NotAllowed',
      message: expect.stringMatching(/www\.example/),
    },
  ]);
  const namespaces = { shop: { allowedNames: ['*.example.com'] } };
  const agent = { ...world.config.agent, image: 'autocert:9.9.9' };
  world.config = { ...world.config, namespaces, agent };
  expect((await world.certificate('good', csrPem)).status).toBe(200);
  expect(await world.patch()).toContain('autocert:9.9.9');
});

test('when it is told to stop it is not ready at once, still answers for a while, then closes', async () => {
  await using world = await WebhookWorld.ready();
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const kept = await world.call('/nowhere', { agent });
  expect(kept.headers.connection).toBe('keep-alive');
  const stopped = world.stop();
  expect(await world.probe('/readyz')).toEqual({ status: 503, body: 'stopping\n' });
  // The answer on a kept connection says that it is the last one there.
  expect((await world.call('/nowhere', { agent })).headers.connection).toBe('close');
  expect((await world.call('/mutate', { body: reviewOf(sleepPod()) })).status).toBe(200);
  await stopped;
  for (const port of [world.webhook.port, world.webhook.certificatePort]) {
    await expect(world.call('/nowhere', { port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  }
  await expect(world.probe('/healthz')).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } });
  agent.destroy();
});

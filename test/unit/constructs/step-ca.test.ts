import { ApiObject, App, Chart, Duration, JsonPatch, Size } from 'cdk8s';
import { AutocertWebhook, CaDatabase, Pki, StepCa, type StepCaProps } from '../../../constructs/index.ts';
import { createAuthorities } from '../../support/authorities.ts';
import { configOf, find, listed, podSpecs, restrictedFaults, synth } from '../../support/manifests.ts';

const made = (props?: StepCaProps) => synth((chart) => new StepCa(chart, 'ca', props));
const making = (props: StepCaProps) => () => made(props);

describe('StepCa', () => {
  const manifests = made();

  test('renders the default CA', () => expect(made({ autocertImage: 'autocert:x' })).toMatchSnapshot());

  test('has the names and labels that the tutorial uses', () => {
    expect(find(manifests, 'StatefulSet').spec.template.metadata.labels).toEqual({ app: 'ca' });
    expect(find(manifests, 'Service', 'ca').spec).toMatchObject({
      selector: { app: 'ca' },
      ports: [{ port: 443, targetPort: 4443 }],
    });
    expect(find(manifests, 'StatefulSet').metadata).toMatchObject({ name: 'ca', namespace: 'step' });
  });

  test('never names an object after its place in the construct tree', () => {
    const nested = synth((chart) => new StepCa(new Chart(chart, 'somewhere'), 'else'));
    expect(nested).toEqual([]);
    expect(listed(synth((chart) => new StepCa(chart, 'another-id')))).toEqual(listed(manifests));
  });

  test('gives a namespace to every object but those of the cluster', () => {
    const inCluster = manifests.filter(({ metadata }) => metadata.namespace === undefined);
    expect(listed(inCluster)).toEqual([
      'Namespace/step',
      'ValidatingAdmissionPolicy/autocert-pki-step',
      'ValidatingAdmissionPolicyBinding/autocert-pki-step',
      'ValidatingAdmissionPolicy/autocert-init-step',
      'ValidatingAdmissionPolicyBinding/autocert-init-step',
    ]);
    expect(new Set(manifests.map(({ metadata }) => metadata.namespace ?? 'step'))).toEqual(new Set(['step']));
  });

  test('labels every object as part of autocert', () => {
    for (const { metadata } of manifests)
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/part-of': 'autocert' });
  });

  test('begins with the namespace, at the Pod Security level restricted', () => {
    expect(manifests[0]).toMatchObject({
      kind: 'Namespace',
      metadata: {
        name: 'step',
        labels: Object.fromEntries(
          ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
        ),
      },
    });
    expect(listed(made({ createNamespace: false }))).not.toContain('Namespace/step');
  });

  test.each([...podSpecs(manifests)])('%s passes Pod Security restricted', (_name, spec) => {
    expect(restrictedFaults(spec)).toEqual([]);
  });

  test('keeps NET_BIND_SERVICE for step-ca, without which its file cannot be executed', () => {
    const [container] = find(manifests, 'StatefulSet').spec.template.spec.containers;
    expect(container.securityContext.capabilities).toEqual({ drop: ['ALL'], add: ['NET_BIND_SERVICE'] });
  });

  const caPod = (props?: StepCaProps) => find(made(props), 'StatefulSet').spec.template;
  const container = (name: string, props?: StepCaProps) =>
    caPod(props).spec.containers.find((each: { name: string }) => each.name === name);

  test('is ready when step-ca answers and the supervisor says that certificates can be had', () => {
    expect(container('step-ca').readinessProbe.httpGet).toEqual({ path: '/health', port: 4443, scheme: 'HTTPS' });
    expect(container('supervisor').readinessProbe.httpGet).toEqual({ path: '/readyz', port: 9404, scheme: 'HTTP' });
  });

  test('is never killed by kubelet for waiting: its supervisor restarts a step-ca that does not answer', () => {
    expect(container('step-ca')).not.toHaveProperty('livenessProbe');
    expect(container('step-ca')).not.toHaveProperty('startupProbe');
    expect(container('supervisor').livenessProbe.httpGet.path).toBe('/healthz');
  });

  test('is the container in which kubectl runs commands, with what step needs for them', () => {
    const { metadata, spec } = caPod();
    expect(metadata.annotations['kubectl.kubernetes.io/default-container']).toBe('step-ca');
    expect(spec.containers[0].name).toBe('step-ca');
    expect(spec.containers[0].env).toEqual(
      expect.arrayContaining([
        { name: 'STEPPATH', value: '/home/step/.step' },
        { name: 'STEP_CA_URL', value: 'https://localhost:4443' },
        { name: 'STEP_ROOT', value: '/home/step/.step/certs/root_ca.crt' },
      ]),
    );
  });

  test('has its metrics on, each container at a port of its own', () => {
    expect(configOf(made(), 'ca-config', 'ca.json').metricsAddress).toBe(':9403');
    expect(container('step-ca').ports).toContainEqual({ name: 'metrics', containerPort: 9403 });
    expect(container('supervisor').ports).toEqual([{ name: 'supervisor', containerPort: 9404 }]);
  });

  test('mounts only the keys of the Secrets that it needs, and never the root key', () => {
    const { spec } = find(manifests, 'StatefulSet').spec.template;
    const secrets = spec.volumes.find(({ name }: { name: string }) => name === 'secrets');
    const optional = (name: string, key: string) => ({ secret: { name, items: [{ key, path: key }], optional: true } });
    expect(secrets.projected.sources).toEqual([
      { secret: { name: 'ca-intermediate-key', items: [{ key: 'intermediate_ca_key', path: 'intermediate_ca_key' }] } },
      optional('ca-intermediate-key', 'intermediate_ca.crt'),
      { secret: { name: 'ca-password', items: [{ key: 'password', path: 'password' }] } },
      optional('ca-password', 'next-password'),
    ]);
    expect(JSON.stringify(spec)).not.toContain('ca-root-key');
    expect(spec.automountServiceAccountToken).toBe(false);
  });

  test('brings a shell into the container of step-ca, whose image may have none', () => {
    expect(caPod().spec.initContainers[0].command).toEqual([
      '/bin/busybox',
      'cp',
      '/bin/busybox',
      '/usr/local/share/autocert/ca.sh',
      '/run/autocert/programs',
    ]);
    expect(container('step-ca').command).toEqual([
      '/run/autocert/programs/busybox',
      'sh',
      '/run/autocert/programs/ca.sh',
      '/run/autocert/control',
      '/home/step/.step/config',
    ]);
    expect(container('step-ca').volumeMounts).toContainEqual({
      name: 'programs',
      mountPath: '/run/autocert/programs',
      readOnly: true,
    });
  });

  test('has its configuration composed in memory by the supervisor, and step-ca only reads it', () => {
    const { volumes } = caPod().spec;
    for (const name of ['config', 'control', 'programs']) {
      expect(volumes).toContainEqual({ name, emptyDir: { medium: 'Memory', sizeLimit: expect.any(String) } });
    }
    const mountPath = '/home/step/.step/config';
    expect(container('supervisor').volumeMounts).toContainEqual({ name: 'config', mountPath });
    expect(container('step-ca').volumeMounts).toContainEqual({ name: 'config', mountPath, readOnly: true });
  });

  test('tells the supervisor of files that are mounted in its container', () => {
    for (const props of [{}, { database: CaDatabase.mysql({ dataSourceSecret: 'x' }), replicas: 3 }]) {
      const { inputs, out, control, database } = configOf(made(props), 'ca-config', 'supervisor.json');
      const { volumeMounts, command } = container('supervisor', props);
      const folders = volumeMounts.map((mount: { mountPath: string }) => mount.mountPath);
      const used = [...Object.values(inputs), out, control, ...Object.values(database ?? {}), command.at(-1)];
      for (const file of used) expect(folders.some((folder: string) => `${file}/`.startsWith(`${folder}/`))).toBe(true);
    }
  });

  test('has no new pod for a changed Secret or setting, which the supervisor takes over', () => {
    const checksum = (props?: StepCaProps) => caPod(props).metadata.annotations;
    expect(checksum({ dnsNames: ['ca.example.com'] })).toEqual(checksum());
    const database = CaDatabase.mysql({ dataSourceSecret: 'x' });
    expect(checksum({ database })).not.toEqual(checksum());
  });

  test('answers to the names of its Service, to localhost, and to those given', () => {
    const { dnsNames } = configOf(made({ dnsNames: ['ca.example.com', '192.0.2.7'] }), 'ca-config', 'ca.json');
    const own = ['ca.step.svc', 'ca.step.svc.cluster.local', 'ca.step'];
    expect(dnsNames).toEqual([...own, 'ca.example.com', '192.0.2.7', 'localhost', '127.0.0.1']);
  });

  test('hands lifetimes to step-ca in its own syntax', () => {
    const lifetimes = {
      defaultDuration: Duration.minutes(90),
      minDuration: Duration.seconds(90),
      maxDuration: Duration.days(7),
    };
    expect(configOf(made(lifetimes), 'ca-config', 'ca.json').authority).toEqual({
      claims: { defaultTLSCertDuration: '1h30m', minTLSCertDuration: '1m30s', maxTLSCertDuration: '168h' },
    });
  });

  test('takes the default lifetime for the longest when it exceeds a day, and the longest for the default below one', () => {
    const claims = (props: StepCaProps) => configOf(made(props), 'ca-config', 'ca.json').authority.claims;
    expect(claims({ defaultDuration: Duration.hours(48) }).maxTLSCertDuration).toBe('48h');
    expect(claims({ maxDuration: Duration.hours(2) }).defaultTLSCertDuration).toBe('2h');
    expect(claims({ maxDuration: Duration.hours(48) }).defaultTLSCertDuration).toBe('24h');
  });

  test('is the construct whose StatefulSet the escape hatch finds', () => {
    const [app, ca] = [new App(), 'ca'];
    const chart = new Chart(app, 'test');
    const construct = new StepCa(chart, ca);
    ApiObject.of(construct).addJsonPatch(JsonPatch.add('/spec/minReadySeconds', 3));
    expect(find(chart.toJson(), 'StatefulSet').spec.minReadySeconds).toBe(3);
  });

  test('places its pods where the props say', () => {
    const placement: StepCaProps = {
      nodeSelector: { pool: 'pki' },
      tolerations: [{ key: 'pki', operator: 'Exists' }],
      priorityClassName: 'high',
    };
    for (const spec of podSpecs(made(placement)).values()) expect(spec).toMatchObject(placement);
  });

  test('takes its images from where the props say', () => {
    const specs = podSpecs(made({ image: 'mirror.example/step-ca:1', autocertImage: 'mirror.example/autocert:2' }));
    const images = [...specs.values()].flatMap((spec) => [...(spec.initContainers ?? []), ...spec.containers]);
    expect(images.map(({ image }) => image).sort()).toEqual([
      'mirror.example/autocert:2',
      'mirror.example/autocert:2',
      'mirror.example/autocert:2',
      'mirror.example/autocert:2',
      'mirror.example/step-ca:1',
    ]);
  });
});

describe("StepCa's database", () => {
  test('is a volume of a gibibyte by default', () => {
    expect(find(made(), 'PersistentVolumeClaim', 'ca-db').spec).toEqual({
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: '1Gi' } },
    });
  });

  test('is one file on it, which the supervisor looks after, with room elsewhere for when the volume is full', () => {
    const file = '/home/step/.step/db/ca.bolt';
    expect(configOf(made(), 'ca-config', 'ca.json').db).toEqual({ type: 'bbolt', dataSource: file });
    expect(configOf(made(), 'ca-config', 'supervisor.json').database).toEqual({
      file,
      scratch: '/run/autocert/scratch',
    });
    for (const { volumeMounts } of find(made(), 'StatefulSet').spec.template.spec.containers) {
      expect(volumeMounts).toContainEqual({ name: 'db', mountPath: '/home/step/.step/db' });
    }
  });

  test('has the size and the class that are asked for', () => {
    const database = CaDatabase.persistent({ size: Size.mebibytes(1536), storageClass: 'fast' });
    expect(find(made({ database }), 'PersistentVolumeClaim').spec).toMatchObject({
      storageClassName: 'fast',
      resources: { requests: { storage: '1536Mi' } },
    });
  });

  test('is lost with the pod when it is ephemeral', () => {
    const manifests = made({ database: CaDatabase.ephemeral() });
    expect(listed(manifests)).not.toContain('PersistentVolumeClaim/ca-db');
    expect(find(manifests, 'StatefulSet').spec.template.spec.volumes).toContainEqual({ name: 'db', emptyDir: {} });
  });

  test.each(['mysql', 'postgresql'] as const)('is shared by replicas when it is %s', (type) => {
    const database = CaDatabase[type]({ dataSourceSecret: 'ca-database' });
    const manifests = made({ database, replicas: 3 });
    const { spec } = find(manifests, 'StatefulSet');
    expect(spec.replicas).toBe(3);
    expect(find(manifests, 'PodDisruptionBudget').spec).toEqual({
      minAvailable: 1,
      selector: { matchLabels: { app: 'ca' } },
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
    });
    expect(listed(manifests)).not.toContain('PersistentVolumeClaim/ca-db');
    expect(configOf(manifests, 'ca-config', 'ca.json').db).toEqual({ type, dataSource: '', database: 'stepca' });
    const supervisor = configOf(manifests, 'ca-config', 'supervisor.json');
    expect(supervisor.inputs.dataSource).toBe('/etc/autocert/data-source/dataSource');
    expect(supervisor.database).toBeUndefined();
    expect(supervisor.restartSpreadSeconds).toBe(20);
    expect(spec.template.spec.containers[0].volumeMounts).not.toContainEqual(
      expect.objectContaining({ name: 'data-source' }),
    );
  });
});

describe('the PKI made in the cluster', () => {
  const manifests = made();

  test('is made and looked after by accounts with rights in its own namespace only', () => {
    expect(listed(manifests).filter((name) => name.startsWith('Cluster'))).toEqual([]);
  });

  test('is made by a Job, and looked after each night', () => {
    const { spec: job } = find(manifests, 'Job');
    expect(job.template.spec.containers[0].command).toEqual([
      '/usr/local/bin/autocert',
      'pki',
      'create',
      '--namespace',
      'step',
      '--ca-name',
      'Autocert',
    ]);
    const { spec } = find(manifests, 'CronJob', 'autocert-pki');
    expect(spec).toMatchObject({ concurrencyPolicy: 'Forbid', startingDeadlineSeconds: 43_200 });
    expect(spec.schedule).toMatch(/^\d+ \d+ \* \* \*$/);
    expect(spec.jobTemplate.spec).toMatchObject({ ttlSecondsAfterFinished: 86_400, activeDeadlineSeconds: 3600 });
    const { containers, serviceAccountName } = spec.jobTemplate.spec.template.spec;
    expect(containers[0].command).toEqual(['/usr/local/bin/autocert', 'pki', 'upkeep', '--namespace', 'step']);
    expect([job.template.spec.serviceAccountName, serviceAccountName]).toEqual(['autocert-init', 'autocert-pki']);
  });

  test('leaves no Job behind: it goes a day after it has finished, and Argo CD does not miss it', () => {
    const { spec, metadata } = find(manifests, 'Job');
    expect(spec.ttlSecondsAfterFinished).toBe(86_400);
    expect(metadata.annotations).toEqual({ 'argocd.argoproj.io/hook': 'Sync' });
  });

  test('has no rights on webhooks: the signer keeps the caBundle', () => {
    const both = synth((chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') }));
    expect(listed(both)).not.toContain('ClusterRole/autocert-init');
    expect(JSON.stringify(find(both, 'Job'))).not.toContain('--webhook');
  });

  test('has the rights of the Job before the Job', () => {
    const names = listed(synth((chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca') })));
    const job = names.findIndex((name) => name.startsWith('Job/'));
    expect(names.slice(0, job)).toContain('RoleBinding/autocert-init');
  });

  test('has a Job of another name when the Job changes, since Jobs cannot be changed', () => {
    const name = (props?: StepCaProps) => find(made(props), 'Job').metadata.name;
    expect(name()).toMatch(/^autocert-init-[0-9a-f]{10}$/);
    expect(name({ autocertImage: 'autocert:2' })).not.toBe(name());
    expect(name({ dnsNames: ['ca.example.com'] })).toBe(name());
  });

  test('has a Job of another name also when a JSON patch changes it, unless the patch names it', () => {
    const patched = (...patches: JsonPatch[]) => {
      const all = synth((chart) => {
        const ca = new StepCa(chart, 'ca');
        ApiObject.of(ca.node.findChild('Init')).addJsonPatch(...patches);
      });
      return find(all, 'Job');
    };
    const secrets = JsonPatch.add('/spec/template/spec/imagePullSecrets', [{ name: 'registry' }]);
    const { metadata, spec } = patched(secrets);
    expect(spec.template.spec.imagePullSecrets).toEqual([{ name: 'registry' }]);
    expect(metadata.name).toMatch(/^autocert-init-[0-9a-f]{10}$/);
    expect(metadata.name).not.toBe(find(manifests, 'Job').metadata.name);
    expect(patched(secrets).metadata.name).toBe(metadata.name);
    expect(patched(JsonPatch.replace('/metadata/name', 'mine')).metadata.name).toBe('mine');
  });

  test('is named as the props say', () => {
    const { command } = find(made({ pki: Pki.inCluster({ name: 'Shop' }) }), 'Job').spec.template.spec.containers[0];
    expect(command.slice(-2)).toEqual(['--ca-name', 'Shop']);
  });

  test('puts no key, password or certificate into a manifest', () => {
    expect(listed(manifests).filter((name) => name.startsWith('Secret/'))).toEqual([]);
    expect(JSON.stringify(manifests)).not.toMatch(/BEGIN|PRIVATE KEY/);
  });
});

describe('an existing PKI', () => {
  let root: string;
  let intermediate: string;
  let other: string;
  beforeAll(async () => {
    ({ root, intermediate } = await createAuthorities());
    other = (await createAuthorities('Other')).root;
  });
  const existing = () => Pki.existing({ rootCertificate: root, intermediateCertificate: intermediate });

  test('needs no Job, and its root is in the caBundle', () => {
    const manifests = synth(
      (chart) => new AutocertWebhook(chart, 'autocert', { ca: new StepCa(chart, 'ca', { pki: existing() }) }),
    );
    expect(listed(manifests).filter((name) => name.includes('init'))).toEqual([]);
    const { caBundle } = find(manifests, 'MutatingWebhookConfiguration').webhooks[0].clientConfig;
    expect(Buffer.from(caBundle, 'base64').toString()).toBe(root);
    expect(find(manifests, 'ConfigMap', 'ca-certs').data).toEqual({
      'root_ca.crt': root,
      'intermediate_ca.crt': intermediate,
    });
  });

  test('brings its Secrets under names of its own', () => {
    const pki = Pki.existing({
      rootCertificate: root,
      intermediateCertificate: intermediate,
      intermediateKeySecret: 'my-key',
      passwordSecret: 'my-password',
      provisionersSecret: 'my-provisioners',
      autocertPasswordSecret: 'my-autocert',
    });
    const manifests = synth((chart) => new AutocertWebhook(chart, 'a', { ca: new StepCa(chart, 'ca', { pki }) }));
    const ca = JSON.stringify(find(manifests, 'StatefulSet'));
    for (const name of ['my-key', 'my-password', 'my-provisioners']) expect(ca).toContain(`"${name}"`);
    for (const name of ['autocert', 'autocert-signer']) {
      expect(JSON.stringify(find(manifests, 'Deployment', name))).toContain('"my-autocert"');
    }
  });

  test('may have two roots while one replaces the other', () => {
    const pki = Pki.existing({ rootCertificate: other + root, intermediateCertificate: intermediate });
    expect(find(made({ pki }), 'ConfigMap', 'ca-certs').data?.['root_ca.crt']).toBe(other + root);
  });

  test('has no new pod for a changed root, which the supervisor takes over', () => {
    const checksum = (rootCertificate: string) =>
      find(made({ pki: Pki.existing({ rootCertificate, intermediateCertificate: intermediate }) }), 'StatefulSet').spec
        .template.metadata.annotations;
    expect(checksum(other + root)).toEqual(checksum(root));
  });

  test('publishes the roots of others beside its own', () => {
    const manifests = made({ pki: existing(), federatedRoots: [other] });
    expect(find(manifests, 'ConfigMap', 'ca-federated-roots').data).toEqual({ 'federated_root_1.crt': other });
    expect(configOf(manifests, 'ca-config', 'ca.json').federatedRoots).toEqual([
      '/home/step/.step/certs/federated_root_1.crt',
    ]);
    const { volumes } = find(manifests, 'StatefulSet').spec.template.spec;
    expect(volumes.find(({ name }: { name: string }) => name === 'certs').projected.sources).toEqual([
      { configMap: { name: 'ca-certs' } },
      { configMap: { name: 'ca-federated-roots' } },
    ]);
  });

  test('is refused when the intermediate was issued by another root', () => {
    expect(() => Pki.existing({ rootCertificate: other, intermediateCertificate: intermediate })).toThrow(
      /^intermediateCertificate: got one issued by ".*Test Root CA", but it must be issued by rootCertificate, ".*Other Root CA"$/,
    );
  });

  test.each([
    ['nothing', '', /^rootCertificate: has no "-----BEGIN CERTIFICATE-----" in it/],
    [
      'a broken certificate',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----',
      /certificate 1 cannot be read/,
    ],
    [
      'a private key',
      '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----',
      /^rootCertificate: contains a private key/,
    ],
  ])('is refused when its root is %s, without a word of what was given', (_what, rootCertificate, message) => {
    const attempt = () => Pki.existing({ rootCertificate, intermediateCertificate: intermediate });
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/c2VjcmV0|AAAA/);
  });

  describe('of a CA that lives elsewhere', () => {
    const elsewhere = (props: object = {}) =>
      synth((chart) => {
        const ca = StepCa.fromUrl(chart, 'ca', { url: 'https://ca.example.com', rootCertificate: root, ...props });
        new AutocertWebhook(chart, 'autocert', { ca });
      });

    test('is used by webhook and signer, and no CA is run', () => {
      const manifests = elsewhere({ provisioner: 'k8s', passwordSecret: 'k8s-password' });
      expect(listed(manifests)).not.toContain('StatefulSet/ca');
      expect(listed(manifests)).not.toContain('Service/ca');
      for (const name of ['autocert-config', 'autocert-signer-config']) {
        expect(configOf(manifests, name, 'config.json')).toMatchObject({
          caUrl: 'https://ca.example.com',
          provisioner: 'k8s',
        });
      }
      expect(find(manifests, 'ConfigMap', 'ca-certs').data).toEqual({ 'root_ca.crt': root });
      const { caBundle } = find(manifests, 'MutatingWebhookConfiguration').webhooks[0].clientConfig;
      expect(Buffer.from(caBundle, 'base64').toString()).toBe(root);
    });

    test.each([
      [
        'url',
        { url: 'http://ca.example.com' },
        /^url: got "http:\/\/ca.example.com", but it takes the base of an HTTPS URL/,
      ],
      ['url', { url: 'https://ca.example.com/path' }, /^url: got .* but it takes the base/],
      ['url', { url: 'ca.example.com' }, /^url: got .* but it takes the base/],
      ['rootCertificate', { rootCertificate: 'x' }, /^rootCertificate: has no/],
      ['passwordSecret', { passwordSecret: 'No Name' }, /^passwordSecret: got "No Name"/],
      ['provisioner', { provisioner: ' ' }, /^provisioner: got " "/],
    ])('is refused when %s is wrong: %j', (_prop, props, message) => expect(() => elsewhere(props)).toThrow(message));
  });
});

describe('two CAs', () => {
  const message =
    'Validation failed with the following errors:\n  [test/two] namespace: got "step", but the CA of "test/one" is in this ' +
    'namespace, and its objects have the same names: give one of them another namespace';

  test('in one namespace of one chart are one error, which names both', () => {
    const both = (props?: StepCaProps) =>
      synth((chart) => void [new StepCa(chart, 'one'), new StepCa(chart, 'two', props)]);
    expect(() => both()).toThrow(message);
    expect(() => both({ namespace: 'other' })).not.toThrow();
  });

  test('are an error, too, if one of them lives elsewhere', async () => {
    const { root } = await createAuthorities();
    const both = () =>
      synth((chart) => {
        new StepCa(chart, 'one');
        StepCa.fromUrl(chart, 'two', { url: 'https://ca.example.com', rootCertificate: root });
      });
    expect(both).toThrow(message);
  });

  test('may be in charts of different clusters', () => {
    const app = new App();
    for (const cluster of ['east', 'west']) new StepCa(new Chart(app, cluster), 'ca');
    const [east, west] = app.charts.map((chart) => listed(chart.toJson()));
    expect(east).toContain('StatefulSet/ca');
    expect(west).toEqual(east);
  });
});

describe('StepCa refuses', () => {
  test.each<[string, object, RegExp]>([
    [
      'replicas without a shared database',
      { replicas: 2 },
      /^replicas: got 2, but this database works with 1 only; set database to/,
    ],
    ['no replicas', { replicas: 0 }, /^replicas: got 0, but it takes a whole number of at least 1$/],
    ['half a replica', { replicas: 1.5 }, /^replicas: got 1.5/],
    [
      'a default lifetime beyond the longest',
      { defaultDuration: Duration.hours(2), maxDuration: Duration.hours(1) },
      /^defaultDuration: got "2h", but it must not exceed maxDuration, 1h$/,
    ],
    [
      'a shortest lifetime beyond the default',
      { minDuration: Duration.days(2) },
      /^minDuration: got "48h", but it must not exceed defaultDuration, 24h$/,
    ],
    [
      'a lifetime of nothing',
      { minDuration: Duration.seconds(0) },
      /^minDuration: got "0s", but it takes whole seconds, more than none and less than 100000h$/,
    ],
    ['a lifetime of twelve years', { maxDuration: Duration.days(365 * 12) }, /^maxDuration: got "105120h", but/],
    [
      'a lifetime that is a word',
      { maxDuration: '24h' },
      /^maxDuration: got "24h", but it takes a Duration, such as Duration.hours\(24\)$/,
    ],
    ['a lifetime that is a number', { defaultDuration: 3600 }, /^defaultDuration: got 3600, but it takes a Duration/],
    [
      'a database that is a word',
      { database: 'x' },
      /^database: got "x", but it takes CaDatabase.persistent\(…\), .ephemeral\(\), .mysql\(…\) or .postgresql\(…\)$/,
    ],
    ['a PKI that is a word', { pki: 'x' }, /^pki: got "x", but it takes Pki.inCluster\(…\) or Pki.existing\(…\)$/],
    [
      'another object instead of a PKI',
      { pki: CaDatabase.ephemeral() },
      /^pki: got an object of class CaDatabase, but/,
    ],
    ['a namespace that is a number', { namespace: 5 }, /^namespace: got 5, but it takes lower-case letters/],
    [
      'a flag that is a word',
      { createNamespace: 'false' },
      /^createNamespace: got "false", but it takes true or false$/,
    ],
    [
      'DNS names without a list',
      { dnsNames: 'ca.example.com' },
      /^dnsNames: got "ca.example.com", but it takes a list$/,
    ],
    ['federated roots without a list', { federatedRoots: {} }, /^federatedRoots: got \{\}, but it takes a list$/],
    ['resources without limits', { resources: { requests: {} } }, /^resources.limits: got undefined, but it takes/],
    ['a lifetime of half a second', { minDuration: Duration.millis(500) }, /^minDuration: got .* whole seconds/],
    ['an image with a space', { image: 'step ca' }, /^image: got "step ca", but it takes an image reference/],
    ['an image whose digest is cut', { image: 'a:1@sha256:abc' }, /^image: got "a:1@sha256:abc", but it takes/],
    ['an empty image', { autocertImage: '' }, /^autocertImage: got "", but it takes an image reference/],
    [
      'an unknown pull policy',
      { imagePullPolicy: 'Sometimes' as 'Always' },
      /^imagePullPolicy: got "Sometimes", but it takes "Always" or/,
    ],
    ['a namespace in upper case', { namespace: 'Step' }, /^namespace: got "Step", but it takes lower-case letters/],
    [
      'a cluster domain with a dot at its end',
      { clusterDomain: 'cluster.local.' },
      /^clusterDomain: got "cluster.local."/,
    ],
    [
      'a DNS name with a wildcard',
      { dnsNames: ['ok.example.com', '*.example.com'] },
      /^dnsNames\[1\]: got "\*.example.com"/,
    ],
    ['a federated root that is none', { federatedRoots: ['x'] }, /^federatedRoots\[0\]: has no/],
    [
      'a quantity that is none',
      { resources: { requests: { memory: '64 MB' }, limits: {} } },
      /^resources.requests.memory: got "64 MB", but it takes a quantity/,
    ],
  ])('%s', (_what, props, message) => expect(making(props as StepCaProps)).toThrow(message));

  test.each([
    [
      'a size that is a word',
      () => CaDatabase.persistent({ size: '5Gi' as never }),
      /^size: got "5Gi", but it takes a Size of whole mebibytes, such as Size.gibibytes\(5\)$/,
    ],
    ['a size of half a mebibyte', () => CaDatabase.persistent({ size: Size.kibibytes(512) }), /^size: got an object/],
    ['a name of a PKI that breaks lines', () => Pki.inCluster({ name: 'a\nb' }), /^name: got "a\\nb"/],
    ['a Secret that cannot exist', () => CaDatabase.mysql({ dataSourceSecret: '' }), /^dataSourceSecret: got ""/],
    [
      'a database that cannot exist',
      () => CaDatabase.postgresql({ dataSourceSecret: 'x', database: 'a;b' }),
      /^database: got "a;b"/,
    ],
    [
      'a storage class that cannot exist',
      () => CaDatabase.persistent({ storageClass: 'A B' }),
      /^storageClass: got "A B"/,
    ],
  ])('%s', (_what, attempt, message) => expect(attempt).toThrow(message));
});

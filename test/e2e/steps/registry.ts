/**
 * Steps 29.x: the image of this project comes from a registry that asks for a password, as in most companies: pushed there by
 * `npm run image -- --push`, pulled by containerd for Autocert's own pods and for agents. The registry is Debian's, on the
 * loopback interface of a node of our own. These are the last steps: kubelet, which knows an image by its digest, from now on asks
 * for the password whatever name the image goes by.
 * @module
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { App, Chart } from 'cdk8s';
import { AutocertWebhook, Injector, StepCa } from '../../../constructs/index.ts';
import { Annotation, ContainerName } from '../../../runtime/contract.ts';
import { installed } from '../../../scripts/cluster/installation.ts';
import { run, waitFor } from '../../../scripts/cluster/shell.ts';
import { enabledNamespace, testPod } from '../../../scripts/cluster/workloads.ts';
import {
  byPassword,
  type DockerRegistry,
  dockerConfig,
  LOGIN,
  startDockerRegistry,
} from '../../support/docker-registry.ts';
import { tryAutocert } from '../autocert.ts';
import { type Context, type Step, SYSTEM } from '../context.ts';

/** Nothing else of the node listens there. */
const PORT = 5000;
const IMAGE = `127.0.0.1:${PORT}/team/autocert:e2e`;
const SECRET = 'registry';
const LABEL = { 'example.com/cost-center': '42' };
const NOTE = { 'example.com/owner': 'the platform' };
const NAMESPACE = 'e2e-registry';
const POD = 'pulled';
const IMAGE_SCRIPT = join(import.meta.dirname, '../../../scripts/image.ts');

/** Kubelet tries again after ten seconds, then after twenty. */
const SLOWLY = { timeoutMs: 120_000, everyMs: 500 };

/** The steps; none on a cluster that is not ours, whose nodes cannot be given a registry. */
export function registrySteps(context: Context): Step[] {
  const { kubectl, ownNode, inNetwork, scratch } = context;
  if (!ownNode) return [];
  let registry: DockerRegistry | undefined;
  const addSecret = (namespace: string) =>
    kubectl.run([
      ...['-n', namespace, 'create', 'secret', 'docker-registry', SECRET, `--docker-server=127.0.0.1:${PORT}`],
      ...[`--docker-username=${LOGIN.user}`, `--docker-password=${LOGIN.password}`],
    ]);
  return [
    {
      id: '29.1',
      name: 'npm run image -- --push: the image is in a registry that asks for a password',
      run: async () => {
        registry = await startDockerRegistry(scratch, { auth: byPassword(scratch), port: PORT, inNetwork });
        const login = dockerConfig(scratch, registry.host, `${LOGIN.user}:${LOGIN.password}`);
        const push = [process.execPath, IMAGE_SCRIPT, '--push', IMAGE, '--plain-http', '--allow-newer-packages'];
        const said = await run(inNetwork(push), { env: { DOCKER_CONFIG: login } });
        assert.match(said, /@sha256:[0-9a-f]{64}/);
      },
      end: async () => registry?.[Symbol.asyncDispose](),
    },
    {
      id: '29.2',
      name: 'imagePullSecrets: CA, webhook, signer and the PKI Job run the image from there, with labels and annotations as platforms want them',
      run: async () => {
        const manifests = fromRegistry();
        await kubectl.apply(manifests.filter(({ kind }) => kind === 'Namespace'));
        await addSecret(SYSTEM);
        await kubectl.run(['-n', SYSTEM, 'delete', 'job', '--all', '--wait']); // a template cannot be changed
        await kubectl.apply(manifests);
        await installed(kubectl);
        const pods = await waitFor('the pods of before to be gone', async () => {
          const { items } = await kubectl.json<{ items: readonly PulledPod[] }>(['-n', SYSTEM, 'get', 'pods']);
          const images = items.flatMap(({ spec }) => spec.containers.map(({ image }) => image));
          const ours = images.filter((image) => image.includes('autocert'));
          return ours.length > 4 && ours.every((image) => image === IMAGE) && items;
        });
        for (const { metadata } of pods) {
          for (const [key, value] of Object.entries(LABEL)) assert.equal(metadata.labels?.[key], value, metadata.name);
          for (const [key, value] of Object.entries(NOTE))
            assert.equal(metadata.annotations?.[key], value, metadata.name);
        }
      },
    },
    {
      id: '29.3',
      name: 'an agent without the Secret in its namespace cannot be pulled, and autocert doctor says so; with it, it starts',
      run: async () => {
        const annotations = {
          [Annotation.name]: `${POD}.${NAMESPACE}.svc.cluster.local`,
          [Annotation.delivery]: 'sidecar',
        };
        await kubectl.apply([enabledNamespace(NAMESPACE), testPod(NAMESPACE, POD, { annotations })]);
        await waitFor(
          'autocert doctor to name the image',
          async () => {
            const { stdout } = await tryAutocert(context, ['doctor', '-o', 'json'], '');
            const { findings } = JSON.parse(stdout) as { findings: { check: string; object: string }[] };
            return findings.some(({ check, object }) => check === 'image-pull' && object.includes(POD));
          },
          SLOWLY,
        );
        await addSecret(NAMESPACE);
        const { spec } = await kubectl.ready(NAMESPACE, `app=${POD}`);
        const { imagePullSecrets, initContainers } = spec as unknown as PulledSpec;
        assert.deepEqual(imagePullSecrets, [{ name: SECRET }]);
        assert.equal(initContainers.find(({ name }) => name === ContainerName.renewer)?.image, IMAGE);
      },
    },
  ];
}

interface PulledPod {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
}

interface PulledSpec {
  readonly imagePullSecrets?: readonly { readonly name: string }[];
  readonly initContainers: readonly { readonly name: string; readonly image: string }[];
}

/** Webhook, signer and agents are always pulled; step-ca's own image is none of the registry's. */
function fromRegistry(): readonly { readonly kind: string }[] {
  const chart = new Chart(new App(), 'autocert');
  const pull = { imagePullSecrets: [SECRET], podLabels: LABEL, podAnnotations: NOTE };
  const ca = new StepCa(chart, 'ca', { autocertImage: IMAGE, ...pull });
  const injector = Injector.webhook({ agentImagePullSecrets: [SECRET] });
  new AutocertWebhook(chart, 'autocert', { ca, image: IMAGE, imagePullPolicy: 'Always', injector, ...pull });
  return chart.toJson();
}

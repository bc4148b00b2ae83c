import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiObject, App, Chart, Duration, JsonPatch, Size } from 'cdk8s';
import { parse } from 'yaml';
import * as ours from '../../../constructs/index.ts';
import { LEAF_TEMPLATE } from '../../../runtime/step-ca/provisioner.ts';
import { createAuthorities } from '../../support/authorities.ts';
import { find, type Manifest } from '../../support/manifests.ts';

const DOCS = join(import.meta.dirname, '../../../docs');
const GUIDE = readFileSync(join(DOCS, 'constructs.md'), 'utf8');

/** Code of a guide with the YAML right after it, if there is any. */
const examplesOf = (guide: string) =>
  [...guide.matchAll(/```ts\n(?<code>[\s\S]*?)```(?:\n\n```yaml\n(?<yaml>[\s\S]*?)```)?/g)].map(({ groups }) => ({
    code: groups?.code ?? '',
    yaml: groups?.yaml,
  }));
const EXAMPLES = examplesOf(GUIDE);
/** Of guides that have an example or two. */
const MORE = ['federation.md', 'high-availability.md', 'subordinate-ca.md', 'tutorial.md'].flatMap((file) =>
  examplesOf(readFileSync(join(DOCS, file), 'utf8')),
);

describe('docs/constructs.md', () => {
  let certificates: { rootCertificate: string; intermediateCertificate: string };
  beforeAll(async () => {
    const { root, intermediate } = await createAuthorities();
    certificates = { rootCertificate: root, intermediateCertificate: intermediate };
  });

  function manifestsOf(code: string): readonly Manifest[] {
    const chart = new Chart(new App(), 'guide');
    // Such as the root of another cluster.
    const { rootCertificate, intermediateCertificate } = certificates;
    const files = {
      readFileSync: (file: string) => (/intermediate/.test(file) ? intermediateCertificate : rootCertificate),
    };
    const webhook = () => new ours.AutocertWebhook(chart, 'autocert', { ca: new ours.StepCa(chart, 'ca') });
    const given = /^new AutocertNamespace/.test(code) ? { webhook: webhook() } : {};
    const names = { ApiObject, Duration, JsonPatch, Size, ...ours, ...certificates, ...files, ...given, chart };
    new Function(...Object.keys(names), code)(...Object.values(names));
    return chart.toJson();
  }

  test('has examples', () => {
    expect(EXAMPLES.length).toBeGreaterThan(8);
    expect(MORE).toHaveLength(4);
    expect(EXAMPLES.filter(({ yaml }) => yaml !== undefined).length).toBeGreaterThan(5);
  });

  test.each([...EXAMPLES, ...MORE])('has an example that makes what it says: $code', ({ code, yaml }) => {
    const manifests = manifestsOf(code);
    expect(manifests.length).toBeGreaterThan(0);
    if (yaml === undefined) return;
    const { data, ...said } = parse(yaml);
    const made = find(manifests, said.kind, said.metadata.name);
    expect(made).toMatchObject(said);
    for (const [file, part] of Object.entries<string>(data ?? {})) {
      const squeezed = (text = '') => text.replaceAll(/\s+/g, '');
      expect(squeezed(made.data?.[file])).toContain(squeezed(part));
    }
  });

  test("has the template that a CA of one's own should have", () => expect(GUIDE).toContain(LEAF_TEMPLATE));
});

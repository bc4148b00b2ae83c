import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { CHECKS } from '../../../../runtime/cli/doctor/checks.ts';
import type { Facts } from '../../../../runtime/cli/doctor/facts.ts';
import { findingsOf } from '../../../../runtime/cli/doctor/finding.ts';
import { isOlder } from '../../../../runtime/cli/doctor/image-version.ts';
import { type DoctorOptions, doctor } from '../../../../runtime/cli/doctor/run.ts';
import { excerpt, painter } from '../../../../runtime/cli/terminal.ts';
import { selects } from '../../../../runtime/kubernetes/selectors.ts';
import { At, askingPod, SickCluster } from '../../../support/sick-cluster.ts';

const show = (cluster: SickCluster, options: Partial<DoctorOptions> = {}, colour = false) =>
  doctor(
    { output: 'table', autocertNamespace: 'step', ...options },
    { connect: () => ({ api: cluster }), now: () => cluster.clock, monotonic: () => 0, paint: painter(colour) },
  );

/** Words in backquotes. */
const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);

describe('what is shown', () => {
  test('is a line when nothing is wrong', async () => {
    const { text, healthy } = await show(new SickCluster());
    expect([healthy, text]).toEqual([
      true,
      expect.stringMatching(/^Autocert in namespace step: nothing is wrong \(\d+ checks\)\n$/),
    ]);
  });

  test('is a line for each finding, errors first, with the remedy', async () => {
    const cluster = new SickCluster();
    cluster.lists.set(At.pods, [askingPod('web', { image: 'autocert:0.0.9' })]);
    cluster.objects.delete(At.binding);
    const { text, healthy } = await show(cluster);
    expect(healthy).toBe(false);
    const [heading, ...lines] = text.trimEnd().split('\n');
    expect(heading).toBe('Autocert in namespace step: 1 thing wrong, 1 warning');
    expect(lines).toEqual([
      expect.stringMatching(
        /^WRONG \[rbac\] clusterrolebinding\/autocert: it is not there.* — apply the manifests again/,
      ),
      expect.stringMatching(/^WARN {2}\[old-agent\] namespace\/shop: .* — kubectl -n shop rollout restart/),
    ]);
  });

  test('says at the end how many pods are of another installation', async () => {
    const cluster = new SickCluster();
    const { spec, ...pod } = askingPod('till');
    const env = [{ name: 'AUTOCERT_URL', value: 'https://autocert.tls.svc:4444' }];
    cluster.lists.set(At.pods, [{ ...pod, spec: { initContainers: [{ ...spec.initContainers[0], env }] } }]);
    expect((await show(cluster)).text).toMatch(
      /checks\)\nOf other installations, and not told of here: 1 of Autocert in namespace tls\n$/,
    );
  });

  test('has colours on a terminal only', async () => {
    const cluster = new SickCluster();
    cluster.objects.delete(At.binding);
    expect((await show(cluster, {}, true)).text).toContain('\u001b[31mWRONG');
    expect((await show(cluster)).text).not.toContain('\u001b');
  });

  test('is the same as YAML as it is as JSON', async () => {
    const cluster = new SickCluster();
    cluster.objects.delete(At.binding);
    const [json, yaml] = await Promise.all([show(cluster, { output: 'json' }), show(cluster, { output: 'yaml' })]);
    expect(parse(yaml.text)).toEqual(JSON.parse(json.text));
  });

  test('has words of the cluster in one line, without what a terminal acts upon, and not too many', async () => {
    const cluster = new SickCluster();
    const evil = `the volume of the database takes nothing more:\n\u001b[2J${'x'.repeat(10_000)}`;
    cluster.says('ca-0', 9404, 503, evil);
    const { text } = await show(cluster);
    expect(text).not.toContain('\u001b');
    expect(text).toContain('takes nothing more: \\u001b[2Jxxx');
    expect(text.length).toBeLessThan(1_500);
  });

  test('refuses what cannot be a namespace before anything is asked', async () => {
    const cluster = new SickCluster();
    await expect(show(cluster, { autocertNamespace: '../x' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(cluster.calls).toEqual([]);
  });
});

describe('checks', () => {
  test('say what they look at, and none has an id that no document could name', () => {
    for (const { id, looksAt } of CHECKS) {
      expect(id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      expect(looksAt).not.toBe('');
    }
  });

  test('are all in the table of docs/cli.md, and the guides name no others', () => {
    const ids = new Set(CHECKS.map(({ id }) => id));
    const [, section = ''] = readFileSync('docs/cli.md', 'utf8').split('\n## doctor\n');
    const firstCells = [...section.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) => named(cell));
    expect(new Set(firstCells)).toEqual(ids);
    const guide = readFileSync('docs/troubleshooting.md', 'utf8');
    const lastCells = [...guide.matchAll(/ \| ([^|]*) \|$/gm)].flatMap(([, cell = '']) => named(cell));
    expect(lastCells.length).toBeGreaterThan(20);
    expect(lastCells.filter((id) => !ids.has(id))).toEqual([]);
  });

  test('tell at most twenty findings each, and how many more there are', () => {
    const found = Array.from({ length: 25 }, (_, index) => ({ object: `pod/${index}`, message: 'm', remedy: 'r' }));
    const findings = findingsOf([{ id: 'x', looksAt: 'x', find: () => found }], {} as Facts);
    expect(findings).toHaveLength(20);
    expect(findings.at(-1)?.message).toBe('m (and 5 more)');
  });
});

describe('what the checks rest upon', () => {
  test.each([
    [undefined, {}, true],
    [{}, { a: 'b' }, true],
    [{ matchLabels: { a: 'b' } }, { a: 'b', c: 'd' }, true],
    [{ matchLabels: { a: 'b' } }, { a: 'c' }, false],
    [{ matchLabels: { toString: 'x' } }, {}, false],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }, { a: 'b' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] }, {}, false],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['b'] }] }, { a: 'b' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { a: '' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, { a: '' }, false],
  ])('selector %j and labels %j: %s', (selector, labels, expected) => {
    expect(selects(selector, labels as Record<string, string>)).toBe(expected);
  });

  test.each([
    ['autocert:0.0.9', 'autocert:0.1.0', true],
    ['autocert:0.1.0', 'autocert:0.0.9', false],
    ['autocert:0.9.0', 'autocert:0.10.0', true],
    ['r:5000/autocert:v1.0.0', 'r:5000/autocert:v1.0.1', true],
    ['autocert:0.1.0', 'autocert:0.1.0', false],
    ['autocert@sha256:00', 'autocert:0.1.0', false],
    ['autocert:latest', 'autocert:0.1.0', false],
  ])('%s is older than %s: %s', (one, other, expected) => {
    expect(isOlder(one, other)).toBe(expected);
  });

  test('an excerpt is a line that ends where it is cut', () => {
    expect(excerpt('a\n b\tc', 10)).toBe('a b c');
    expect(excerpt('x'.repeat(11), 10)).toBe(`${'x'.repeat(9)}…`);
    expect(excerpt(' '.repeat(30), 10)).toBe('…');
  });
});

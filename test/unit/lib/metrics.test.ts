import { createMetrics, type Sample } from '../../../runtime/lib/metrics.ts';

describe('a gauge that is observed', () => {
  test('has the values of this moment, and none that are gone', async () => {
    const metrics = createMetrics();
    let samples: Sample<'kind'>[] = [{ labels: { kind: 'root' }, value: 7 }];
    metrics.observed('things', 'Things.', ['kind'], () => samples);
    expect(await metrics.render()).toContain('autocert_things{kind="root"} 7\n');
    samples = [{ labels: { kind: 'leaf' }, value: 8 }];
    const rendered = await metrics.render();
    expect(rendered).toContain('autocert_things{kind="leaf"} 8\n');
    expect(rendered).not.toContain('root');
  });

  test('without labels is not there, rather than 0, while nobody has observed anything', async () => {
    const metrics = createMetrics();
    let samples: Sample<never>[] = [];
    metrics.observed('thing', 'A thing.', [], () => samples);
    expect(await metrics.render()).not.toMatch(/^autocert_thing /m);
    samples = [{ labels: {}, value: 0 }];
    expect(await metrics.render()).toMatch(/^autocert_thing 0$/m);
    samples = [];
    expect(await metrics.render()).not.toMatch(/^autocert_thing /m);
  });
});

test('histograms tell ten seconds from a minute, and a minute from five', async () => {
  const metrics = createMetrics();
  metrics.seconds('wait_seconds', 'A wait.', []).observe(45);
  const rendered = await metrics.render();
  expect(rendered).toContain('autocert_wait_seconds_bucket{le="30"} 0');
  expect(rendered).toContain('autocert_wait_seconds_bucket{le="60"} 1');
  for (const bound of ['10', '120', '300']) expect(rendered).toContain(`{le="${bound}"}`);
});

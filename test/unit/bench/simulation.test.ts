import { type Row, scenarios, summary } from '../../../bench/simulation/scenarios.ts';
import { simulate } from '../../../bench/simulation/world.ts';

/** As in `npm run bench -- simulation`, with fewer agents. */
const AGENTS = 100;
// A day and more of an outage is for the bench: it takes its time.
const rows = scenarios(AGENTS).filter(({ name }) => name !== '24 h, CA away for 26 h');
const results = new Map<string, ReturnType<typeof summary>>();

beforeAll(async () => {
  for (const row of rows) results.set(row.name, summary(row, await simulate(row.scenario)));
}, 120_000);

const result = (name: string) => {
  const found = results.get(name);
  if (!found) throw new Error(`no scenario ${name}`);
  return found;
};
const isOutage = ({ scenario }: Row) => scenario.caAway !== undefined || scenario.apiAway !== undefined;

test.each(rows.map(({ name }) => name))('%s: outside outages a certificate takes one request', (name) => {
  const { outsidePerCertificate, issued } = result(name);
  expect(issued).toBeGreaterThanOrEqual(AGENTS);
  expect(outsidePerCertificate).toBeLessThanOrEqual(1.2);
});

test.each(rows.filter((row) => !isOutage(row)).map(({ name }) => name))(
  '%s: no more certificates than are due',
  (name) => {
    const { issued, ideal } = result(name);
    expect(issued).toBeLessThanOrEqual(1.2 * ideal);
  },
);

test.each(rows.map(({ name }) => name))('%s: in the end every agent has a valid certificate', (name) => {
  expect(result(name).withoutAtEnd).toBe(0);
});

test.each(['24 h, CA away for 10 min', '1 h, CA away for 10 min'])('%s: no certificate runs out', (name) => {
  expect(result(name).mostWithout).toBe(0);
});

test.each(['24 h, CA away for 10 min', '1 h, CA away for 10 min'])('%s: the API server is asked nothing', (name) => {
  expect(result(name).apiCallsInOutage).toBe(0);
});

test('pods that wait for their first certificate have it within a minute of the end of an outage', () => {
  expect(result('all start while the CA is away for 10 min').recoveredAfterSeconds).toBeLessThanOrEqual(60);
});

test('while pods wait for an absent CA the API server is asked some three questions a second at most', () => {
  expect(result('all start while the CA is away for 10 min').apiCallsInOutage).toBeLessThanOrEqual(3 * 600);
});

test('a forced replacement reaches every agent', () => {
  expect(result('autocert renew --all').notReplaced).toBe(0);
});

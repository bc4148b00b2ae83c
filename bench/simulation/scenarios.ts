/**
 * `npm run bench -- simulation`: ten thousand agents through outages and wrong clocks, in simulated time; the table of
 * docs/performance.md.
 * @module
 */
import { type Scenario, simulate, type Tally } from './world.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AGENTS = 10_000;

/** A scenario, and how many certificates it takes if nothing goes wrong. */
export interface Row {
  readonly name: string;
  readonly scenario: Scenario;
  /** Renewals that an agent needs in the simulated time, besides its first certificate. */
  readonly renewals: number;
}

/** The scenarios, for so many agents. */
export function scenarios(agents = AGENTS): readonly Row[] {
  const hour = { agents, lifetimeMs: HOUR, startWithinMs: MINUTE, durationMs: 2 * HOUR };
  const day = { agents, lifetimeMs: 24 * HOUR, startWithinMs: MINUTE, durationMs: 22 * HOUR };
  const span = (fromMs: number, toMs: number) => ({ fromMs, toMs });
  return [
    { name: '24 h, nothing goes wrong', renewals: 1, scenario: day },
    {
      name: '24 h, CA away for 10 min',
      renewals: 1,
      scenario: { ...day, caAway: span(14 * HOUR, 14 * HOUR + 10 * MINUTE) },
    },
    {
      name: '24 h, CA away for 26 h',
      renewals: 1,
      scenario: { ...day, durationMs: 39 * HOUR, caAway: span(2 * HOUR, 28 * HOUR) },
    },
    { name: '1 h, nothing goes wrong', renewals: 3, scenario: hour },
    { name: '1 h, CA away for 10 min', renewals: 3, scenario: { ...hour, caAway: span(32 * MINUTE, 42 * MINUTE) } },
    {
      name: '1 h, CA away for 70 min',
      renewals: 2,
      scenario: { ...hour, durationMs: 2 * HOUR, caAway: span(10 * MINUTE, 80 * MINUTE) },
    },
    {
      name: '1 h, API server away for 10 min',
      renewals: 3,
      scenario: { ...hour, apiAway: span(32 * MINUTE, 42 * MINUTE) },
    },
    {
      name: 'all start while the CA is away for 10 min',
      renewals: 0,
      scenario: { ...hour, durationMs: 20 * MINUTE, caAway: span(0, 10 * MINUTE) },
    },
    {
      name: '24 h, every clock 17 h ahead',
      renewals: 10,
      scenario: { ...day, durationMs: 24 * HOUR, clock: { fromMs: HOUR, aheadMs: 17 * HOUR } },
    },
    {
      name: '24 h, every clock an hour behind',
      renewals: 1,
      scenario: { ...day, clock: { fromMs: HOUR, aheadMs: -HOUR } },
    },
    {
      name: 'autocert renew --all',
      renewals: 1,
      scenario: { ...day, durationMs: HOUR + 10 * MINUTE, renewAllAtMs: HOUR },
    },
  ];
}

/** What a run says, in the columns of the table. */
export function summary({ scenario, renewals }: Row, tally: Tally) {
  const outage = scenario.caAway ?? scenario.apiAway;
  const away = (second: number) =>
    outage !== undefined && second * 1000 >= outage.fromMs && second * 1000 < outage.toMs;
  const sum = (counts: ReadonlyMap<number, number>, wanted: (second: number) => boolean) =>
    [...counts].filter(([second]) => wanted(second)).reduce((total, [, count]) => total + count, 0);
  // That all of them start within a minute is the scenario's doing.
  const started = (second: number) => second * 1000 >= scenario.startWithinMs;
  const peak = (counts: ReadonlyMap<number, number>) =>
    Math.max(0, ...[...counts].filter(([second]) => started(second)).map(([, count]) => count));
  const outside = sum(tally.requestsBySecond, (second) => !away(second));
  return {
    ideal: scenario.agents * (renewals + 1),
    requests: sum(tally.requestsBySecond, () => true),
    outside,
    /** Each certificate that was issued took one request; whatever is more was refused or lost. */
    outsidePerCertificate: outside / tally.issued,
    issued: tally.issued,
    peakRequests: peak(tally.requestsBySecond),
    peakIssued: peak(tally.issuedBySecond),
    apiCallsInOutage: tally.apiCallsInOutage,
    mostWithout: tally.without.most,
    withoutAtEnd: tally.without.atEnd,
    recoveredAfterSeconds: tally.recoveredAfterMs === undefined ? undefined : Math.round(tally.recoveredAfterMs / 1000),
    notReplaced: tally.notReplaced,
  };
}

if (import.meta.main) {
  const only = process.argv[2] ?? '';
  for (const row of scenarios(Number(process.env.AGENTS ?? AGENTS)).filter(({ name }) => name.includes(only))) {
    const started = Date.now();
    const tally = await simulate(row.scenario);
    console.log(row.name, JSON.stringify(summary(row, tally)), `${((Date.now() - started) / 1000).toFixed(1)} s`);
  }
}

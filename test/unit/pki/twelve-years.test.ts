/**
 * Twelve years of a PKI, on a clock of days. The CronJob runs, the CA issues, pods of every age renew and restart; nobody
 * does anything by hand but what `docs/pki.md` says. Quiet years go by in steps of ten days, so that the CronJob is late
 * rather than early; of the rotation each day is lived.
 */
import type { V1Pod } from '@kubernetes/client-node';
import { renewIntermediate } from '../../../runtime/pki/renew-intermediate.ts';
import { retire } from '../../../runtime/pki/retire.ts';
import type { RootKeyFile } from '../../../runtime/pki/root-key.ts';
import { announce, switchRoot } from '../../../runtime/pki/rotation.ts';
import { validityOf, verifyChain } from '../../../runtime/x509/certificate.ts';
import { agentPod, DAY_MS, PkiWorld } from '../../support/pki-world.ts';

const YEAR = 365;
const ROTATION = 9 * YEAR;
/** An operator replaces one of the pods that `retire` names every so many days. */
const PATIENCE = 20;
/** Step of the clock while nothing is done by hand, days. */
const QUIET = 10;
/** Two lives, on a machine that is busy with other tests. */
const TIMEOUT_MS = 240_000;

type Bundle = readonly string[];

/** A pod as far as trust goes. */
class Pod {
  readonly name: string;
  /** Days that its certificates last; renewed at two thirds. */
  readonly lifetime: number;
  /** Given to its agent when the pod was made. Absent: native delivery. */
  pinned?: Bundle;
  /** What it trusts now; an agent that has been restarted begins with what was pinned. */
  trusted: Bundle = [];
  certificate: readonly string[] = [];

  constructor(name: string, lifetime: number, pinned?: Bundle) {
    this.name = name;
    this.lifetime = lifetime;
    if (pinned) this.pinned = pinned;
  }
}

/** One life; `keep`: the root's key is kept outside of the cluster. */
async function live(world: PkiWorld, keep: boolean) {
  const manual: string[] = [];
  const warnings = new Map<string, number>();
  const start = +world.now;
  const day = () => Math.round((+world.now - start) / DAY_MS);
  world.store.objects.set('/api/v1/namespaces/step/configmaps/ca-config', {
    metadata: { name: 'ca-config' },
    data: { 'ca.json': JSON.stringify({ authority: { claims: { maxTLSCertDuration: '2184h' } } }) },
  });
  let rootKey: RootKeyFile | undefined = keep ? world.takeKey('rootKey') : undefined;
  const withKey = () => ({ now: world.now, ...(rootKey && { rootKey }) });

  const first = world.roots;
  const pods = [
    new Pod('since-the-first-day', 1, first),
    new Pod('since-the-first-day-90d', 90, first),
    new Pod('rebooted-each-month', 1, first),
    new Pod('replaced-each-year', 90, first),
    new Pod('native', 1),
    new Pod('native-90d', 90),
  ];
  world.store.lists.set('/api/v1/pods', []);
  const showPods = () => {
    const agents: V1Pod[] = pods.flatMap(({ name, pinned }) => (pinned ? [agentPod(name, pinned)] : []));
    world.store.lists.set('/api/v1/pods', agents);
  };
  const restart = (pod: Pod) => {
    pod.certificate = [];
    if (pod.pinned) pod.trusted = pod.pinned;
  };
  const replace = (pod: Pod) => {
    if (pod.pinned) pod.pinned = world.roots;
    restart(pod);
  };

  const verified = new Set<string>();
  const trust = (what: string, chain: readonly string[], bundle: Bundle) => {
    // once a day each
    const pair = `${day()} ${chain[0]} ${bundle.join()}`;
    if (verified.has(pair)) return;
    verified.add(pair);
    try {
      verifyChain(chain, bundle, world.now);
    } catch (error) {
      throw new Error(`day ${day()}: ${what}`, { cause: error });
    }
  };

  let switched = false;
  let retired: number | undefined;
  const operate = async () => {
    if (day() === ROTATION) {
      manual.push('announce');
      await announce(world.objects, withKey());
      if (keep) rootKey = world.takeKey('nextRoot');
    } else if (day() === ROTATION + 1) {
      manual.push('switch');
      await switchRoot(world.objects, withKey());
      switched = true;
    } else if (switched && retired === undefined) {
      const refused = await retire(world.store, world.objects, { now: world.now }).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (refused === undefined) {
        manual.push('retire');
        retired = day();
      } else if (day() % PATIENCE === 0) {
        const named = pods.find(({ name }) => refused.includes(`shop/${name}\n`));
        if (named) {
          manual.push(`replace ${named.name}`);
          replace(named);
        }
      }
    }
  };

  let [months, years] = [0, 0];
  /** Whether another `length` days have passed since the last time. */
  const isNew = (count: number, length: number) => Math.floor(day() / length) > count;
  while (day() < 12 * YEAR) {
    const isQuiet = day() < ROTATION - QUIET || (retired !== undefined && day() > retired + 100);
    world.pass(isQuiet ? QUIET : 1);
    verified.clear();
    const { advice } = await world.init();
    for (const { command = '' } of advice) {
      if (!warnings.has(command)) warnings.set(command, day());
      if (command.startsWith('autocert pki intermediate')) {
        manual.push('intermediate');
        await renewIntermediate(world.objects, withKey());
      }
    }
    showPods();
    await operate();
    const serving = await world.issue(1);
    if (isNew(months, 30)) pods.filter(({ name }) => name === 'rebooted-each-month').forEach(restart);
    if (isNew(years, YEAR)) pods.filter(({ name }) => name === 'replaced-each-year').forEach(replace);
    [months, years] = [Math.floor(day() / 30), Math.floor(day() / YEAR)];
    trust('the API server and the webhook', serving, world.roots);
    for (const pod of pods) {
      if (pod.pinned) {
        trust(`${pod.name} after a reboot, and the webhook`, serving, pod.pinned);
        if (pod.trusted.length > 0) trust(`${pod.name} and the webhook`, serving, pod.trusted);
      }
      pod.trusted = world.roots;
      const { notBefore, notAfter } = pod.certificate[0]
        ? validityOf(pod.certificate[0])
        : { notBefore: 0, notAfter: 0 };
      const isDue = +world.now >= +notBefore + ((+notAfter - +notBefore) * 2) / 3;
      if (isDue) pod.certificate = pod.lifetime === 1 ? serving : await world.issue(90);
    }
    for (const chain of new Set(pods.map(({ certificate }) => certificate))) trust('peers', chain, world.roots);
  }
  return { manual, warnings, retired, first };
}

test.each([
  ['in the cluster', false],
  ['kept outside', true],
])(
  'twelve years with the root key %s: nothing is ever untrusted or expired',
  async (_where, keep) => {
    const world = await PkiWorld.ready();
    const { manual, warnings, retired, first } = await live(world, keep);
    expect(manual.filter((step) => step !== 'intermediate')).toEqual([
      'announce',
      'switch',
      'replace since-the-first-day',
      'replace since-the-first-day-90d',
      'replace rebooted-each-month',
      'retire',
    ]);
    // once a year, under the one root or the other
    expect(manual.filter((step) => step === 'intermediate')).toHaveLength(keep ? 10 : 0);
    expect(retired).toBeGreaterThan(ROTATION + 91);
    expect(retired).toBeLessThan(10 * YEAR);
    // two years before the first root's end, give or take a step of the clock
    expect(Math.abs((warnings.get('autocert pki rotate announce') ?? 0) - 8 * YEAR)).toBeLessThanOrEqual(QUIET);
    expect(world.roots).toHaveLength(1);
    expect(world.roots[0]).not.toBe(first[0]);
    expect(+validityOf(first[0] ?? '').notAfter).toBeLessThan(+world.now);
    expect(world.chain).toHaveLength(1);
  },
  TIMEOUT_MS,
);

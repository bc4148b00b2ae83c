import type { Held } from '../../../runtime/agent/held.ts';
import { type AgentPorts, keepFresh, obtainOnce } from '../../../runtime/agent/keep.ts';
import { validityOf } from '../../../runtime/x509/certificate.ts';
import type { CertificateSet } from '../../../runtime/agent/certificate-files.ts';
import { AutocertError } from '../../../runtime/lib/errors.ts';
import { keptLog, setOf } from '../../support/agent.ts';
import { issue } from '../../support/tiny-ca.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const START = Date.parse('2026-06-01T12:00:00Z');
const root = issue('Test Root CA', { ca: true });
const refused = (code: 'CA_REJECTED' | 'FORBIDDEN' | 'GONE' | 'UNAVAILABLE') =>
  new AutocertError(code, `it is ${code}`);

/** A world with a clock that only sleeping moves. What happens is written down with its time in minutes. */
function world(script: { enroll?: (Error | undefined)[]; renew?: (Error | undefined)[]; lifetime?: number } = {}) {
  let time = START;
  let onDisk: CertificateSet | undefined;
  const stop = new AbortController();
  const log = keptLog();
  const events: string[] = [];
  const issued = (way: 'enroll' | 'renew') => async () => {
    const failure = script[way]?.shift();
    events.push(`${Math.round((time - START) / MINUTE)} ${way}${failure === undefined ? '' : ' fails'}`);
    if (failure !== undefined) throw failure;
    const notAfter = new Date(time + (script.lifetime ?? 24 * HOUR));
    return setOf(root, { notBefore: new Date(time - MINUTE), notAfter });
  };
  const held = (): Held => {
    if (onDisk === undefined) return { usable: false, reason: 'there are no files yet' };
    const validity = validityOf(onDisk.certificate);
    if (time > validity.notAfter.getTime()) return { usable: false, reason: 'expired' };
    return { usable: true, set: onDisk, validity };
  };
  const sleeps: number[] = [];
  const ports: AgentPorts = {
    now: () => new Date(time),
    random: () => 0,
    sleep: async (ms) => {
      sleeps.push(ms);
      time += ms;
    },
    signal: stop.signal,
    log,
    held,
    enroll: issued('enroll'),
    renew: issued('renew'),
    store: (set) => {
      onDisk = set;
    },
  };
  return {
    ports,
    events,
    sleeps,
    log,
    stop: () => stop.abort(),
    put: (set: CertificateSet | undefined) => {
      onDisk = set;
    },
    disk: () => onDisk,
    /** Runs the loop until so many things have happened. */
    async until(count: number): Promise<void> {
      const { sleep } = ports;
      const counting = {
        ...ports,
        sleep: (ms: number) => {
          if (events.length >= count) stop.abort();
          return stop.signal.aborted ? Promise.resolve() : sleep(ms);
        },
      };
      await keepFresh(counting);
    },
  };
}

describe('run', () => {
  test('enrolls at once, then renews at two thirds of the lifetime, again and again', async () => {
    const it = world();
    await it.until(4);
    expect(it.events).toEqual(['0 enroll', '960 renew', '1920 renew', '2880 renew']);
    expect(it.log.lines.map(({ line }) => line)).toEqual(Array(4).fill('info certificate written'));
    expect(it.log.lines[0]?.fields).toEqual({
      serial: expect.stringMatching(/^[0-9a-f]+$/),
      names: 'DNS:pod.example',
      notAfter: '2026-06-02T12:00:00.000Z',
    });
  });

  test('adopts good files that are there, and says so', async () => {
    const it = world();
    it.put(setOf(root, { notBefore: new Date(START - HOUR), notAfter: new Date(START + 23 * HOUR) }));
    await it.until(1);
    expect(it.events).toEqual(['900 renew']);
    expect(it.log.lines[0]?.line).toBe('info a valid certificate is there already');
  });

  test('renews good files at once that are past two thirds of their life', async () => {
    const it = world();
    it.put(setOf(root, { notBefore: new Date(START - 20 * HOUR), notAfter: new Date(START + 4 * HOUR) }));
    await it.until(1);
    expect(it.events).toEqual(['0 renew']);
  });

  test('enrolls when the files are not usable', async () => {
    const it = world();
    it.put(setOf(root, { notBefore: new Date(START - 20 * HOUR), notAfter: new Date(START - HOUR) }));
    await it.until(1);
    expect(it.events).toEqual(['0 enroll']);
  });

  test('sleeps in pieces, so that a machine that slept meanwhile is noticed', async () => {
    const it = world();
    await it.until(2);
    expect(Math.max(...it.sleeps)).toBeLessThanOrEqual(MINUTE);
  });
});

describe('failure', () => {
  test('while there is no certificate: every try is logged with reason, code and time of the next', async () => {
    const it = world({ enroll: [refused('FORBIDDEN'), refused('UNAVAILABLE'), undefined] });
    await it.until(3);
    expect(it.events).toEqual(['0 enroll fails', '0 enroll fails', '0 enroll']);
    expect(it.log.lines[0]).toEqual({
      line: 'error no certificate yet',
      fields: { code: 'FORBIDDEN', reason: 'it is FORBIDDEN', retryInMs: 250 },
    });
    expect(it.log.lines[2]?.line).toBe('info certificate written');
  });

  test('of a renewal keeps the certificate in hand and tries again', async () => {
    const it = world({ renew: [refused('UNAVAILABLE'), refused('UNAVAILABLE'), undefined] });
    await it.until(4);
    expect(it.events).toEqual(['0 enroll', '960 renew fails', '960 renew fails', '960 renew']);
    expect(it.log.lines[1]).toMatchObject({
      line: 'warn keeping the current certificate',
      fields: { reason: 'it is UNAVAILABLE', retryInMs: SECOND },
    });
  });

  test('never ends it, and after expiry it enrolls again', async () => {
    const it = world({ lifetime: 30 * SECOND, renew: Array(1_000).fill(refused('UNAVAILABLE')) });
    await it.until(40);
    const renewals = it.events.filter((event) => event.endsWith('renew fails'));
    const enrollments = it.events.filter((event) => event.endsWith('enroll'));
    expect(renewals.length).toBeGreaterThan(5);
    expect(enrollments.length).toBeGreaterThan(1);
  });

  test('that says that the pod is gone ends it, so that kubelet can end the pod', async () => {
    const it = world({ lifetime: 30 * SECOND, enroll: [refused('UNAVAILABLE'), refused('GONE')] });
    await expect(keepFresh(it.ports)).rejects.toMatchObject({ code: 'GONE' });
    expect(it.sleeps).toHaveLength(1);
  });

  test('waits longer and longer, to a bound', async () => {
    const it = world({ enroll: Array(30).fill(refused('UNAVAILABLE')) });
    await keepFreshWith(it, { random: () => 1 }, 30);
    expect(it.sleeps.slice(0, 4)).toEqual([750, 2_250, 6_750, 15_000]);
    expect(it.sleeps[20]).toBe(15 * SECOND);
  });

  test('that is anything else than an AutocertError is survived too', async () => {
    const it = world({ enroll: [new TypeError('surprise')] });
    await it.until(2);
    expect(it.log.lines[0]?.fields).toMatchObject({ code: undefined, reason: 'surprise' });
    expect(it.events.at(-1)).toBe('0 enroll');
  });

  test('to write is survived: the next try gets a new certificate', async () => {
    const it = world();
    let full = true;
    const { store } = it.ports;
    const failing = (set: CertificateSet) => {
      if (full) {
        full = false;
        throw new Error('no space left');
      }
      store(set);
    };
    await keepFreshWith(it, { store: failing }, 2);
    expect(it.log.lines[0]?.fields).toMatchObject({ reason: 'no space left' });
    expect(it.events).toEqual(['0 enroll', '0 enroll']);
  });
});

describe('a CA that refuses to renew', () => {
  test('makes it enroll again at once', async () => {
    const it = world({ renew: [refused('CA_REJECTED')] });
    await it.until(3);
    expect(it.events).toEqual(['0 enroll', '960 renew fails', '960 enroll']);
    expect(it.log.lines[1]?.line).toBe('warn the certificate cannot be renewed; enrolling again');
  });

  test('while enrolling fails as well: both are tried again, the good files stay', async () => {
    const it = world({ enroll: [undefined, refused('FORBIDDEN')], renew: [refused('CA_REJECTED')] });
    await it.until(4);
    expect(it.events).toEqual(['0 enroll', '960 renew fails', '960 enroll fails', '960 renew']);
  });
});

describe('stopping', () => {
  test('ends the loop in the middle of a wait', async () => {
    const it = world();
    await keepFreshWith(it, { sleep: async () => it.stop() }, Number.POSITIVE_INFINITY);
    expect(it.events).toEqual(['0 enroll']);
  });

  test('ends it in the middle of a request, without a complaint', async () => {
    const it = world();
    const enroll = async () => {
      it.stop();
      throw refused('UNAVAILABLE');
    };
    await keepFresh({ ...it.ports, enroll });
    expect(it.log.lines).toEqual([]);
  });
});

describe('once', () => {
  test('tries until it has a certificate, then ends', async () => {
    const it = world({ enroll: [refused('UNAVAILABLE'), refused('FORBIDDEN')] });
    await obtainOnce(it.ports);
    expect(it.events).toEqual(['0 enroll fails', '0 enroll fails', '0 enroll']);
    expect(it.disk()).toBeDefined();
  });

  test('ends at once when good files are there', async () => {
    const it = world();
    it.put(setOf(root, { notBefore: new Date(START - HOUR), notAfter: new Date(START + 23 * HOUR) }));
    await obtainOnce(it.ports);
    expect(it.events).toEqual([]);
  });
});

/** Runs the loop with some ports replaced until so many things have happened. */
async function keepFreshWith(it: ReturnType<typeof world>, ports: Partial<AgentPorts>, count: number): Promise<void> {
  const all = { ...it.ports, ...ports };
  const sleep = async (ms: number) => {
    if (it.events.length >= count) it.stop();
    else await all.sleep(ms);
  };
  await keepFresh({ ...all, sleep });
}

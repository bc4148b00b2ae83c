import { RENEWALS_CONFIG_MAP } from '../../../runtime/contract.ts';
import { apiError } from '../../../runtime/kubernetes/wire.ts';
import { CERTIFICATES_PER_SECOND } from '../../../runtime/webhook/pacer.ts';
import { RenewalInformation } from '../../../runtime/webhook/renewal-info.ts';
import { ObjectStore } from '../../support/object-store.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const CONFIG_MAP = `/api/v1/namespaces/step/configmaps/${RENEWALS_CONFIG_MAP}`;
const NOON = '2030-06-01T12:00:00.000Z';

/** The control plane at noon, with certificates for an hour. */
function controlPlane() {
  const clock = { now: Date.parse(NOON) };
  const issuer = { roots: ['OWN\n', 'NEXT\n', 'FEDERATED\n'] as string[], anchors: ['OWN\n', 'NEXT\n'] };
  const information = new RenewalInformation({ issuer, lifetimeMs: () => HOUR, now: () => new Date(clock.now) });
  const store = new ObjectStore();
  /** Lets the control plane read what `autocert renew` has written. */
  const renew = async (data: Record<string, string> | undefined) => {
    store.objects.set(CONFIG_MAP, { data });
    await information.refresh(store, 'step');
  };
  const issue = (count: number) => {
    for (let index = 0; index < count; index += 1) information.issued();
  };
  return { clock, issuer, information, store, renew, issue };
}

describe('agents are told', () => {
  test('all roots, and by which of them to trust Autocert: not those of other CAs', () => {
    expect(controlPlane().information.for('shop')).toEqual({
      suggestedWindow: { start: 1 / 2, end: 2 / 3 },
      roots: 'OWN\nNEXT\nFEDERATED\n',
      anchors: 'OWN\nNEXT\n',
      askAgainSeconds: expect.any(Number),
    });
  });

  test('a new root as soon as the control plane knows it', () => {
    const { information, issuer } = controlPlane();
    issuer.roots = [...issuer.roots, 'NEW\n'];
    expect(information.for('shop').roots).toMatch(/NEW/);
  });

  test('nothing before the roots are known: without them there would be none', () => {
    const { information, issuer } = controlPlane();
    issuer.roots = [];
    expect(() => information.for('shop')).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
  });

  test('to ask again so often that all have heard of it, and acted, within ten minutes', async () => {
    const { information, renew } = controlPlane();
    await renew({ shop: '2030-06-01T11:00:00Z' });
    const { askAgainSeconds, replace } = information.for('shop');
    // Each takes a quarter more or less; the control plane itself looks every 15 s.
    expect(askAgainSeconds * 1.25 + (replace?.withinSeconds ?? 0) + 15).toBeLessThanOrEqual(600);
  });
});

describe('the window', () => {
  const together = 25_000;

  test('is wider while certificates are issued faster than they could be renewed, from a third on', () => {
    const { information, issue } = controlPlane();
    issue(10_000);
    expect(information.for('shop').suggestedWindow).toEqual({ start: 1 / 2, end: 2 / 3 });
    issue(together - 10_000);
    const { start, end } = information.for('shop').suggestedWindow;
    expect(end).toBe(2 / 3);
    expect(start).toBeLessThan(1 / 2);
    expect(together / ((end - start) * 3600)).toBeLessThanOrEqual(CERTIFICATES_PER_SECOND / 2 + 0.001);
    issue(1_000_000);
    expect(information.for('shop').suggestedWindow.start).toBeCloseTo(1 / 3, 10);
  });

  test('stays so until they are due, and goes back to the usual one', () => {
    const { information, issue, clock } = controlPlane();
    issue(together);
    const wide = information.for('shop').suggestedWindow.start;
    clock.now += HOUR / 10;
    issue(1);
    expect(information.for('shop').suggestedWindow.start).toBeLessThan(1 / 2);
    expect(information.for('shop').suggestedWindow.start).toBeGreaterThanOrEqual(wide);
    clock.now += 10 * HOUR;
    issue(1);
    expect(information.for('shop').suggestedWindow.start).toBe(1 / 2);
  });

  test('is not narrower where the same number comes in several minutes', () => {
    const { information, issue, clock } = controlPlane();
    for (let minute = 0; minute < 10; minute += 1) {
      issue(together / 10);
      clock.now += 60 * SECOND;
    }
    expect(information.for('shop').suggestedWindow.start).toBe(1 / 2);
  });

  test('survives a clock that is set back', () => {
    const { information, issue, clock } = controlPlane();
    issue(together);
    clock.now -= 24 * HOUR;
    issue(1);
    const { start } = information.for('shop').suggestedWindow;
    expect(start).toBeGreaterThanOrEqual(1 / 3);
    expect(start).toBeLessThanOrEqual(1 / 2);
  });
});

describe('certificates are replaced early', () => {
  const replaced = async (data: Record<string, string> | undefined, namespace = 'shop') => {
    const { information, renew } = controlPlane();
    await renew(data);
    return information.for(namespace).replace?.issuedBefore;
  };

  test('in no namespace, if nobody asks for it', async () => {
    const { information, store } = controlPlane();
    await information.refresh(store, 'step');
    expect(information.for('shop')).not.toHaveProperty('replace');
    expect(await replaced(undefined)).toBeUndefined();
    expect(await replaced({})).toBeUndefined();
  });

  test('in one namespace, or in all: the later time counts', async () => {
    const [early, late] = ['2030-06-01T10:00:00.000Z', '2030-06-01T11:00:00.000Z'];
    expect(await replaced({ shop: early })).toBe(early);
    expect(await replaced({ shop: early }, 'bank')).toBeUndefined();
    expect(await replaced({ _all: early }, 'bank')).toBe(early);
    expect(await replaced({ _all: early, shop: late })).toBe(late);
    expect(await replaced({ _all: late, shop: early })).toBe(late);
  });

  test('not before the time that was asked for: else they would be replaced over and over', async () => {
    const { information, renew, clock } = controlPlane();
    await renew({ shop: '2030-06-01T13:00:00Z', _all: '2030-06-01T10:00:00Z' });
    expect(information.for('shop').replace?.issuedBefore).toBe('2030-06-01T10:00:00.000Z');
    clock.now += 30 * 60 * SECOND;
    expect(information.for('shop').replace?.issuedBefore).toBe('2030-06-01T10:00:00.000Z');
    clock.now += 30 * 60 * SECOND;
    expect(information.for('shop').replace?.issuedBefore).toBe('2030-06-01T13:00:00.000Z');
  });

  test('spread over some time', async () => {
    const { information, renew } = controlPlane();
    await renew({ shop: NOON });
    expect(information.for('shop').replace).toEqual({ issuedBefore: NOON, withinSeconds: expect.any(Number) });
  });

  test.each(['', 'soon', 'NaN', '2030-13-01T00:00:00Z'])('not by what is no time: %j', async (time) => {
    expect(await replaced({ shop: time })).toBeUndefined();
    expect(await replaced({ shop: time, _all: '2030-06-01T11:00:00Z' })).toBe('2030-06-01T11:00:00.000Z');
  });

  test('not by the names of things that every object has', async () => {
    expect(await replaced({ _all: '' }, 'constructor')).toBeUndefined();
  });

  test('no longer when the order is taken back, and still while it cannot be read', async () => {
    const { information, renew, store } = controlPlane();
    await renew({ shop: NOON });
    store.failures.set(CONFIG_MAP, apiError(503, '', 'down'));
    await expect(information.refresh(store, 'step')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(information.for('shop').replace).toBeDefined();
    store.failures.clear();
    store.objects.delete(CONFIG_MAP);
    await information.refresh(store, 'step');
    expect(information.for('shop').replace).toBeUndefined();
  });

  test('for ten thousand namespaces at most', async () => {
    const { information, renew } = controlPlane();
    const data = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`ns-${index}`, NOON]));
    await renew(data);
    expect(information.for('ns-9999').replace).toBeDefined();
    expect(information.for('ns-10000').replace).toBeUndefined();
  });
});

import { OwnPods, otherPodsText } from '../../../../runtime/cli/observed/other-pods.ts';

const autocert = (namespace: string) => ({ kind: 'autocert', namespace }) as const;

test('an installation has its own pods and those that nobody knows; others are counted, each installation for itself', () => {
  const own = new OwnPods('tls');
  const all = [autocert('tls'), undefined, autocert('step'), { kind: 'original' } as const, autocert('step')];
  expect(all.map((origin) => own.has(origin))).toEqual([true, true, false, false, false]);
  expect(own.others).toEqual([
    { kind: 'autocert', namespace: 'step', pods: 2 },
    { kind: 'original', pods: 1 },
  ]);
  expect(otherPodsText(own.others)).toBe(
    'Of other installations, and not told of here: 2 of Autocert in namespace step, 1 of the Go original',
  );
});

test('as many installations as somebody makes up: ten are named, and all pods are counted', () => {
  const own = new OwnPods('step');
  for (let index = 0; index < 1_000; index += 1) own.has(autocert(`n${index}`));
  expect(own.others).toHaveLength(11);
  expect(own.others.at(-1)).toEqual({ kind: 'more', pods: 990 });
});

test('none is nothing to say', () => {
  expect(otherPodsText([])).toBeUndefined();
});

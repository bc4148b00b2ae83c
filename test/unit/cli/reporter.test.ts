import type { Pod } from '../../../runtime/cli/demo/pod-file.ts';
import { jsonReporter, type Reporter, textReporter } from '../../../runtime/cli/reporter.ts';

const ESCAPE = '\u001b';

async function show(
  make: (write: (text: string) => void) => Reporter,
  use: (reporter: Reporter) => unknown,
): Promise<string> {
  let shown = '';
  await use(
    make((text) => {
      shown += text;
    }),
  );
  return shown;
}
const clock = () => {
  let now = 0;
  return () => (now += 250);
};
const step = (reporter: Reporter) =>
  reporter.step('CA', async () => ({ line: 'listens', facts: { url: 'https://ca' }, value: 1 }));
const pod = (...initContainers: string[]): Pod => ({
  metadata: { name: 'a', namespace: 'b', uid: 'c' },
  spec: { containers: [], initContainers: initContainers.map((name) => ({ name })) },
});

describe('what the demo shows', () => {
  test('is a line a step with its time', async () => {
    expect(await show((write) => textReporter(write, false, clock()), step)).toBe('✔ CA          listens  0.25 s\n');
  });

  test('has colour on a terminal only', async () => {
    expect(await show((write) => textReporter(write, true, clock()), step)).toContain(ESCAPE);
    expect(await show((write) => textReporter(write, false, clock()), step)).not.toContain(ESCAPE);
  });

  test('marks a step that failed and passes its error on', async () => {
    const failing = (reporter: Reporter) =>
      expect(reporter.step('CA', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await show((write) => textReporter(write, false), failing)).toBe('✘ CA         \n');
  });

  test('has of an injected pod what was changed, with what stands around it', async () => {
    const diff = (reporter: Reporter) => reporter.diff(pod('own'), pod('own', 'agent'));
    const lines = (await show((write) => textReporter(write, false), diff)).split('\n').map((line) => line.trim());
    expect(lines).toEqual(['containers: []', 'initContainers:', '- name: own', '+     - name: agent', '']);
  });

  test('is one JSON object a line for programs', async () => {
    const shown = await show(
      (write) => jsonReporter(write, clock()),
      async (reporter) => {
        await step(reporter);
        reporter.diff(pod(), pod('agent'));
        reporter.event('renewal', 'for people', { serial: '1' });
      },
    );
    const lines = shown.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { step: 'CA', seconds: 0.25, url: 'https://ca' },
      { diff: expect.arrayContaining(['-   initContainers: []', '+     - name: agent']) },
      { event: 'renewal', serial: '1' },
    ]);
  });
});

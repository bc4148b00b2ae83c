import { jsonScreen, type Screen, terminalScreen } from '../../../runtime/cli/start/screen.ts';

const ESCAPE = '\u001b';

function show(
  make: (write: (text: string) => void) => Screen,
  use: (screen: Screen) => Promise<unknown>,
): Promise<string> {
  let shown = '';
  return use(
    make((text) => {
      shown += text;
    }),
  ).then(() => shown);
}
const clock = () => {
  let now = 0;
  return () => (now += 250);
};
const step = (screen: Screen) =>
  screen.step('CA', async () => ({ line: 'listens', facts: { url: 'https://ca' }, value: 1 }));

describe('the screen of autocert start', () => {
  test('shows a step with its time', async () => {
    expect(await show((write) => terminalScreen(write, false, clock()), step)).toBe('✔ CA          listens  0.25 s\n');
  });

  test('uses colour on a terminal only', async () => {
    expect(await show((write) => terminalScreen(write, true, clock()), step)).toContain(ESCAPE);
    expect(await show((write) => terminalScreen(write, false, clock()), step)).not.toContain(ESCAPE);
  });

  test('marks a step that failed and passes its error on', async () => {
    const failing = (screen: Screen) =>
      screen
        .step('CA', () => Promise.reject(new Error('no')))
        .catch((error: Error) => expect(error.message).toBe('no'));
    expect(await show((write) => terminalScreen(write, false), failing)).toBe('✘ CA         \n');
  });

  test('writes one JSON object a line for programs', async () => {
    const shown = await show(
      (write) => jsonScreen(write, clock()),
      async (screen) => {
        await step(screen);
        screen.diff([{ sign: '+', text: 'volumes:' }]);
        screen.event('renewal', 'for people', { serial: '1' });
      },
    );
    expect(
      shown
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { step: 'CA', seconds: 0.25, url: 'https://ca' },
      { diff: ['+ volumes:'] },
      { event: 'renewal', serial: '1' },
    ]);
  });
});

/**
 * The effects of a command that prints and waits: what it has printed, and time that passes only where it sleeps.
 * @module
 */

/** Makes them, without colour. */
export function commandEffects() {
  let text = '';
  let time = 0;
  return {
    /** What was printed so far. */
    text: () => text,
    effects: {
      write: (more: string) => {
        text += more;
      },
      colour: false,
      now: () => time,
      sleep: async (ms: number) => {
        time += ms;
      },
    },
  };
}
